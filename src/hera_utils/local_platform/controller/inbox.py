"""What waits for the controller: events of runs, and requests whose callers wait for an answer."""

from __future__ import annotations

import contextlib
import logging
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hera_utils.errors import PlatformError
from hera_utils.interpreter.events import Event, PodFinished, PodProgressed, PodStarted
from hera_utils.local_platform.clock import now
from hera_utils.local_platform.controller.turn import Turn

log = logging.getLogger(__name__)
T = TypeVar("T")
Act = Callable[[Turn], Callable[[], T]]
"""A request: what it does to the turn, and what is answered once the turn is written and published."""


@dataclass
class TurnRequest:
    """future: answered, or refused, when the turn is written. awaited: else nobody hears of a refusal, and it is tried again."""

    act: Act[Any]
    future: Future[Any] = field(default_factory=Future)
    awaited: bool = True


@dataclass(frozen=True)
class RunEvent:
    """What happened to a pod of a run (its uid), or to the run."""

    run: str
    event: Event


Item = TurnRequest | RunEvent

PATIENCE = 0.02
"""Seconds that what nobody waits for may wait for company."""


class Inbox:
    """The items, from any thread. most: how many are taken at once. enough: so many pods on their way keep this machine busy.

    A transaction costs as much for one event as for ten. What a pod's start changes is shown a moment later at most; the end of a pod is
    followed by the launch of others at once, unless enough were launched before and wait for room. While few are on their way, what
    waits is given at once all the same: it is worked on meanwhile, and only written later. (While many are, the runtime needs that time.)
    """

    def __init__(self, most: int, enough: int) -> None:
        self._items: deque[Item | None] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Wakes the controller. Not every item does: a thread that wakes up takes the processor from a task."""
        self._most, self._enough = most, enough
        self._pods = 0
        """While the controller waits for company: how many pods are on their way. Else 0: whatever comes wakes it."""
        self._together: deque[Item] = deque()
        """What was taken and is not given yet: whoever stops in between leaves it here."""
        self.is_closed = False
        """Whether its end was taken."""

    def put(self, item: Item | None) -> None:
        """None: the end."""
        self._items.append(item)  # first: who stops waiting for company looks after that
        if not self._is_patient(item):
            self._bell.put(None)

    def _is_patient(self, item: Item | None) -> bool:
        """Whether the item may stay unseen until another one wakes the controller, or its time for company is over."""
        if item is None or self._pods <= self._enough:
            return False
        self._pods -= _is_an_end(item)
        return self._pods > self._enough and self._may_wait(item, self._pods)

    def empty(self) -> bool:
        return not self._together and not self._items

    def take(self, timeout: float | None, pods: int) -> Iterator[Item]:
        """What comes until something must be written, after waiting for the first; nothing after the timeout. pods: how many are on
        their way.
        """
        left, until = (0.0 if self._together else timeout), 0.0
        for number in range(self._most):
            if not self._wait(left, pods if until else 0):
                break
            item = self._items.popleft()
            if item is None:
                self.is_closed = True
                break
            if not number:
                until = now() + PATIENCE
            pods -= _is_an_end(item)
            if until and not self._may_wait(item, pods):
                until = 0.0
            self._together.append(item)
            if pods <= self._enough:
                yield from self._give()
            left = min(PATIENCE, until - now())
        yield from self._give()

    def _wait(self, left: float | None, pods: int) -> bool:
        """Whether something is there, after waiting for it. pods: see `_pods`."""
        until = None if left is None else time.monotonic() + left
        self._pods = pods
        while not self._items:
            rest = None if until is None else until - time.monotonic()
            if rest is not None and rest <= 0:
                break
            with contextlib.suppress(queue.Empty):
                self._bell.get(timeout=rest)
        self._pods = 0
        return bool(self._items)

    def _give(self) -> Iterator[Item]:
        while self._together:
            yield self._together.popleft()

    def rest(self) -> list[Item]:
        """All that is there at this moment, beyond what is taken at once."""
        items = list(self._give())
        while self._items:
            item = self._items.popleft()
            if item is None:
                self.is_closed = True
                break
            items.append(item)
        return items

    def _may_wait(self, item: Item, pods: int) -> bool:
        if not isinstance(item, RunEvent):
            return False
        if _is_an_end(item):
            return pods > self._enough
        return isinstance(item.event, (PodStarted, PodProgressed))


def _is_an_end(item: Item) -> bool:
    return isinstance(item, RunEvent) and isinstance(item.event, PodFinished)


class UnexpectedFailure(Exception):
    """A request failed unexpectedly: its caller gets the error, and the other requests of the turn are tried again."""

    def __init__(self, item: TurnRequest, error: Exception) -> None:
        super().__init__(str(error))
        self.item = item
        log.error("a request failed", exc_info=error)
        self.fault = PlatformError(f"the local platform failed: {type(error).__name__}")


def perform(act: Callable[[], None]) -> None:
    try:
        act()
    except Exception:
        # The turn is written: whatever could not be done stays in the outbox for the next start.
        log.exception("an effect of a turn failed")


def resolve(future: Future[Any], answer: Callable[[], Any]) -> None:
    try:
        future.set_result(answer())
    except Exception as error:  # noqa: BLE001 - it belongs to the caller
        future.set_exception(error.with_traceback(None))
