"""Tables, which `kubectl get` prints."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.local_platform.storage.resources import Resource

Json = dict[str, Any]


def table(resource: Resource, documents: Iterable[Json], metadata: Json) -> Json:
    """The objects as a meta.k8s.io/v1 Table; each row has the object's metadata."""
    columns = [("Name", "metadata.name"), *resource.columns, ("Age", "")]
    definitions = [
        {"name": name, "type": "string", "format": "name" if name == "Name" else "", "description": name, "priority": 0}
        for name, _ in columns
    ]
    rows = [
        {"cells": [_cell(document, path) for _, path in columns], "object": _metadata_object(document)}
        for document in documents
    ]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    }


def _metadata_object(document: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": document["metadata"]}


def _cell(document: Json, path: str) -> str:
    if not path:
        return age(document["metadata"].get("creationTimestamp", ""))
    value: Any = document
    for part in path.split("."):
        if part == "#":
            return str(len(value) if value else 0)
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def age(created: str, now: float | None = None) -> str:
    """`3d4h`, `5m10s`, `42s`: the largest unit, followed by the next smaller unit while the first number is below 8."""
    born = timestamps.read(created)
    if born is None:
        return "<unknown>"
    seconds = max(int((time.time() if now is None else now) - born), 0)
    for unit, size, below, smaller in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if seconds >= 2 * size:
            count, rest = divmod(seconds, size)
            more = rest // smaller
            return f"{count}{unit}{more}{below}" if count < 8 and more else f"{count}{unit}"
    return f"{seconds}s"
