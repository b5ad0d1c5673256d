"""Packs the document of an ended workflow for the record of its run, because results are needed after the workflow is deleted. Pure.

A record may have come with a cloned project, so unpacking limits the size of a document and checks its form.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

Json = dict[str, Any]

_LEVEL = 3  # nodes resemble each other, and a higher level saves only a few percent
_LARGEST = 1 << 29  # bytes of JSON; 50,000 nodes take about 100 MB


def pack(document: Json) -> bytes:
    return zlib.compress(json.dumps(document, separators=(",", ":"), default=str).encode(), _LEVEL)


def unpack(content: Any, name: str) -> Json | None:
    """The document that `packed` has packed; None if the content is damaged, or belongs to another workflow than `name`."""
    try:
        document = json.loads(zlib.decompressobj().decompress(content, _LARGEST))
        nodes = (document["status"].get("nodes") or {}).values()
        is_valid = document["metadata"]["name"] == name and all(isinstance(node, dict) for node in nodes)
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return document if is_valid else None
