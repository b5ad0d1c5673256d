"""The timers that runs have set."""

from __future__ import annotations

import heapq


class Timers:
    """Timers by (run uid, timer key); setting a key again replaces its time."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, str], float] = {}
        self._heap: list[tuple[float, tuple[str, str]]] = []

    def set(self, run: str, key: str, at: float) -> None:
        self._at[run, key] = at
        heapq.heappush(self._heap, (at, (run, key)))

    def cancel(self, run: str, key: str) -> None:
        self._at.pop((run, key), None)  # its entry in the heap is skipped later

    def cancel_all(self, run: str) -> None:
        for key in [key for key in self._at if key[0] == run]:
            del self._at[key]

    def next(self) -> float | None:
        """When the next timer is due, or None."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def first_due(self, at: float) -> tuple[str, str] | None:
        """The earliest timer that is due at that time, or None."""
        first = self.next()
        return self._heap[0][1] if first is not None and first <= at else None
