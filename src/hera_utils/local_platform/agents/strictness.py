"""Kubernetes' strict decoding, which kubectl asks for: fields that the schema does not know. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hera_utils.argo.schema import fields, is_map, struct_of


def unknown_fields(document: dict[str, Any], kind: str) -> list[str]:
    """The paths of the fields that Argo's objects of this kind do not have: `spec.templates[0].resources`."""
    known = {key: value for key, value in document.items() if key not in ("apiVersion", "kind", "status")}
    return list(_unknown(known, f"v1alpha1.{kind}", ""))


def _unknown(value: Any, declared: str, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from _unknown(one, declared, f"{path}[{index}]")
        return
    struct = struct_of(declared)
    if not isinstance(value, dict) or struct is None:
        return
    if is_map(declared):
        for key, one in value.items():
            yield from _unknown(one, struct, f"{path}.{key}")
        return
    known = fields(struct)
    for key, one in value.items():
        where = f"{path}.{key}" if path else key
        if key in known:
            yield from _unknown(one, known[key], where)
        else:
            yield where
