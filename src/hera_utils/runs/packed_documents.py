"""A workflow as it ended, packed for the record of its run: the platform deletes it some day, and its results are wanted for longer. Pure.

A record may have come with a project that was cloned: what is unpacked has bounds, and a shape.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

Json = dict[str, Any]

_LEVEL = 3  # nodes are much alike: more effort saves a few percent
_LARGEST = 1 << 29  # bytes of JSON; 50,000 nodes have some 100 MB


def packed(document: Json) -> bytes:
    return zlib.compress(json.dumps(document, separators=(",", ":"), default=str).encode(), _LEVEL)


def unpacked(content: Any, name: str) -> Json | None:
    """The document; None for what is none, or that of another workflow than `name`."""
    try:
        document = json.loads(zlib.decompressobj().decompress(content, _LARGEST))
        nodes = (document["status"].get("nodes") or {}).values()
        is_one = document["metadata"]["name"] == name and all(isinstance(node, dict) for node in nodes)
    except (zlib.error, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return document if is_one else None
