"""How a list is written: whole while it is small, else item by item as its client takes it. All runs of a namespace may be a gigabyte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from itertools import chain
from typing import Any

from hera_utils.local_platform.argo_api.answers import Reply, Text, encode, json_headers
from hera_utils.local_platform.serving.http import EventResponse, pieces

Json = dict[str, Any]
LARGEST = 8 * 2**20
"""Characters of a list that is written whole."""


def written(listed: Json, items: Iterator[str], threads: Executor) -> Reply:
    """listed: the list but for its items. items: their texts. threads: in these the later ones of a large list are made."""
    before = encode(listed)[:-1] + ("," if listed else "") + '"items":'
    first, size = list[str](), 0
    for item in items:
        first.append(item)
        size += len(item)
        if size > LARGEST:
            return EventResponse(
                _large(before, chain(first, items), threads), {**json_headers(), "content-type": "application/json"}
            )
    return Text(before + (f"[{','.join(first)}]" if first else "null") + "}")


async def _large(before: str, items: Iterator[str], threads: Executor) -> AsyncIterator[bytes]:
    loop, between = asyncio.get_running_loop(), before + "["
    while (item := await loop.run_in_executor(threads, next, items, None)) is not None:
        for piece in pieces((between, item)):
            yield piece
        between = ","
    yield b"]}"
