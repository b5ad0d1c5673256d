"""Where a template's outputs are stored: at its own archive location, else in the workflow's artifact repository.

Source: Argo's addArchiveLocation and IsArchiveLogs (workflowpod.go), ArtifactRepository.ToArtifactLocation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hera_utils.interpreter import substitution
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import plain_json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

PATTERN = "{{workflow.name}}/{{pod.name}}"
STORES = ("artifactory", "azure", "gcs", "hdfs", "oss", "plugin", "s3")
KEY_FIELDS = {"azure": "blob", "hdfs": "path", "artifactory": "url"}
_FORMATS = ("keyFormat", "keyPrefix", "blobNameFormat", "pathFormat", "repoURL")
_PLACES = (*STORES, "git", "http", "raw")
_TAG = re.compile(r"\{\{[^{}]*\}\}")


def with_archive_location(context: Context, template: Json, variables: substitution.Variables) -> Json:
    """The template with its archive location; unchanged when it needs none. Raises Fault for a tag without a value."""
    own = template.get("archiveLocation") or {}
    repository = (context.document["status"].get("artifactRepositoryRef") or {}).get("artifactRepository") or {}
    if any(own.get(kind) is not None for kind in STORES):
        location = own
    else:
        logs = archives_logs(context.spec, own, repository)
        if not logs and (not repository or not _needs_location(template)):
            return template
        location = {**repository_location(repository), "archiveLogs": logs}
    filled: Json = substitution.replace(location, variables, unresolved=True)
    left = _TAG.search(plain_json(filled))
    if left is not None:
        raise Fault(f"failed to resolve {left[0]}")
    return {**template, "archiveLocation": filled}


def archives_logs(spec: Json, own: Json, repository: Json) -> bool:
    """Argo: the repository (on) > the template > the workflow > the repository (off)."""
    if repository.get("archiveLogs"):
        return True
    own_setting = own.get("archiveLogs")
    return bool(spec.get("archiveLogs") if own_setting is None else own_setting)


def _needs_location(template: Json) -> bool:
    sides = [(template.get(side) or {}).get("artifacts") or () for side in ("inputs", "outputs")]
    source = ((template.get("data") or {}).get("source") or {}).get("artifactPaths")
    everything = [*sides[0], *sides[1], *([source] if source else [])]
    return any(not _is_whole(artifact) for artifact in everything)


def _is_whole(artifact: Json) -> bool:
    """Whether an artifact has a complete location; a key alone is none."""
    kind = next((kind for kind in _PLACES if artifact.get(kind) is not None), None)
    return kind is not None and bool(set(artifact[kind]) - {KEY_FIELDS.get(kind, "key")} or kind == "artifactory")


def repository_location(repository: Json) -> Json:
    """An artifact repository as a location. Its key is the pattern at the beginning of the outputs' keys."""
    kind = next((kind for kind in STORES if repository.get(kind) is not None), None)
    if kind is None:
        return {}
    location = repository[kind]
    pattern = location.get("keyFormat") or location.get("blobNameFormat") or location.get("pathFormat") or PATTERN
    if kind == "s3" and not location.get("keyFormat") and location.get("keyPrefix"):
        pattern = f"{str(location['keyPrefix']).strip('/')}/{PATTERN}"
    if kind == "artifactory":
        pattern = f"{str(location.get('repoURL') or '').rstrip('/')}/{pattern}"
    fields = {name: value for name, value in location.items() if name not in _FORMATS}
    return {kind: {**fields, KEY_FIELDS.get(kind, "key"): pattern}}
