"""What runs leave in memory when they go: circles of objects, and pages that the C library keeps.

Both searches hold all threads for as long as they take, so circles are searched only when few objects are in memory, and pages are given
back before they are many. (A run's own circle is broken by hand.)
"""

from __future__ import annotations

import gc
from collections.abc import Collection

from hera_utils.local_platform import this_machine
from hera_utils.local_platform.controller.turn import ActiveRun

_MUCH = 1_000_000
_VERY_MUCH = 50_000_000
"""Bytes that are given back even while there are other things to do: of hundreds of megabytes all would be at once what takes long."""
_MOST_OBJECTS = 1_000_000
"""Lists and maps in memory, roughly. A search of a million takes a fifth of a second."""
_OBJECTS_OF_A_NODE = 100
BYTES_OF_A_NODE = 500


class Garbage:
    """What was let go of; it is given back from time to time."""

    def __init__(self) -> None:
        self._bytes = 0

    def add(self, size: int) -> None:
        """So many bytes of documents were let go, roughly."""
        self._bytes += size

    def give_back(self, runs: Collection[ActiveRun], *, is_idle: bool) -> None:
        """Give memory back to the system when it is worth it. runs: those in memory. is_idle: nothing else is to be done."""
        if self._bytes < (_MUCH if is_idle else _VERY_MUCH):
            return
        self._bytes = 0
        if is_idle and sum(map(_objects_of, runs)) < _MOST_OBJECTS:
            gc.collect()
        this_machine.give_back_memory()


def _objects_of(active: ActiveRun) -> int:
    """The lists and maps that a run has, roughly: what its documents have of them is counted in their texts."""
    texts = (active.record.spec, active.record.templates)
    return len(active.run.nodes) * _OBJECTS_OF_A_NODE + sum(text.count("[") + text.count("{") for text in texts)
