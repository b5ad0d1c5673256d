"""Mutexes and semaphores across runs: who requests a lock, who holds it, and the answers. Pure.

Rules and messages are those of Argo 4.1's lock manager: names as `ns/Mutex/name` and `ns/ConfigMap/name/key`; several locks are
taken together or not at all; the queue of a lock is ordered by priority, then by the age of the workflow; a request that is not the
first waits, unless the first is of the same workflow.
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
    """run: its uid. key: the `holder` of AskLock. lock_key: the holder in Argo's form, `ns/workflow` or `ns/workflow/node`."""

    run: str
    key: str
    lock_key: str


@dataclass(frozen=True)
class Lock:
    """A lock by its name. config_map: (namespace, name, key) of a semaphore's limit, None for a mutex.

    database: the kind (`mutex`, `semaphore`) of a lock in a database, which this platform does not have.
    """

    name: str
    config_map: tuple[str, str, str] | None = None
    database: str = ""


@dataclass
class LockRequest:
    """One request in the table. order: its number; earlier requests have lower ones."""

    holder: Holder
    locks: tuple[Lock, ...]
    priority: int
    created: float
    order: int
    granted: bool = False
    message: str = ""


@dataclass(frozen=True)
class LockAnswer:
    """The answer to a request. message: Argo's. waiting_for, limit: the first lock that was not free, and how many may hold it.

    impossible: it can never be granted; the message says why.
    """

    holder: Holder
    granted: bool
    message: str = ""
    waiting_for: str = ""
    limit: int = 0
    names: tuple[str, ...] = field(default=())
    impossible: bool = False


_INVALID = "requested configuration is invalid"
_BUG = "bug: unable to decode lock ({}) that was just encoded: {}"

LimitOf = Callable[[tuple[str, str, str]], int]
"""(namespace, config map, key) → the limit of a semaphore. Raises InvalidWorkflow when there is no valid limit."""


class ImpossibleName(InvalidWorkflow):
    """A lock name at which Argo's controller panics: not only the node but the whole workflow ends with Error."""


def locks_of(synchronization: Json, namespace: str) -> tuple[Lock, ...]:
    """The locks of a `synchronization` block (of a workflow or a template), the deprecated single forms included.

    Raises InvalidWorkflow (Argo: allSyncItems, lockName) and ImpossibleName (validateEncoding).
    """
    semaphores = [*(synchronization.get("semaphores") or ())]
    mutexes = [*(synchronization.get("mutexes") or ())]
    if synchronization.get("semaphore"):
        semaphores.append(synchronization["semaphore"])
    if synchronization.get("mutex"):
        mutexes.append(synchronization["mutex"])
    if _has_twice(semaphores) or _has_twice(mutexes):
        raise InvalidWorkflow(f"{_INVALID}: duplicate synchronization item found")
    semaphore_locks = [_of_semaphore(item, str(item.get("namespace") or namespace)) for item in semaphores]
    return (*semaphore_locks, *(_of_mutex(item, str(item.get("namespace") or namespace)) for item in mutexes))


def _has_twice(items: list[Json]) -> bool:
    bare = [_without_empty(item) for item in items]
    return any(item in bare[:index] for index, item in enumerate(bare))


def _without_empty(value: Any) -> Any:
    """A value without empty fields: Go does not distinguish them from missing ones."""
    if not isinstance(value, dict):
        return value
    return {key: _without_empty(field) for key, field in value.items() if field not in ("", None, False)}


def _of_semaphore(semaphore: Json, namespace: str) -> Lock:
    reference, database = semaphore.get("configMapKeyRef"), semaphore.get("database")
    if reference is not None and database is not None:
        raise InvalidWorkflow(f"{_INVALID}: invalid semaphore with both ConfigMapKeyRef and Database")
    if database is not None:
        key = str(database.get("key") or "")
        return Lock(_check_key(f"{namespace}/Database/{key}", key), database="semaphore")
    if reference is None:
        raise InvalidWorkflow(f"{_INVALID}: cannot get LockName for a Semaphore without a ConfigMapRef or Database")
    name, key = str(reference.get("name") or ""), str(reference.get("key") or "")
    encoded = f"{namespace}/ConfigMap/{name}/{key}"
    if "/" in name or "/" in key:
        raise ImpossibleName(_BUG.format(encoded, "Invalid ConfigMap lock key: unknown format"))
    _check_key(encoded, name)
    if not key:
        raise ImpossibleName(_BUG.format(encoded, "Invalid lock key: Key is missing for ConfigMap lock"))
    return Lock(encoded, (namespace, name, key))


def _of_mutex(mutex: Json, namespace: str) -> Lock:
    name = str(mutex.get("name") or "")
    if mutex.get("database"):
        return Lock(_check_key(f"{namespace}/Database/{name}", name), database="mutex")
    return Lock(_check_key(f"{namespace}/Mutex/{name}", name))


def _check_key(encoded: str, name: str) -> str:
    if not name:
        raise ImpossibleName(_BUG.format(encoded, "Invalid lock key: ResourceName is missing"))
    return encoded


class LockTable:
    """The locks and the requests for them. limit_of, in its methods, gives the limits at that moment."""

    def __init__(self) -> None:
        self._requests: dict[Key, LockRequest] = {}
        self._holders: dict[str, dict[str, tuple[str, str]]] = {}
        """lock name → {Argo's holder key: (run, holder)}"""
        self._queues: dict[str, list[tuple[Rank, Key]]] = {}
        """lock name → the requests that wait for it, the next one first"""
        self._last_limits: dict[str, int] = {}
        """semaphore → its limit when it was last read"""
        self._order = 0

    def __contains__(self, key: Key) -> bool:
        return key in self._requests

    def of(self, run: str) -> list[LockRequest]:
        return [request for (owner, _), request in self._requests.items() if owner == run]

    def holders(self, name: str) -> list[str]:
        """The holders of a lock, by Argo's holder keys."""
        return list(self._holders.get(name, ()))

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """(lock → number of holders, lock → number of waiting requests). Other threads call this while the table changes."""
        held = {name: len(holders) for name, holders in list(self._holders.items())}
        return held, {name: len(queue) for name, queue in list(self._queues.items()) if queue or name in held}

    def restore(self, request: LockRequest) -> None:
        """Add a request as it was before a restart; a granted one stays granted, whatever the limit is now."""
        self._order = max(self._order, request.order)
        self._requests[request.holder.run, request.holder.key] = request
        for lock in request.locks:
            if request.granted:
                self._hold(lock.name, request)
            else:
                self._enqueue(lock.name, request)

    def ask(
        self, limit_of: LimitOf, holder: Holder, locks: tuple[Lock, ...], *, priority: int = 0, created: float = 0.0
    ) -> LockAnswer:
        """Take all the locks, or queue for them (a later `release` of another answers). Raises InvalidWorkflow for a missing limit."""
        request = self._requests.get((holder.run, holder.key))
        if request is None:
            for lock in locks:
                self._limit(limit_of, lock)
            self._order += 1
            request = LockRequest(holder, locks, priority, created, self._order)
            self._requests[holder.run, holder.key] = request
            for lock in locks:
                self._enqueue(lock.name, request)
        return self._try(limit_of, request)

    def release(self, limit_of: LimitOf, run: str, key: str) -> list[LockAnswer]:
        """Release the locks of a holder, or withdraw its request. Gives answers for the requests whose state has changed."""
        request = self._requests.pop((run, key), None)
        if request is None:
            return []
        for lock in request.locks:
            if not request.granted:
                self._dequeue(lock.name, request)
            if self._holders.get(lock.name, {}).get(request.holder.lock_key) == (run, key):
                del self._holders[lock.name][request.holder.lock_key]
        return self._wake(limit_of, {lock.name for lock in request.locks})

    def limits_changed(self, limit_of: LimitOf) -> list[LockAnswer]:
        """Grant the locks that are free after a change of a config map."""
        return self._wake(limit_of, {name for name, queue in self._queues.items() if queue})

    def _wake(self, limit_of: LimitOf, names: set[str]) -> list[LockAnswer]:
        answers: list[LockAnswer] = []
        for name in sorted(names):
            for _, key in list(self._queues.get(name, ())):
                request = self._requests[key]
                before = request.message
                try:
                    answer = self._try(limit_of, request)
                except InvalidWorkflow as error:  # the limit was not read since the restart and cannot be read now
                    self._forget(request)
                    answers.append(LockAnswer(request.holder, False, error.message, impossible=True))
                    continue
                if answer.granted or answer.message != before:
                    answers.append(answer)
                if not answer.granted and answer.waiting_for == name and self._full(limit_of, name, request):
                    break  # the lock is full, so later requests wait too
        return answers

    def _forget(self, request: LockRequest) -> None:
        """Remove a waiting request."""
        del self._requests[request.holder.run, request.holder.key]
        for lock in request.locks:
            self._dequeue(lock.name, request)

    def _full(self, limit_of: LimitOf, name: str, request: LockRequest) -> bool:
        lock = next(lock for lock in request.locks if lock.name == name)
        return len(self._holders.get(name, ())) >= self._limit(limit_of, lock)

    def _enqueue(self, name: str, request: LockRequest) -> None:
        bisect.insort(self._queues.setdefault(name, []), (_rank(request), (request.holder.run, request.holder.key)))

    def _dequeue(self, name: str, request: LockRequest) -> None:
        queue, entry = self._queues.get(name, []), (_rank(request), (request.holder.run, request.holder.key))
        place = bisect.bisect_left(queue, entry)
        if place < len(queue) and queue[place] == entry:
            del queue[place]

    def _try(self, limit_of: LimitOf, request: LockRequest) -> LockAnswer:
        names = tuple(lock.name for lock in request.locks)
        if request.granted:
            return LockAnswer(request.holder, True, names=names)
        for lock in request.locks:
            message = self._obstacle(limit_of, lock, request)
            if message:
                request.message = message
                return LockAnswer(request.holder, False, message, lock.name, self._limit(limit_of, lock), names)
        request.granted, request.message = True, ""
        for lock in request.locks:
            self._dequeue(lock.name, request)
            self._hold(lock.name, request)
        return LockAnswer(request.holder, True, names=names)

    def _obstacle(self, limit_of: LimitOf, lock: Lock, request: LockRequest) -> str:
        limit, held = self._limit(limit_of, lock), self._holders.get(lock.name, {})
        if request.holder.lock_key in held:
            return ""
        waiting = f"Waiting for {lock.name} lock. Lock status: {limit - len(held)}/{limit}"
        queue = self._queues.get(lock.name)
        front = self._requests[queue[0][1]] if queue else request
        if not _same_workflow(front.holder.lock_key, request.holder.lock_key):
            return waiting
        return waiting if len(held) >= limit else ""

    def _limit(self, limit_of: LimitOf, lock: Lock) -> int:
        """The limit of a lock; the last known one when it cannot be read any more (its config map was deleted)."""
        if lock.database:
            raise InvalidWorkflow(f"database session is not available for {lock.database} {lock.name}")
        if lock.config_map is None:
            return 1
        try:
            self._last_limits[lock.name] = limit_of(lock.config_map)
        except InvalidWorkflow:
            if lock.name not in self._last_limits:
                raise
        return self._last_limits[lock.name]

    def _hold(self, name: str, request: LockRequest) -> None:
        self._holders.setdefault(name, {})[request.holder.lock_key] = (request.holder.run, request.holder.key)


def _rank(request: LockRequest) -> Rank:
    return (-request.priority, request.created, request.order)


def _same_workflow(first: str, second: str) -> bool:
    """Argo's rule: both keys have as many parts (both workflows, or both nodes) and the same workflow name."""
    parts, others = first.split("/"), second.split("/")
    return len(parts) == len(others) and parts[1] == others[1]
