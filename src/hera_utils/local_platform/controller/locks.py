"""Mutexes and semaphores across runs. Pure: who asks, who holds, who is told what.

Meaning and messages are those of Argo 4.1's lock manager: names as `ns/Mutex/name` and `ns/ConfigMap/name/key`; several locks are
taken together or not at all; the queue of a lock is ordered by priority, then by the age of the workflow; whoever is not in front
waits, unless the front is of the same workflow.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hera_utils.errors import InvalidWorkflow

Json = dict[str, Any]
Key = tuple[str, str]
"""(run uid, holder)"""
Rank = tuple[int, float, int]


@dataclass(frozen=True)
class Holder:
    """run: uid. key: what AskLock calls itself. lock_key: as Argo writes holders, `ns/workflow` or `ns/workflow/node`."""

    run: str
    key: str
    lock_key: str


@dataclass(frozen=True)
class Wanted:
    """A lock by its name; config_map (namespace, name, key) says where a semaphore's limit stands (None: a mutex)."""

    name: str
    config_map: tuple[str, str, str] | None = None


@dataclass
class Asked:
    """One request in the table. `order` is its age in the queue."""

    holder: Holder
    wanted: tuple[Wanted, ...]
    priority: int
    created: float
    order: int
    granted: bool = False
    message: str = ""


@dataclass(frozen=True)
class Answer:
    """granted, or what is waited for: Argo's message and the name of the first lock that was not free.

    impossible: it cannot be had at all, for the message's reason.
    """

    holder: Holder
    granted: bool
    message: str = ""
    waiting_for: str = ""
    names: tuple[str, ...] = field(default=())
    impossible: bool = False


LimitOf = Callable[[tuple[str, str, str]], int]
"""(namespace, config map, key) → the limit of a semaphore; raises InvalidWorkflow when it cannot be known."""


def wanted_locks(synchronization: Json, namespace: str) -> tuple[Wanted, ...]:
    """The locks of a `synchronization` block (of a workflow or a template), the deprecated single forms included."""
    mutexes = [*(synchronization.get("mutexes") or ())]
    semaphores = [*(synchronization.get("semaphores") or ())]
    if synchronization.get("semaphore"):
        semaphores.append(synchronization["semaphore"])
    if synchronization.get("mutex"):
        mutexes.append(synchronization["mutex"])
    found: list[Wanted] = []
    for semaphore in semaphores:
        place = semaphore.get("namespace") or namespace
        reference = semaphore.get("configMapKeyRef")
        if not reference:
            what = (
                "synchronization database session is not available"
                if semaphore.get("database")
                else (
                    "requested configuration is invalid: cannot get LockName for a Semaphore without a ConfigMapRef or Database"
                )
            )
            raise InvalidWorkflow(what)
        name, key = str(reference.get("name", "")), str(reference.get("key", ""))
        found.append(Wanted(f"{place}/ConfigMap/{name}/{key}", (str(place), name, key)))
    for mutex in mutexes:
        if mutex.get("database"):
            raise InvalidWorkflow("synchronization database session is not available")
        found.append(Wanted(f"{mutex.get('namespace') or namespace}/Mutex/{mutex.get('name', '')}"))
    return tuple(found)


class LockTable:
    def __init__(self, limit_of: LimitOf) -> None:
        self._limit_of = limit_of
        self._asked: dict[tuple[str, str], Asked] = {}
        self._holders: dict[str, dict[str, tuple[str, str]]] = {}
        """lock name → {Argo's holder key: who asked}"""
        self._queues: dict[str, list[tuple[Rank, Key]]] = {}
        """lock name → who waits for it, the next one first"""
        self._known: dict[str, int] = {}
        """semaphore → its limit when it was last read"""
        self._order = 0

    def __contains__(self, asked: tuple[str, str]) -> bool:
        return asked in self._asked

    def of(self, run: str) -> list[Asked]:
        return [asked for (owner, _), asked in self._asked.items() if owner == run]

    def holders(self, name: str) -> list[str]:
        """Who holds a lock, by Argo's holder keys."""
        return list(self._holders.get(name, ()))

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """(lock → how many hold it, lock → how many wait for it); read by other threads while the table changes."""
        held = {name: len(holders) for name, holders in list(self._holders.items())}
        return held, {name: len(queue) for name, queue in list(self._queues.items()) if queue or name in held}

    def restore(self, asked: Asked) -> None:
        """Put a request back as it was before a restart; a granted one is granted whatever the limit is now."""
        self._order = max(self._order, asked.order)
        self._asked[asked.holder.run, asked.holder.key] = asked
        for lock in asked.wanted:
            if asked.granted:
                self._hold(lock.name, asked)
            else:
                self._enqueue(lock.name, asked)

    def ask(self, holder: Holder, wanted: tuple[Wanted, ...], *, priority: int = 0, created: float = 0.0) -> Answer:
        """Take all the locks, or wait for them (then `release` of another answers). Raises InvalidWorkflow (no such limit)."""
        known = self._asked.get((holder.run, holder.key))
        if known is None:
            for lock in wanted:
                self._limit(lock)
            self._order += 1
            known = Asked(holder, wanted, priority, created, self._order)
            self._asked[holder.run, holder.key] = known
            for lock in wanted:
                self._enqueue(lock.name, known)
        return self._try(known)

    def release(self, run: str, key: str) -> list[Answer]:
        """Give back (or stop waiting for) the locks of a holder; the answers are for those who hold or wait differently now."""
        asked = self._asked.pop((run, key), None)
        if asked is None:
            return []
        for lock in asked.wanted:
            if not asked.granted:
                self._dequeue(lock.name, asked)
            if self._holders.get(lock.name, {}).get(asked.holder.lock_key) == (run, key):
                del self._holders[lock.name][asked.holder.lock_key]
        return self._wake({lock.name for lock in asked.wanted})

    def limits_changed(self) -> list[Answer]:
        """A config map was changed: whoever can go on now, goes on."""
        return self._wake({name for name, queue in self._queues.items() if queue})

    def _wake(self, names: set[str]) -> list[Answer]:
        answers: list[Answer] = []
        for name in sorted(names):
            for _, key in list(self._queues.get(name, ())):
                asked = self._asked[key]
                before = asked.message
                try:
                    answer = self._try(asked)
                except InvalidWorkflow as error:  # since a restart nobody knows the limit any more
                    self._forget(asked)
                    answers.append(Answer(asked.holder, False, error.message, impossible=True))
                    continue
                if answer.granted or answer.message != before:
                    answers.append(answer)
                if not answer.granted and answer.waiting_for == name and self._full(name, asked):
                    break  # nothing is left for those behind
        return answers

    def _forget(self, asked: Asked) -> None:
        """Who waits does so no more."""
        del self._asked[asked.holder.run, asked.holder.key]
        for lock in asked.wanted:
            self._dequeue(lock.name, asked)

    def _full(self, name: str, asked: Asked) -> bool:
        lock = next(lock for lock in asked.wanted if lock.name == name)
        return len(self._holders.get(name, ())) >= self._limit(lock)

    def _enqueue(self, name: str, asked: Asked) -> None:
        bisect.insort(self._queues.setdefault(name, []), (_rank(asked), (asked.holder.run, asked.holder.key)))

    def _dequeue(self, name: str, asked: Asked) -> None:
        queue, entry = self._queues.get(name, []), (_rank(asked), (asked.holder.run, asked.holder.key))
        place = bisect.bisect_left(queue, entry)
        if place < len(queue) and queue[place] == entry:
            del queue[place]

    def _try(self, asked: Asked) -> Answer:
        names = tuple(lock.name for lock in asked.wanted)
        if asked.granted:
            return Answer(asked.holder, True, names=names)
        for lock in asked.wanted:
            message = self._obstacle(lock, asked)
            if message:
                asked.message = message
                return Answer(asked.holder, False, message, lock.name, names)
        asked.granted, asked.message = True, ""
        for lock in asked.wanted:
            self._dequeue(lock.name, asked)
            self._hold(lock.name, asked)
        return Answer(asked.holder, True, names=names)

    def _obstacle(self, lock: Wanted, asked: Asked) -> str:
        limit, held = self._limit(lock), self._holders.get(lock.name, {})
        if asked.holder.lock_key in held:
            return ""
        waiting = f"Waiting for {lock.name} lock. Lock status: {limit - len(held)}/{limit}"
        queue = self._queues.get(lock.name)
        front = self._asked[queue[0][1]] if queue else asked
        if not _same_workflow(front.holder.lock_key, asked.holder.lock_key):
            return waiting
        return waiting if len(held) >= limit else ""

    def _limit(self, lock: Wanted) -> int:
        """The limit of a lock. Where a known one cannot be read any more (its config map was deleted), the last one known."""
        if lock.config_map is None:
            return 1
        try:
            self._known[lock.name] = self._limit_of(lock.config_map)
        except InvalidWorkflow:
            if lock.name not in self._known:
                raise
        return self._known[lock.name]

    def _hold(self, name: str, asked: Asked) -> None:
        self._holders.setdefault(name, {})[asked.holder.lock_key] = (asked.holder.run, asked.holder.key)


def _rank(asked: Asked) -> Rank:
    return (-asked.priority, asked.created, asked.order)


def _same_workflow(first: str, second: str) -> bool:
    """Argo: holders of as many parts (both workflows, or both templates) whose workflow has the same name."""
    one, other = first.split("/"), second.split("/")
    return len(one) == len(other) and one[1] == other[1]
