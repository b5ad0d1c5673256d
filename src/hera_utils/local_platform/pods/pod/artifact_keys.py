"""The keys of artifacts, and their paths in the local store: `<state>/artifacts/<namespace>/<key>`.

A key of Argo's default format is `<workflow>/<pod>/<file>`.
"""

from __future__ import annotations

import os
from typing import Any

from .errors import PodFault

Json = dict[str, Any]
WEB = ("http", "artifactory")
"""Locations that are web addresses."""
KEYED = ("s3", "gcs", "oss", "azure", "hdfs", "artifactory", "plugin")
"""Locations that name an object by a key. The server decides which of them the local store replaces (artifacts/locations.py)."""
KEY_FIELDS = {"azure": "blob", "hdfs": "path", "artifactory": "url"}
"""The field of a location that has the key, where it is not `key`."""
_PARTIAL = ".hera-utils-partial-"
_ADDRESSES = {"http": "url", "git": "repo"}


def key_of(location: Json) -> str | None:
    """The key that an artifact (or an archive location) names, None when it names none."""
    for kind in KEYED:
        if kind in location and location[kind] is not None:
            fields = location[kind]
            key = fields.get("key") or fields.get("blob") or fields.get("path") or fields.get("url")
            if key:
                return str(key)
    return None


def kind_of(location: Json) -> str | None:
    """The kind of location that an artifact has (s3, raw, http, git…); None without one, or with an empty address."""
    for kind in ("raw", "http", "git", *KEYED):
        field = _ADDRESSES.get(kind)
        if location.get(kind) is not None and (field is None or location[kind].get(field)):
            return kind
    return None


def default_key(job: Json, name: str) -> str:
    """The key of an output that names none."""
    metadata = job["pod"]["metadata"]
    base = key_of(job["template"].get("archiveLocation") or {})
    if not base or "{{" in base:
        workflow = (metadata.get("labels") or {}).get("workflows.argoproj.io/workflow") or "workflow"
        base = f"{workflow}/{metadata['name']}"
    return f"{base.rstrip('/')}/{name}"


def path_of(store: str, key: str) -> str:
    """The path of a key. Raises PodFault for a key that leads out of the store.

    A stored folder may contain symbolic links that a task made, so a path through or to a link is refused as well.
    """
    store = store.rstrip("/")
    path = os.path.normpath(os.path.join(store, key.lstrip("/")))
    inside = path.startswith(store + "/") and "\0" not in path
    here = path
    while inside and here != store:
        inside = not os.path.islink(here)
        here = os.path.dirname(here)
    if not inside:
        raise PodFault(f'the artifact key "{key}" leads out of the artifact store')
    return path


def partial_name(pod: str) -> str:
    """The name of a file or folder while a pod writes it. pod: its uid; a process id would not do, since all workers see the same one."""
    return f"{_PARTIAL}{pod}"


def is_partial(key: str) -> bool:
    return f"/{_PARTIAL}" in f"/{key}"


def with_key(kind: str, location: Json, key: str) -> Json:
    """The location of a kind with its key."""
    return {**location, KEY_FIELDS.get(kind, "key"): key}


def with_location(artifact: Json, key: str, archive: Json) -> Json:
    """A saved artifact as Argo reports it. archive: the template's archive location, which gives the kind if the artifact has none."""
    for kind in ("http", *KEYED):
        if artifact.get(kind) is not None:
            if kind == "http" or key_of(artifact):
                return artifact
            return {**artifact, kind: with_key(kind, artifact[kind], key)}
    kind = next((kind for kind in KEYED if archive.get(kind) is not None), "s3")
    return {**artifact, kind: with_key(kind, {}, key)}
