"""Which pod may start: a queue by priority, then first come first served, and the room that this machine has.

    cores    at most so many pods that work at once; the sum of their CPU requests stays within it too
    memory   the sum of memory requests, bytes
A pod that does not work (a daemon that is ready, one that sleeps or waits for another) holds no core, as on a cluster,
where a hundred pods share a node; it keeps what it asked for in `resources.requests`. One that asks for more than the
machine has runs alone.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

from .pod.environment import quantity

Json = dict[str, Any]
MOST_PODS = 110  # a kubelet's limit


@dataclass(frozen=True)
class Need:
    """cpu: cores asked for (0: nothing asked). memory: bytes asked for."""

    cpu: float = 0.0
    memory: float = 0.0
    priority: int = 0


def need_of(pod: Json) -> Need:
    """Kubernetes' rule: the sum over the containers, or the largest init container if that is more; a limit without a request counts."""
    spec = pod.get("spec") or {}

    def asked(container: Json, name: str) -> float:
        resources = container.get("resources") or {}
        value = (resources.get("requests") or {}).get(name, (resources.get("limits") or {}).get(name, 0))
        return quantity(value)

    totals = []
    for name in ("cpu", "memory"):
        together = sum(asked(c, name) for c in spec.get("containers") or [])
        totals.append(max([together, *(asked(c, name) for c in spec.get("initContainers") or [])]))
    return Need(totals[0], totals[1], int(spec.get("priority") or 0))


@dataclass
class _Held:
    need: Need
    works: bool = True


@dataclass
class Admission:
    """cores, memory: what this machine (or its user) gives."""

    cores: float
    memory: float
    _queue: list[tuple[int, int, str]] = field(default_factory=list)
    _needs: dict[str, Need] = field(default_factory=dict)
    _held: dict[str, _Held] = field(default_factory=dict)
    _order: int = 0
    _working: int = 0
    _cpu: float = 0.0
    _memory: float = 0.0

    def __len__(self) -> int:
        return len(self._needs)

    def add(self, uid: str, need: Need) -> None:
        self._order += 1
        self._needs[uid] = need
        heapq.heappush(self._queue, (-need.priority, self._order, uid))

    def remove(self, uid: str) -> bool:
        """Take a pod out of the queue; whether it was there."""
        return self._needs.pop(uid, None) is not None

    def too_big(self, need: Need) -> bool:
        return need.cpu > self.cores or need.memory > self.memory

    def next(self) -> str | None:
        """The pod that starts now, None when there is none or no room for it. Its room is taken."""
        while self._queue and self._queue[0][2] not in self._needs:
            heapq.heappop(self._queue)
        if not self._queue:
            return None
        uid = self._queue[0][2]
        if not self._fits(self._needs[uid]):
            return None
        heapq.heappop(self._queue)
        self.hold(uid, self._needs.pop(uid))
        return uid

    def hold(self, uid: str, need: Need) -> None:
        """A pod runs (also one that an earlier server had started)."""
        if uid in self._held:
            return
        self._held[uid] = _Held(need)
        self._working += 1
        self._cpu += need.cpu
        self._memory += need.memory

    def works(self, uid: str, yes: bool) -> None:
        """Whether a running pod uses its core."""
        held = self._held.get(uid)
        if held is not None and held.works != yes:
            held.works = yes
            self._working += 1 if yes else -1

    def release(self, uid: str) -> None:
        held = self._held.pop(uid, None)
        if held is not None:
            self._working -= 1 if held.works else 0
            self._cpu -= held.need.cpu
            self._memory -= held.need.memory

    def _fits(self, need: Need) -> bool:
        if not self._held:
            return True
        return (
            len(self._held) < MOST_PODS
            and self._working < max(1, int(self.cores))
            and self._cpu + need.cpu <= self.cores + 1e-9
            and self._memory + need.memory <= self.memory
        )
