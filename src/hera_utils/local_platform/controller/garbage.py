"""Frees memory after runs were deleted: reference cycles of objects, and pages that the C library keeps.

Both stop all threads while they run. Therefore cycles are collected only when few objects are in memory, and pages are given
back before they are many. (The cycle within a run is broken explicitly.)
"""

from __future__ import annotations

import gc
from collections.abc import Collection

from hera_utils.local_platform import this_machine
from hera_utils.local_platform.controller.turn import ActiveRun

_MUCH = 1_000_000
_VERY_MUCH = 50_000_000
"""Bytes that are given back even while the controller is busy: giving back hundreds of megabytes at once would take long."""
_MOST_OBJECTS = 1_000_000
"""Lists and maps in memory, roughly. The garbage collection of a million takes a fifth of a second."""
_OBJECTS_OF_A_NODE = 100
BYTES_OF_A_NODE = 500


class Garbage:
    """Counts freed bytes, and gives memory back to the system from time to time."""

    def __init__(self) -> None:
        self._bytes = 0

    def add(self, size: int) -> None:
        """Count roughly how many bytes of documents were freed."""
        self._bytes += size

    def give_back(self, runs: Collection[ActiveRun], *, is_idle: bool) -> None:
        """Give memory back to the system when enough was freed. runs: those in memory. is_idle: the controller has no other work."""
        if self._bytes < (_MUCH if is_idle else _VERY_MUCH):
            return
        self._bytes = 0
        if is_idle and sum(map(_objects_of, runs)) < _MOST_OBJECTS:
            gc.collect()
        this_machine.give_back_memory()


def _objects_of(active: ActiveRun) -> int:
    """Roughly how many lists and maps a run has; those of its documents are counted by the brackets in their texts."""
    texts = (active.record.spec, active.record.templates)
    return len(active.run.nodes) * _OBJECTS_OF_A_NODE + sum(text.count("[") + text.count("{") for text in texts)
