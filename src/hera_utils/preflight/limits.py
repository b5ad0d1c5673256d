"""What an Argo server will not take, known before it is sent. Pure. Local runs have no such limits.

Sources: etcd's and Kubernetes' limit of an object (Argo's offloading helps status only), Argo's own of a parameter, gRPC's of a
request; RFC 1123 for names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

OBJECT_BYTES = 1024 * 1024
PARAMETER_BYTES = 256 * 1024


@dataclass(frozen=True)
class Size:
    """A workflow document as it will be sent. bytes: of its JSON. largest: the biggest parameter, as (path, bytes)."""

    bytes: int
    largest: tuple[str, int]


def size(document: Json) -> Size:
    largest = ("", 0)
    arguments = (document.get("spec") or {}).get("arguments") or {}
    for parameter in arguments.get("parameters") or []:
        length = len(str(parameter.get("value", "")).encode())
        if length > largest[1]:
            largest = (f"spec.arguments.parameters[{parameter.get('name')}]", length)
    return Size(len(json.dumps(document, separators=(",", ":")).encode()), largest)


def breaches(document: Json) -> list[tuple[str, str]]:
    """(what breaks a limit, the fix) for a document that goes to a cluster."""
    found = size(document)
    broken = []
    if found.bytes > OBJECT_BYTES:
        broken.append(
            (
                f"the workflow has {found.bytes / 1024:.0f} KiB, a cluster takes 1024",
                "sweep with with_items or with_param instead of a task a point, or split the sweep",
            )
        )
    if found.largest[1] > PARAMETER_BYTES:
        broken.append(
            (
                f"{found.largest[0]} has {found.largest[1] / 1024:.0f} KiB, Argo takes 256 a parameter",
                "put it into a file of the volume, or into an artifact",
            )
        )
    return broken
