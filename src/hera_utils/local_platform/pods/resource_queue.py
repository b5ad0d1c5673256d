"""Which pod may start: a queue by priority, then by arrival, and the resources that this machine has. Pure.

    cores    the number of pods that work at once, and the sum of their CPU requests, are at most this
    memory   the sum of memory requests is at most this (bytes)

A pod that does not work (a ready daemon, a pod that sleeps or waits for another one) holds no core, as on a cluster,
where a hundred pods share a node; it keeps what it asks for in `resources.requests`. A request that is larger than the
machine counts as the whole machine.

When the first pod of the queue does not fit, pods behind it may overtake it (backfill), but not for ever. The pods that
ran when it came to the front must end before it can start, so until then an overtaking pod does not delay it. As soon
as only overtaking pods are in its way, no other pod may overtake, unless there is room for both.

A ready daemon does not end by itself. So when nothing but ready daemons runs, the first pod starts whatever they hold:
this is the one case in which the sums may be larger than the machine.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from hera_utils.argo.quantities import QuantityError, quantity

Json = dict[str, Any]
Rank = tuple[int, int]
"""(minus the priority, order of arrival): the smallest rank is the first of the queue."""
MOST_PODS = 110  # a kubelet's limit
MOST_KINDS = 64  # distinct needs that are tried in search of one that fits


class Need(NamedTuple):
    """cpu: requested cores (0: none requested). memory: requested bytes."""

    cpu: float = 0.0
    memory: float = 0.0
    priority: int = 0


def need_of(pod: Json) -> Need:
    """A pod's requests by Kubernetes' rule: the sum over the containers, or the largest init container if that is more. A limit counts
    as the request where there is none.
    """
    spec = pod.get("spec") or {}

    def request(container: Json, name: str) -> float:
        resources = container.get("resources") or {}
        return _amount((resources.get("requests") or {}).get(name, (resources.get("limits") or {}).get(name, 0)))

    totals = []
    for name in ("cpu", "memory"):
        together = sum(request(c, name) for c in spec.get("containers") or [])
        totals.append(max([together, *(request(c, name) for c in spec.get("initContainers") or [])]))
    return _same(Need(totals[0], totals[1], int(spec.get("priority") or 0)))


@lru_cache(maxsize=MOST_KINDS)
def _same(need: Need) -> Need:
    """One object for the thousands of pods that ask for the same."""
    return need


def _amount(text: Any) -> float:
    """A quantity as a number; 0 for a text that is no quantity."""
    try:
        return float(quantity(str(text)))
    except QuantityError:
        return 0.0


class Shortage(NamedTuple):
    """Why a pod of the queue cannot start. resource: core | cpu | memory | pods | turn (there is room, but pods before it come first) |
    nothing (it is about to start).

    requested, used, total: amounts of that resource. before: how many pods are ahead of it in the queue.
    """

    resource: str
    requested: float
    used: float
    total: float
    before: int


@dataclass
class _Held:
    """What a running pod holds."""

    need: Need
    order: int
    works: bool = True
    daemon: bool = False


@dataclass
class ResourceQueue:
    """cores, memory: what this machine has, or what its user allows."""

    cores: float
    memory: float
    _kinds: dict[Need, OrderedDict[str, Rank]] = field(default_factory=dict)
    _fronts: list[tuple[Rank, Need]] = field(default_factory=list)
    """A heap of the first pod of each kind; outdated entries are dropped when they come up."""
    _needs: dict[str, Need] = field(default_factory=dict)
    _held: dict[str, _Held] = field(default_factory=dict)
    _order: int = 0
    _reserved: tuple[str, int] = ("", 0)
    """The pod at the front that does not fit, and the order number when it came there: pods with a larger one have overtaken it."""

    def __len__(self) -> int:
        return len(self._needs)

    def __contains__(self, uid: str) -> bool:
        return uid in self._needs

    def add(self, uid: str, need: Need) -> None:
        self._order += 1
        kind = self._cap(need)
        pods = self._kinds.setdefault(kind, OrderedDict())
        pods[uid] = (-need.priority, self._order)
        self._needs[uid] = kind
        if len(pods) == 1:
            heapq.heappush(self._fronts, (pods[uid], kind))

    def remove(self, uid: str) -> bool:
        """Take a pod out of the queue. Returns whether it was there."""
        kind = self._needs.pop(uid, None)
        if kind is None:
            return False
        pods = self._kinds[kind]
        was_first = next(iter(pods)) == uid
        del pods[uid]
        if not pods:
            del self._kinds[kind]
        elif was_first:
            heapq.heappush(self._fronts, (next(iter(pods.values())), kind))
        return True

    def _cap(self, need: Need) -> Need:
        return _same(Need(min(need.cpu, self.cores), min(need.memory, self.memory), need.priority))

    def next(self) -> str | None:
        """The pod that starts now, with its resources taken; None when the queue is empty or no pod fits."""
        if not self._needs or not self._may_start(Need(), self._held.values()):
            return None
        fronts: list[tuple[Rank, Need]] = []
        kind = None
        while kind is None and len(fronts) < MOST_KINDS and (front := self._pop_front()) is not None:
            fronts.append(front)
            if len(fronts) == 1:
                kind = front[1] if self._may_start(front[1], self._held.values()) else None
            elif self._may_overtake(front[1], fronts[0][1]):
                kind = front[1]
        for front in fronts:
            heapq.heappush(self._fronts, front)
        if kind is None:
            self._reserve(next(iter(self._kinds[fronts[0][1]])) if fronts else "")
            return None
        if kind is not fronts[0][1]:
            self._reserve(next(iter(self._kinds[fronts[0][1]])))
        uid = next(iter(self._kinds[kind]))
        self.remove(uid)
        self.hold(uid, kind)
        return uid

    def hold(self, uid: str, need: Need) -> None:
        """Take the resources of a pod that runs (also of one that an earlier server started)."""
        if uid not in self._held:
            self._order += 1
            self._held[uid] = _Held(self._cap(need), self._order)

    def works(self, uid: str, yes: bool) -> None:
        """Whether a running pod uses its core."""
        if uid in self._held:
            self._held[uid].works = yes

    def serves(self, uid: str) -> None:
        """A running pod is a daemon that is ready: it uses no core of its own, and it may never end."""
        if uid in self._held:
            self._held[uid].works, self._held[uid].daemon = False, True

    def release(self, uid: str) -> None:
        self._held.pop(uid, None)

    def shortages(self) -> Iterator[tuple[str, Shortage]]:
        """Why each pod of the queue cannot start, the first of the queue first."""
        ranked = sorted((rank, uid) for pods in self._kinds.values() for uid, rank in pods.items())
        of_kind: dict[Need, tuple[str, float, float, float]] = {}
        with_room = "nothing"
        for before, (_, uid) in enumerate(ranked):
            kind = self._needs[uid]
            if kind not in of_kind:
                short = self._shortage(kind, self._held.values())
                of_kind[kind] = short or (with_room, 0.0, 0.0, 0.0)
                with_room = "turn" if short else with_room
            yield uid, Shortage(*of_kind[kind], before)

    # --- what fits ----------------------------------------------------------------------------------------------------

    def _pop_front(self) -> tuple[Rank, Need] | None:
        while self._fronts:
            rank, kind = heapq.heappop(self._fronts)
            pods = self._kinds.get(kind)
            if pods and next(iter(pods.values())) == rank:
                return rank, kind
        return None

    def _reserve(self, uid: str) -> None:
        if self._reserved[0] != uid:
            self._reserved = (uid, self._order)

    def _may_start(self, need: Need, held: Iterable[_Held]) -> bool:
        held = list(held)
        return self._only_daemons(held) or self._shortage(need, held) is None

    def _may_overtake(self, need: Need, first: Need) -> bool:
        held = list(self._held.values())
        if self._shortage(need, held) is not None:
            return False
        reserved = self._reserved[0] == next(iter(self._kinds[first]))
        elders = [h for h in held if h.daemon or not reserved or h.order <= self._reserved[1]]
        if not self._may_start(first, elders):
            return True
        if self._shortage(first, elders) is not None:  # it starts as soon as nothing but daemons runs
            return False
        return self._shortage(need, [*held, _Held(first, 0)]) is None

    @staticmethod
    def _only_daemons(held: Iterable[_Held]) -> bool:
        return all(h.daemon for h in held)

    def _shortage(self, need: Need, held: Iterable[_Held]) -> tuple[str, float, float, float] | None:
        """The first resource of which there is too little for the pod: (name, requested, used, total); None when it fits."""
        held = list(held)
        if len(held) >= MOST_PODS:
            return "pods", 1, len(held), MOST_PODS
        slots = max(1, int(self.cores))
        working = sum(h.works for h in held)
        if working >= slots:
            return "core", 1, working, slots
        cpu = sum(h.need.cpu for h in held)
        if need.cpu and cpu + need.cpu > self.cores + 1e-9:
            return "cpu", need.cpu, cpu, self.cores
        memory = sum(h.need.memory for h in held)
        if need.memory and memory + need.memory > self.memory:
            return "memory", need.memory, memory, self.memory
        return None
