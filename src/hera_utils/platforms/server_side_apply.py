"""Server-side apply and deletion of a few kinds of objects, by the Kubernetes API of a Cluster.

Each user applies as a separate field manager (`hera-utils/ana`): two users with the same content share an object, two with different
contents get a conflict instead of overwriting each other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hera_utils.argo import faults
from hera_utils.errors import AccessError, HeraUtilsError, Refused, ResourceError
from hera_utils.platforms.cluster import Cluster
from hera_utils.platforms.cluster_messages import APPLY, ClusterReply, ClusterRequest
from hera_utils.platforms.manifests import WORDS

Json = dict[str, Any]

MANAGER = "hera-utils"
_LONGEST_MANAGER = 128
_LACKS = re.compile(r'cannot (\w+) resource "([^"]+)"')
_CONFLICT = re.compile(r'conflicts? with "([^"]+)"[^\n]*?using [^:]*(?::\d\d:\d\dZ?)?: ?((?:\.\S+)?(?:\n- \.\S+)*)')


class Conflict(ResourceError):
    """Somebody else has set a field to another value. owners: field manager → fields."""

    def __init__(self, word: str, name: str, owners: dict[str, list[str]]) -> None:
        listed = "; ".join(f"{', '.join(fields)} by {_person(manager)}" for manager, fields in owners.items())
        super().__init__(
            f"has another value: {listed or 'by somebody else'}",
            fix=f"agree with them on the {word} {name}, or take it over with --force (their values are lost)",
        )
        self.owners = owners


class Applier:
    """Objects of a cluster's namespace. Raises AccessError if nothing answers or a permission is missing, Refused for other refusals."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._http = cluster.http
        self._manager = ""

    @property
    def local(self) -> bool:
        return self._cluster.local

    @property
    def manager(self) -> str:
        """Our field manager: `hera-utils/` and the user name that the cluster gives us."""
        if not self._manager:
            user = "" if self._cluster.local else self._user()
            name = f"{MANAGER}/{user}" if user else MANAGER
            if len(name) > _LONGEST_MANAGER:
                name = f"{name[: _LONGEST_MANAGER - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
            self._manager = name
        return self._manager

    def _user(self) -> str:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = self._http.send(ClusterRequest("POST", "apis/authentication.k8s.io/v1/selfsubjectreviews", body=body))
        name = str(((answer.body.get("status") or {}).get("userInfo") or {}).get("username") or "") if answer.ok else ""
        return "".join(character for character in name if character.isprintable())

    def get_all(self, references: Sequence[tuple[str, str]]) -> list[Json | AccessError | None]:
        """The objects (kind, name), requested at the same time; None for one that does not exist, AccessError for one that may not be
        read.
        """

        def ask(pair: tuple[str, str]) -> Json | AccessError | None:
            answer = self._http.send(ClusterRequest("GET", self._cluster.path(*pair)))
            if answer.reason == "NotFound":
                return None
            if answer.status == 403:
                return _forbidden_error(answer, "read")
            return self._check_success(answer, *pair, "read")

        with ThreadPoolExecutor(max(1, min(16, len(references))), "provision") as threads:
            return list(threads.map(ask, references))

    def apply(self, document: Json, *, dry_run: bool = False, force: bool = False) -> Json:
        """Apply a document; the object after it (or as it would be). Raises Conflict if fields of somebody else would change."""
        kind, name = str(document["kind"]), str(document["metadata"]["name"])
        query = {"fieldManager": self.manager, "force": "true" if force else "false", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        answer = self._http.send(ClusterRequest("PATCH", self._cluster.path(kind, name), query, document, APPLY))
        if answer.reason == "Conflict":
            raise Conflict(WORDS[kind], name, _owners(answer))
        return self._check_success(answer, kind, name, "provision")

    def owners(self, live: Json) -> tuple[bool, list[str]]:
        """(whether we have applied the object, the other users who have)."""
        records = (live.get("metadata") or {}).get("managedFields") or []
        names = {str(record.get("manager")) for record in records if record.get("operation") == "Apply"}
        others = {_person(name) for name in names - {self.manager} if name.partition("/")[0] == MANAGER}
        return self.manager in names, sorted(others)

    def relinquish(self, kind: str, name: str) -> None:
        """Give up our fields of an object; those of others stay."""
        root = self._cluster.path(kind).partition("/namespaces/")[0]
        version = root.partition("/")[2]  # `v1` of api/v1, `GROUP/v1` of apis/GROUP/v1
        self.apply({"apiVersion": version, "kind": kind, "metadata": {"name": name}})

    def delete(self, kind: str, live: Json) -> None:
        """Delete the object only if it is still the version that was read."""
        metadata = live["metadata"]
        conditions = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": conditions,
            "propagationPolicy": "Background",
        }
        answer = self._http.send(ClusterRequest("DELETE", self._cluster.path(kind, metadata["name"]), body=body))
        if answer.reason not in ("NotFound",):
            self._check_success(answer, kind, metadata["name"], "remove")

    def _check_success(self, answer: ClusterReply, kind: str, name: str, verb: str) -> Json:
        if answer.ok:
            return answer.body
        raise self._error_of_answer(answer, kind, name, verb)

    def _error_of_answer(self, answer: ClusterReply, kind: str, name: str, verb: str) -> HeraUtilsError:
        what = f"{WORDS[kind]} `{name}`"
        if answer.status == 401:
            return self._http.credential_refused()
        if answer.status == 403:
            return _forbidden_error(answer, verb)
        if answer.reason == "Invalid" and ("immutable" in answer.message or "can not be less" in answer.message):
            return ResourceError(
                f"cannot be changed this way: {answer.message.partition(': ')[2] or answer.message}",
                fix=f"keep its old value, or release the {what} (--with-data: its data are lost) and provision it "
                f"again",
            )
        return Refused(faults.grpc_code(answer.status), answer.message, reason=answer.reason)


def _forbidden_error(answer: ClusterReply, verb: str) -> AccessError:
    if "attempting to grant" in answer.message:
        why, fix = "a role may only grant what its creator may do", "ask the cluster's owner to provision it"
    else:
        lacks = _LACKS.search(answer.message)
        why = f"permission to {lacks[1]} {lacks[2]} is missing" if lacks else answer.message.splitlines()[0]
        fix = "ask the cluster's owner for these permissions, or to provision it for you"
    return AccessError(f"cannot be {_past_tense(verb)} by you ({why})", fix=fix)


def _past_tense(verb: str) -> str:
    return {"provision": "provisioned", "remove": "removed", "read": "read"}[verb]


def _person(manager: str) -> str:
    """A field manager for messages: `ana` for `hera-utils/ana`; another program unchanged."""
    head, slash, user = manager.partition("/")
    return user if slash and head == MANAGER else manager


def _owners(answer: ClusterReply) -> dict[str, list[str]]:
    owners: dict[str, list[str]] = {}
    for cause in (answer.body.get("details") or {}).get("causes") or []:
        named = re.search(r'conflict with "([^"]+)"', str(cause.get("message")))
        if named:
            owners.setdefault(named[1], []).append(str(cause.get("field", "")).lstrip("."))
    if not owners:
        for manager, fields in _CONFLICT.findall(answer.message):
            owners[manager] = [
                field.strip().removeprefix("- ").lstrip(".") for field in fields.split("\n") if field.strip()
            ]
    return owners
