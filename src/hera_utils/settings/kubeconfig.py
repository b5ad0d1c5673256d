"""Reading kubeconfigs as Kubernetes' clients do: several files are merged and one context is chosen.

The rules are kubectl's (kubernetes.io, "Organizing Cluster Access Using kubeconfig Files"): of several files the first that defines a
name or sets the current context wins, a file of the list that does not exist is skipped, and a path is relative to the file that
contains it. platforms/cluster_access.py makes a connection from a context.
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
"""The folder of a pod's own service account."""

_FIX = "correct it, or name another with --k8s_config_file, a context of it with --k8s_context"


@dataclass(frozen=True)
class ChosenContext:
    """One context. origin: the files, for messages. context: its name. namespace: that of the context, or "".

    cluster, user: their entries as written. cluster_folder, user_folder: the folders to which the paths in them are relative.
    """

    origin: str
    context: str
    namespace: str
    cluster: Mapping[str, Any] = field(repr=False)
    cluster_folder: Path
    user: Mapping[str, Any] = field(repr=False)
    user_folder: Path


def files(setting: str | None, home: Path | None = None) -> list[Path]:
    """The existing kubeconfigs of a list as in KUBECONFIG, or without a setting the user's own; [] if there is none."""
    if setting:
        return [path for path in map(Path, filter(None, setting.split(os.pathsep))) if path.is_file()]
    usual = (home if home is not None else Path(os.path.expanduser("~"))) / ".kube" / "config"
    return [usual] if usual.is_file() else []


def trusts_its_author(path: Path) -> bool:
    """Whether using a kubeconfig runs a program, or sends a file of this machine, that its author chose."""
    users = [entry.get("user") for entry in _document(path).get("users") or () if isinstance(entry, Mapping)]
    return any(set(user) & {"exec", "auth-provider", "tokenFile"} for user in users if isinstance(user, Mapping))


def choose_context(paths: Sequence[Path], context: str | None = None) -> ChosenContext:
    """The context of that name, or the current one.

    Raises SettingsError, which names the file and the error in it, if there is no usable context.
    """
    origin = os.pathsep.join(map(str, paths))
    documents = [(path, _document(path)) for path in paths]
    current = next(
        (str(document["current-context"]) for _, document in documents if document.get("current-context")), ""
    )
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
    return ChosenContext(
        origin=origin,
        context=name,
        namespace=str(entry.get("namespace") or ""),
        cluster=cluster,
        cluster_folder=cluster_of.parent,
        user=user or {},
        user_folder=user_of.parent,
    )


def context_of_this_pod(folder: Path = POD_ACCOUNT, environ: Mapping[str, str] | None = None) -> ChosenContext | None:
    """A context from the service account of this pod; None outside of pods."""
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
    return ChosenContext("this pod's service account", "in-cluster", namespace, cluster, folder, user, folder)


Documents = list[tuple[Path, Json]]


def _document(path: Path) -> Json:
    import yaml

    from hera_utils.argo import yaml_limits

    try:
        document = yaml_limits.parse_as_pyyaml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise _unusable(str(path), system_reason(error)) from None
    except (yaml.YAMLError, ValueError):  # ValueError for text that is not UTF-8, or for an impossible date
        raise _unusable(str(path), "it is not YAML") from None  # the parser's message may contain a secret of the file
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _unusable(str(path), "it is not a kubeconfig")
    return document


def _entries(document: Json, plural: str, path: Path) -> list[Json]:
    entries = document.get(plural) or []
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _unusable(str(path), f"`{plural}` is not a list of entries")
    return entries


def _names(documents: Documents, plural: str) -> set[str]:
    return {str(entry.get("name")) for path, document in documents for entry in _entries(document, plural, path)}


def _entry_called(documents: Documents, plural: str, single: str, name: str, origin: str) -> tuple[Path, Json | None]:
    """(the file, its entry of that name); the entry is None if no file has one."""
    for path, document in documents:
        for candidate in _entries(document, plural, path):
            if str(candidate.get("name")) == name and name:
                entry = candidate.get(single) or {}
                if not isinstance(entry, dict):
                    raise _unusable(origin, f"the {single} `{name}` is not a table")
                return path, entry
    return documents[0][0] if documents else Path(), None


def _unusable(origin: str, why: str) -> SettingsError:
    return SettingsError(f"the kubeconfig {origin} cannot be used: {why}", fix=_FIX)
