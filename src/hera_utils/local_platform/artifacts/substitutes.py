"""Before a workflow runs: which of its stores the platform's own store replaces, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hera_utils.errors import UnsupportedError
from hera_utils.interpreter.artifact_repository import repository_location
from hera_utils.local_platform.artifacts import locations
from hera_utils.local_platform.artifacts.locations import SecretValue

Json = dict[str, Any]


def describe_substitutes(document: Json, templates: Iterable[Json], repository: Json, secret: SecretValue) -> list[str]:
    """One sentence for each replaced store. Raises UnsupportedError for a store whose secrets exist but that has no driver here."""
    paths_by_reason: dict[str, list[str]] = {}
    for path, kind, location in _whole_locations(document, templates, repository):
        if kind not in locations.STORES:
            continue
        if not locations.is_remote(kind, location, secret):
            paths_by_reason.setdefault(
                f"{_reason_for_substitute(kind, location)}; the platform's own store is used instead", []
            ).append(path)
        elif kind == "oss":
            raise UnsupportedError(
                f"{path}.oss cannot be executed on this machine: this machine has no driver for Alibaba's object store",
                fix="name the same bucket as s3 (its endpoint speaks S3 too), or remove the secret to use the platform's own store",
            )
    return [
        f"{paths[0]}{f' (and {len(paths) - 1} more)' if len(paths) > 1 else ''}: {reason}"
        for reason, paths in paths_by_reason.items()
    ]


def _whole_locations(document: Json, templates: Iterable[Json], repository: Json) -> Iterator[tuple[str, str, Json]]:
    """(path, kind, location) of each complete location in a workflow, in its templates or in its artifact repository."""
    location = repository_location(repository.get("artifactRepository") or {})
    if location:
        kind = next(iter(location))
        yield f"config map {repository['configMap']}, key {repository['key']}", kind, location[kind]
    for home, spec in [
        ("", document.get("spec") or {}),
        *((_path_of_document(other), other.get("spec") or {}) for other in templates),
    ]:
        for index, template in enumerate(spec.get("templates") or ()):
            path = f"{home}spec.templates[{index}]"
            yield from _locations_of(template.get("archiveLocation") or {}, f"{path}.archiveLocation")
            for side in ("inputs", "outputs"):
                for number, artifact in enumerate((template.get(side) or {}).get("artifacts") or ()):
                    yield from _locations_of(artifact, f"{path}.{side}.artifacts[{number}]")


def _path_of_document(document: Json) -> str:
    return f"{document.get('kind')}/{(document.get('metadata') or {}).get('name')} "


def _locations_of(artifact: Json, path: str) -> Iterator[tuple[str, str, Json]]:
    location = locations.whole_location(artifact, None)
    if location is not None:
        yield path, *location


def _reason_for_substitute(kind: str, location: Json) -> str:
    if kind == "hdfs":
        return "the extra `hdfs` is not installed"
    for field in locations.CREDENTIALS[kind]:
        secret = location.get(field) or {}
        if secret.get("name"):
            return f'this namespace has no secret "{secret["name"]}" with the key "{secret.get("key", "")}"'
    return "it names no secret, and pods have no identity of their own here"
