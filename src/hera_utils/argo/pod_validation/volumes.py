"""Kubernetes' validation of a pod's volumes, with its messages. Pure. Source: pkg/apis/core/validation of Kubernetes 1.35."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hera_utils.argo import quantities
from hera_utils.argo.names import invalid_value, label_faults
from hera_utils.argo.pod_validation.errors import check_optional_choice, forbidden, required
from hera_utils.argo.pod_validation.references import check_field_reference

Json = dict[str, Any]

_LARGEST_MODE = 0o777
_HOST_PATHS = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")


def check_volumes(volumes: Sequence[Json], before: int, names: set[str]) -> Iterator[str]:
    """The complaints about volumes. before: number of volumes that Argo adds before them. names: receives those of valid ones."""
    for index, volume in enumerate(volumes, start=before):
        path, name = f"spec.volumes[{index}]", volume.get("name") or ""
        faults = list(_check_sources(volume, path))
        if not name:
            faults.append(required(f"{path}.name"))
        faults += [invalid_value(f"{path}.name", name, fault) for fault in label_faults(name) if name]
        if name in names:
            faults.append(f'{path}.name: Duplicate value: "{name}"')
        if not faults:
            names.add(name)
        yield from faults


def _check_sources(volume: Json, path: str) -> Iterator[str]:
    several = False
    for field, rule in _RULES:
        if volume.get(field) is None:
            continue
        if several:
            yield forbidden(f"{path}.{field}", "may not specify more than 1 volume type")
        else:
            yield from rule(volume[field], f"{path}.{field}")
        several = True


def _check_empty_dir(source: Json, path: str) -> Iterator[str]:
    limit = source.get("sizeLimit")
    if limit is not None and quantities.quantity(str(limit)) < 0:
        yield forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def _check_host_path(source: Json, path: str) -> Iterator[str]:
    place = source.get("path") or ""
    if not place:
        yield required(f"{path}.path")
        return
    yield from _check_no_parent_folder(place, f"{path}.path")
    yield from check_optional_choice(f"{path}.type", source.get("type"), *_HOST_PATHS)


def _check_secret(source: Json, path: str) -> Iterator[str]:
    if not source.get("secretName"):
        yield required(f"{path}.secretName")
    yield from _check_files(source, path)


def _check_config_map(source: Json, path: str) -> Iterator[str]:
    if not source.get("name"):
        yield required(f"{path}.name")
    yield from _check_files(source, path)


def _check_claim(source: Json, path: str) -> Iterator[str]:
    if not source.get("claimName"):
        yield required(f"{path}.claimName")


def _check_downward_api(source: Json, path: str) -> Iterator[str]:
    yield from _check_mode(source.get("defaultMode"), f"{path}.defaultMode")
    yield from _check_downward_items(source, path)


def _check_downward_items(source: Json, path: str) -> Iterator[str]:
    for item in source.get("items") or ():
        if not item.get("path"):
            yield required(f"{path}.path")
        yield from check_descending_path(item.get("path") or "", f"{path}.path")
        if item.get("fieldRef") is not None:
            yield from check_field_reference(item["fieldRef"], f"{path}.fieldRef", volume=True)
        elif item.get("resourceFieldRef") is None:
            yield required(path, "one of fieldRef and resourceFieldRef is required")
        yield from _check_mode(item.get("mode"), f"{path}.mode")


def _check_projected(source: Json, path: str) -> Iterator[str]:
    yield from _check_mode(source.get("defaultMode"), f"{path}.defaultMode")
    for index, projection in enumerate(source.get("sources") or ()):
        at = f"{path}.sources[{index}]"
        kinds = [
            kind
            for kind in ("secret", "configMap", "downwardAPI", "serviceAccountToken")
            if projection.get(kind) is not None
        ]
        for kind in kinds:
            if kind in ("secret", "configMap"):
                if not projection[kind].get("name"):
                    yield required(f"{at}.{kind}.name")
                yield from _check_items(projection[kind], f"{at}.{kind}")
            elif kind == "downwardAPI":
                yield from _check_downward_items(projection[kind], f"{at}.{kind}")
        if len(kinds) > 1:
            yield forbidden(at, "may not specify more than 1 volume type per source")


def _check_files(source: Json, path: str) -> Iterator[str]:
    yield from _check_mode(source.get("defaultMode"), f"{path}.defaultMode")
    yield from _check_items(source, path)


def _check_items(source: Json, path: str) -> Iterator[str]:
    for index, item in enumerate(source.get("items") or ()):
        at = f"{path}.items[{index}]"
        for field in ("key", "path"):
            if not item.get(field):
                yield required(f"{at}.{field}")
        yield from check_descending_path(item.get("path") or "", f"{at}.path")
        yield from _check_mode(item.get("mode"), f"{at}.mode")


def _check_mode(value: Any, path: str) -> Iterator[str]:
    if value is not None and not 0 <= value <= _LARGEST_MODE:
        yield invalid_value(path, value, "must be a number between 0 and 0777 (octal), both inclusive")


def check_descending_path(place: str, path: str) -> Iterator[str]:
    """The complaints about a path that must neither be absolute nor contain `..`."""
    if place.startswith("/"):
        yield invalid_value(path, place, "must be a relative path")
    yield from _check_no_parent_folder(place, path)


def _check_no_parent_folder(place: str, path: str) -> Iterator[str]:
    if ".." in place.split("/"):
        yield invalid_value(path, place, "must not contain '..'")


_RULES: tuple[tuple[str, Callable[[Json, str], Iterator[str]]], ...] = (
    ("emptyDir", _check_empty_dir),
    ("hostPath", _check_host_path),
    ("secret", _check_secret),
    ("persistentVolumeClaim", _check_claim),
    ("configMap", _check_config_map),
    ("downwardAPI", _check_downward_api),
    ("projected", _check_projected),
)
