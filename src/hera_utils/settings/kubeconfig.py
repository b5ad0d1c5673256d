"""Kubeconfigs as Kubernetes' clients read them: several files merged, one context chosen.

The rules are kubectl's (kubernetes.io, "Organizing Cluster Access Using kubeconfig Files"): of several files the first that defines a
name or sets the current context wins, a file of the list that does not exist is passed over, and a relative path belongs to the file
that says it. What a context means for a connection is platforms/cluster_access.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.wording import system_reason

Json = dict[str, Any]

POD_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its own service account."""

_FIX = "correct it, or name another with --k8s_config_file, a context of it with --k8s_context"


@dataclass(frozen=True)
class Chosen:
    """One context. origin: the files, for people. context: its name. namespace: what it names, or "".

    cluster, user: as written, and the folders of the files that say them (what relative paths are relative to).
    """

    origin: str
    context: str
    namespace: str
    cluster: Mapping[str, Any] = field(repr=False)
    cluster_folder: Path
    user: Mapping[str, Any] = field(repr=False)
    user_folder: Path


def files(setting: str | None, home: Path | None = None) -> list[Path]:
    """The kubeconfigs there are: those of a list as in KUBECONFIG, else the user's own. [] when there is none."""
    if setting:
        return [path for path in map(Path, filter(None, setting.split(os.pathsep))) if path.is_file()]
    usual = (home if home is not None else Path(os.path.expanduser("~"))) / ".kube" / "config"
    return [usual] if usual.is_file() else []


def trusts_its_author(path: Path) -> bool:
    """Whether who reads a kubeconfig runs a program, or sends a file of this machine, that its author chose."""
    users = [entry.get("user") for entry in _document(path).get("users") or () if isinstance(entry, Mapping)]
    return any(set(user) & {"exec", "auth-provider", "tokenFile"} for user in users if isinstance(user, Mapping))


def choose(paths: Sequence[Path], context: str | None = None) -> Chosen:
    """The context of that name, or the current one. SettingsError names the file and what is wrong in it."""
    origin = os.pathsep.join(map(str, paths))
    documents = [(path, _document(path)) for path in paths]
    current = next((str(one["current-context"]) for _, one in documents if one.get("current-context")), "")
    name = context or current
    if not name:
        raise _unusable(origin, "it has no current context")
    _, entry = _entry_called(documents, "contexts", "context", name, origin)
    if entry is None:
        there = ", ".join(sorted(_names(documents, "contexts"))) or "none"
        raise _unusable(origin, f"it has no context `{name}` (its contexts are: {there})")
    cluster_of, cluster = _entry_called(documents, "clusters", "cluster", str(entry.get("cluster") or ""), origin)
    if cluster is None or not cluster.get("server"):
        raise _unusable(origin, f"the context `{name}` names no cluster with a server")
    user_name = str(entry.get("user") or "")
    user_of, user = _entry_called(documents, "users", "user", user_name, origin)
    if user_name and user is None:
        raise _unusable(origin, f"the context `{name}` names the user `{user_name}`, which it does not contain")
    return Chosen(
        origin=origin,
        context=name,
        namespace=str(entry.get("namespace") or ""),
        cluster=cluster,
        cluster_folder=cluster_of.parent,
        user=user or {},
        user_folder=user_of.parent,
    )


def of_this_pod(folder: Path = POD_ACCOUNT, environ: Mapping[str, str] | None = None) -> Chosen | None:
    """What a pod's own service account means; None outside of pods."""
    around = os.environ if environ is None else environ
    host, port = around.get("KUBERNETES_SERVICE_HOST", ""), around.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (folder / "token").is_file():
        return None
    written = f"[{host}]" if ":" in host else host
    try:
        namespace = (folder / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        namespace = ""
    cluster: Json = {"server": f"https://{written}:{port}", "certificate-authority": str(folder / "ca.crt")}
    user: Json = {"tokenFile": str(folder / "token")}
    return Chosen("this pod's service account", "in-cluster", namespace, cluster, folder, user, folder)


Documents = list[tuple[Path, Json]]


def _document(path: Path) -> Json:
    import yaml

    from hera_utils.argo import yaml_limits

    try:
        document = yaml_limits.plain(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise _unusable(str(path), system_reason(error)) from None
    except (yaml.YAMLError, ValueError):  # a ValueError for what is no UTF-8, and for a date that there is not
        raise _unusable(str(path), "it is not YAML") from None  # what the parser says may hold a secret of it
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _unusable(str(path), "it is not a kubeconfig")
    return document


def _entries(document: Json, plural: str, path: Path) -> list[Json]:
    found = document.get(plural) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _unusable(str(path), f"`{plural}` is not a list of entries")
    return found


def _names(documents: Documents, plural: str) -> set[str]:
    return {str(one.get("name")) for path, document in documents for one in _entries(document, plural, path)}


def _entry_called(documents: Documents, plural: str, single: str, name: str, origin: str) -> tuple[Path, Json | None]:
    """(the file that says it, the entry of that name)."""
    for path, document in documents:
        for one in _entries(document, plural, path):
            if str(one.get("name")) == name and name:
                entry = one.get(single) or {}
                if not isinstance(entry, dict):
                    raise _unusable(origin, f"the {single} `{name}` is not a table")
                return path, entry
    return documents[0][0] if documents else Path(), None


def _unusable(origin: str, why: str) -> SettingsError:
    return SettingsError(f"the kubeconfig {origin} cannot be used: {why}", fix=_FIX)
