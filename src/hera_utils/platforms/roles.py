"""The permissions that a run needs, as Kubernetes' rules: of the user who submits it, and of the account of its pods. Pure.

Sources: Argo's docs/workflow-rbac.md (the executor's minimum since 3.4), docs/http-template.md (the agent), docs/fields.md (ArtifactGC);
the Argo server does with the caller's own rights what it is asked for (docs/argo-server-auth-mode.md), and reads logs by listing and
watching pods (util/logs/workflow-logger.go).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

ARGO = "argoproj.io"
EXECUTOR = "argo-executor"
SUBMITTER = "argo-submitter"


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource. resource: plural, with its subresource (`pods/log`). what: what fails without it.

    vital: a run is impossible without it; otherwise only a feature is missing.
    """

    verb: str
    resource: str
    group: str = ""
    what: str = ""
    vital: bool = True
    sure: bool = True  # False: the resource's plural is a guess

    @property
    def qualified(self) -> str:
        """The resource as kubectl names it: workflows.argoproj.io, pods/log."""
        plural, slash, sub = self.resource.partition("/")
        return f"{plural}.{self.group}{slash}{sub}" if self.group else self.resource

    def attributes(self, namespace: str) -> Json:
        """Kubernetes' ResourceAttributes."""
        plural, _, sub = self.resource.partition("/")
        review: Json = {"namespace": namespace, "verb": self.verb, "resource": plural}
        return {**review, **({"group": self.group} if self.group else {}), **({"subresource": sub} if sub else {})}


def submitter(templates: Iterable[str]) -> list[Right]:
    """The rights to submit and follow a run. templates: kinds to which the workflow refers; the server reads them with these rights."""
    rights = [
        Right("create", "workflows", ARGO, "nothing can be submitted"),
        Right("get", "workflows", ARGO, "a run cannot be followed"),
        Right("list", "workflows", ARGO, "a run cannot be followed"),
        Right("watch", "workflows", ARGO, "a run is followed by asking again and again", vital=False),
        Right("patch", "workflows", ARGO, "a run cannot be stopped or suspended", vital=False),
        Right("list", "pods", "", "no logs", vital=False),
        Right("watch", "pods", "", "no logs", vital=False),
        Right("get", "pods/log", "", "no logs", vital=False),
    ]
    return rights + [
        Right("get", f"{kind.lower()}s", ARGO, "its template cannot be read") for kind in sorted(set(templates))
    ]


def executor(*, agents: bool = False, collects: bool = False) -> list[Right]:
    """The rights of the pods' account. agents: http or plugin templates are used; collects: artifacts are garbage collected."""
    rights = [
        Right("create", "workflowtaskresults", ARGO, "no task can report its outputs"),
        Right("patch", "workflowtaskresults", ARGO, "no task can report its outputs"),
    ]
    if agents:
        what = "http and plugin tasks do not run"
        rights += [Right(verb, "workflowtasksets", ARGO, what) for verb in ("list", "watch")]
        rights.append(Right("patch", "workflowtasksets/status", ARGO, what))
    if collects:
        what = "artifacts are not collected, and the workflow cannot be deleted"
        rights += [Right(verb, "workflowartifactgctasks", ARGO, what) for verb in ("list", "watch")]
        rights.append(Right("patch", "workflowartifactgctasks/status", ARGO, what))
    return rights


_ACTIONS = {
    "create": ("get", "create"),
    "apply": ("get", "create", "patch"),
    "replace": ("get", "update"),
    "patch": ("get", "patch"),
    "delete": ("get", "delete"),
    "get": ("get",),
}
# Kinds whose plural is not the name in small letters with an s. For kinds that are in neither table, the plural is a guess.
_PLURALS = {"NetworkPolicy": "networkpolicies", "Ingress": "ingresses", "StorageClass": "storageclasses"}
_CERTAIN = {
    "Pod",
    "Job",
    "ConfigMap",
    "Secret",
    "Service",
    "Deployment",
    "PersistentVolumeClaim",
    "Workflow",
    "CronJob",
    "StatefulSet",
}


def rights_for_resource_action(api_version: str, kind: str, action: str) -> list[Right]:
    """The rights of the account for a `resource` template, which acts on an object (Argo's docs/resource-template.md)."""
    group = api_version.partition("/")[0] if "/" in api_version else ""
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    sure = kind in _PLURALS or kind in _CERTAIN
    what = f"its tasks cannot {action} a {kind}"
    return [Right(verb, plural, group, what, sure=sure) for verb in _ACTIONS.get(action, ("get",))]


# --- as documents ------------------------------------------------------------------------------------------------------


def rules(rights: Iterable[Right]) -> list[Json]:
    """Kubernetes' PolicyRules, one for each resource with all its verbs."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        verbs_of_resource = verbs.setdefault((right.group, right.resource), [])
        if right.verb not in verbs_of_resource:
            verbs_of_resource.append(right.verb)
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": found} for (group, resource), found in verbs.items()
    ]


def name_of_grant(kind: str, rights: Iterable[Right], subject: Json) -> str:
    """The name of a role that gives these rights to a subject. Another grant has another name: an owner who applies one takes none away.

    kind: EXECUTOR or SUBMITTER.
    """
    granted = json.dumps([rules(rights), subject], sort_keys=True)
    return f"{kind}-{hashlib.sha256(granted.encode()).hexdigest()[:8]}"


def role(name: str, rights: Iterable[Right]) -> Json:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name},
        "rules": rules(rights),
    }


def binding(name: str, subject: Json) -> Json:
    """A RoleBinding of the role with this name to a subject (`account_subject`, `user_subject`)."""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "subjects": [subject],
        "roleRef": reference,
    }


def account_subject(name: str, namespace: str) -> Json:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def user_subject(user: str) -> Json:
    """The subject for a user name of the API server, which for a service account's token is `system:serviceaccount:…`."""
    if user.startswith("system:serviceaccount:") and user.count(":") == 3:
        _, _, namespace, name = user.split(":")
        return account_subject(name, namespace)
    return {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}


def is_allowed(rules: Sequence[Json], right: Right) -> bool:
    """Whether PolicyRules grant a right on all objects (rules for named objects do not count)."""
    return any(
        not rule.get("resourceNames")
        and _covers(rule.get("verbs"), right.verb)
        and _covers(rule.get("apiGroups"), right.group)
        and _covers(rule.get("resources"), right.resource)
        for rule in rules
    )


def _covers(listed: Any, name: str) -> bool:
    _, slash, sub = name.partition("/")
    return any(pattern in ("*", name) or (slash and pattern == f"*/{sub}") for pattern in listed or [])
