"""Writes a list: a small one as a whole, a large one item by item while it is sent, because all runs of a namespace may be a gigabyte."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

from hera_utils.local_platform.argo_api.answers import Reply, Text, encode, json_headers
from hera_utils.local_platform.serving.large_answers import Item, ItemByItem

Json = dict[str, Any]
LARGEST = 8 * 2**20
"""The most characters of a list that is written as a whole."""


def written(listed: Json, items: Sequence[Item], threads: Executor) -> Reply:
    """The reply with a list. listed: the list without its items. items: functions that give the items' texts. threads: run these functions
    for a large list.
    """
    before = encode(listed)[:-1] + ("," if listed else "") + '"items":'
    texts, size = list[str](), 0
    for item in items:
        text = item()
        if text is not None:
            texts.append(text)
            size += len(text)
        if size > LARGEST:
            return ItemByItem(f"{before}[", items, "]}", threads, json_headers())
    return Text(before + (f"[{','.join(texts)}]" if texts else "null") + "}")
