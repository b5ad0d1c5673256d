"""The local artifact store: `<state>/artifacts/<namespace>/<key>`; keys as Argo's default format, `<workflow>/<pod>/<file>`."""

from __future__ import annotations

import os
from typing import Any

from .errors import PodFault

Json = dict[str, Any]
KEYED = (
    "s3",
    "gcs",
    "oss",
    "azure",
    "hdfs",
    "artifactory",
    "plugin",
)  # locations that name an object by a key; which of them is the local store, the server knows (places.py)
_ADDRESSES = {"http": "url", "git": "repo"}
_KEY_FIELDS = {"azure": "blob", "hdfs": "path", "artifactory": "url"}


def key_of(location: Json) -> str | None:
    """The key that an artifact (or an archive location) names, None when it names none."""
    for kind in KEYED:
        if kind in location and location[kind] is not None:
            found = location[kind]
            key = found.get("key") or found.get("blob") or found.get("path") or found.get("url")
            if key:
                return str(key)
    return None


def located(location: Json) -> str | None:
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
    found = os.path.normpath(os.path.join(store, key.lstrip("/")))
    inside = found.startswith(store + "/") and "\0" not in found
    place = found
    while inside and place != store:
        inside = not os.path.islink(place)
        place = os.path.dirname(place)
    if not inside:
        raise PodFault(f'the artifact key "{key}" leads out of the artifact store')
    return found


def with_key(artifact: Json, key: str, archive: Json) -> Json:
    """The artifact as Argo reports it once it is saved. archive: the template's archive location, whose kind it takes if it has none."""
    for kind in ("http", *KEYED):
        if artifact.get(kind) is not None:
            if kind == "http" or key_of(artifact):
                return artifact
            return {**artifact, kind: {**artifact[kind], _KEY_FIELDS.get(kind, "key"): key}}
    kind = next((kind for kind in KEYED if archive.get(kind) is not None), "s3")
    return {**artifact, kind: {_KEY_FIELDS.get(kind, "key"): key}}
