"""Time: the one place of the local platform that asks for it, and the timers that runs have set."""

from __future__ import annotations

import heapq
import secrets
import time
import uuid


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def seed() -> str:
    """Random text from which one step of a run draws all its random choices."""
    return secrets.token_hex(8)


def new_uid() -> str:
    return str(uuid.uuid4())


class Timers:
    """What is due when. Keys are (run uid, timer key); setting a key again replaces it."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, str], float] = {}
        self._heap: list[tuple[float, tuple[str, str]]] = []

    def set(self, run: str, key: str, at: float) -> None:
        self._at[run, key] = at
        heapq.heappush(self._heap, (at, (run, key)))

    def cancel(self, run: str, key: str) -> None:
        self._at.pop((run, key), None)  # its entry in the heap is skipped when it comes up

    def cancel_all(self, run: str) -> None:
        for known in [known for known in self._at if known[0] == run]:
            del self._at[known]

    def of(self, run: str) -> bool:
        return any(known[0] == run for known in self._at)

    def next(self) -> float | None:
        """When the next timer is due, or None."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due(self, at: float) -> list[tuple[str, str]]:
        """The keys that are due at that time, earliest first; they are timers no more."""
        found: list[tuple[str, str]] = []
        while (first := self.next()) is not None and first <= at:
            key = heapq.heappop(self._heap)[1]
            del self._at[key]
            found.append(key)
        return found
