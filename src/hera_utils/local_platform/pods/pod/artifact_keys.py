"""The keys of artifacts, and where a key lies in the local store: `<state>/artifacts/<namespace>/<key>`.

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
"""Locations that name an object by a key. Which of them the local store stands in for, the server knows (artifacts/locations.py)."""
KEY_FIELDS = {"azure": "blob", "hdfs": "path", "artifactory": "url"}
"""Where a location of a kind has its key; all others in `key`."""
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
    """The kind of place that an artifact names (s3, raw, http, git…), None when it names none: an empty address is none."""
    for kind in ("raw", "http", "git", *KEYED):
        field = _ADDRESSES.get(kind)
        if location.get(kind) is not None and (field is None or location[kind].get(field)):
            return kind
    return None


def default_key(job: Json, name: str) -> str:
    """Where an output without a key of its own goes."""
    metadata = job["pod"]["metadata"]
    base = key_of(job["template"].get("archiveLocation") or {})
    if not base or "{{" in base:
        workflow = (metadata.get("labels") or {}).get("workflows.argoproj.io/workflow") or "workflow"
        base = f"{workflow}/{metadata['name']}"
    return f"{base.rstrip('/')}/{name}"


def path_of(store: str, key: str) -> str:
    """A key as a path of this machine; one that leads out of the store is refused.

    A folder that is kept as it is may hold symbolic links of a task's making: a key never goes through one, nor to one.
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
    """How a file or folder is called while a pod writes it. pod: its uid; seen from within, all workers have one process id."""
    return f"{_PARTIAL}{pod}"


def is_partial(key: str) -> bool:
    return f"/{_PARTIAL}" in f"/{key}"


def with_key(kind: str, location: Json, key: str) -> Json:
    """The location of a kind with its key."""
    return {**location, KEY_FIELDS.get(kind, "key"): key}


def with_location(artifact: Json, key: str, archive: Json) -> Json:
    """The artifact as Argo reports it once it is saved. archive: the template's archive location, whose kind it takes if it has none."""
    for kind in ("http", *KEYED):
        if artifact.get(kind) is not None:
            if kind == "http" or key_of(artifact):
                return artifact
            return {**artifact, kind: with_key(kind, artifact[kind], key)}
    kind = next((kind for kind in KEYED if archive.get(kind) is not None), "s3")
    return {**artifact, kind: with_key(kind, {}, key)}
