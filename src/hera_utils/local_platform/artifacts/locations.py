"""Where an artifact really is: in a store on the network, or in the platform's own. Pure; the caller passes a function for secrets.

| the artifact names | it is |
| --- | --- |
| http, artifactory | there, with the secrets that it names |
| a whole place in s3, gcs or azure, and its secrets exist in the namespace | there |
| a whole place with `useSDKCreds: true` (azure: or an endpoint with a signature) | there, with this machine's own credentials |
| a place in hdfs, and the extra `hdfs` is installed | there |
| any of these without the secrets, or with none named (Argo: the node's own) | in the platform's own store, with a warning |
| only a key, or nothing | where the template's archiveLocation or the artifact repository says; else in the platform's own store |

So a workflow written for a cluster runs here with nothing configured, and uses its real stores as soon as their secrets are there.
Source: Argo's Artifact.Relocate, ArtifactRepository.ToArtifactLocation, artifacts.go newDriver.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

from hera_utils.errors import PlatformError
from hera_utils.interpreter import artifact_repository
from hera_utils.local_platform.pods.pod.artifact_keys import KEYED, WEB, key_of, with_key

Json = dict[str, Any]
SecretValue = Callable[[str, str], str | None]
"""(secret, key) → its value, None when there is none."""
STORES = ("s3", "gcs", "azure", "hdfs", "oss")
_WHOLE = {
    "s3": ("endpoint", "bucket"),
    "oss": ("endpoint", "bucket"),
    "gcs": ("bucket",),
    "azure": ("endpoint", "container"),
    "hdfs": ("addresses",),
    "artifactory": ("url", "usernameSecret"),
    "http": ("url",),
}
CREDENTIALS = {
    "s3": ("accessKeySecret", "secretKeySecret"),
    "oss": ("accessKeySecret", "secretKeySecret"),
    "gcs": ("serviceAccountKeySecret",),
    "azure": ("accountKeySecret",),
}
"""Without these secrets an artifact is in the platform's own store. If they exist, all other secrets that it names must exist too."""


class MissingSecret(PlatformError):
    """An artifact names a secret, or a key of a secret, that does not exist."""


def whole_location(artifact: Json, archive: Json | None) -> tuple[str, Json] | None:
    """(kind, whole location) of an artifact; None when neither it nor the archive location names a place."""
    own = next((kind for kind in (*WEB, *KEYED) if artifact.get(kind) is not None), None)
    if own in _WHOLE and all(artifact[own].get(field) for field in _WHOLE[own]):
        return own, artifact[own]
    above = next((kind for kind in KEYED if (archive or {}).get(kind) is not None), None)
    if above is None or above not in _WHOLE or (own is not None and own not in KEYED):
        return None
    if artifact.get("raw") is not None or artifact.get("git") is not None:
        return None
    key = key_of(artifact) or ""
    return above, with_key(above, (archive or {})[above], key)


def secret_selectors(location: Json, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """(path in the location, secret, key) of each secret that a location names."""
    for field, value in location.items():
        if not isinstance(value, dict):
            continue
        if field.endswith("Secret") and value.get("name"):
            yield f"{prefix}{field}", str(value["name"]), str(value.get("key") or "")
        else:
            yield from secret_selectors(value, f"{prefix}{field}.")


def is_remote(kind: str, location: Json, secret: SecretValue) -> bool:
    """Whether an artifact is in the store that it names, by the table above."""
    if kind in WEB:
        return True
    if kind not in STORES:
        return False
    if kind == "hdfs":
        return importlib.util.find_spec("hdfs_native") is not None
    if location.get("useSDKCreds") or (kind == "azure" and "sig=" in str(location.get("endpoint"))):
        return True
    references = [location.get(field) or {} for field in CREDENTIALS[kind]]
    return all(
        ref.get("name") and secret(str(ref["name"]), str(ref.get("key") or "")) is not None for ref in references
    )


def place_of(artifact: Json, archive: Json | None, secret: SecretValue) -> Json | None:
    """`{"kind", "at", "key", "secrets"}` of an artifact in a store on the network; None for one in the platform's own store.

    Raises MissingSecret.
    """
    relocation = whole_location(artifact, archive)
    if relocation is None or not is_remote(*relocation, secret):
        return None
    kind, location = relocation
    values: dict[str, str] = {}
    for path, name, key in secret_selectors(location):
        value = secret(name, key)
        if value is None:
            raise MissingSecret(f"couldn't find key {key} in Secret {name}")
        values[path] = value
    return {"kind": kind, "at": location, "key": key_of({kind: location}) or "", "secrets": values}


def spec_of(document: Json) -> Json:
    """The spec of a workflow, merged over the spec of its workflow template."""
    return {**((document.get("status") or {}).get("storedWorkflowTemplateSpec") or {}), **(document.get("spec") or {})}


def archive_of(document: Json, template_name: str) -> Json | None:
    """The archive location that applies to a template of a workflow, None when there is none."""
    status: Json = document.get("status") or {}
    declared = [*(spec_of(document).get("templates") or ()), *(status.get("storedTemplates") or {}).values()]
    for template in declared:
        own = template.get("archiveLocation") or {}
        if template.get("name") == template_name and any(
            own.get(kind) is not None for kind in artifact_repository.STORES
        ):
            return dict(own)
    repository = (status.get("artifactRepositoryRef") or {}).get("artifactRepository") or {}
    return artifact_repository.repository_location(repository) or None


def secrets_of_web_artifacts(template: Json) -> Iterator[tuple[str, str]]:
    """(secret, key) of each secret that a template's artifacts at web addresses need."""
    for artifact in artifacts(template):
        for kind in WEB:
            for _, name, key in secret_selectors(artifact.get(kind) or {}):
                yield name, key


def artifacts(template: Json) -> Iterator[Json]:
    for side in ("inputs", "outputs"):
        yield from (template.get(side) or {}).get("artifacts") or ()
