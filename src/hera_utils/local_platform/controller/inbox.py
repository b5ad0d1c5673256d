"""The queue of the controller: events of runs, and requests whose callers wait for an answer."""

from __future__ import annotations

import contextlib
import itertools
import logging
import queue
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from hera_utils.errors import PlatformError
from hera_utils.interpreter.events import Event, PodFinished, PodProgressed, PodStarted
from hera_utils.local_platform.clock import now
from hera_utils.local_platform.controller.turn import Turn

log = logging.getLogger(__name__)
T = TypeVar("T")
Act = Callable[[Turn], Callable[[], T]]
"""A request: a function that changes the turn and gives another function, which makes the answer once the turn is written."""


@dataclass
class TurnRequest:
    """future: gets the answer or the error when the turn is written. awaited: False when no caller waits, so that a failure is retried."""

    act: Act[Any]
    future: Future[Any] = field(default_factory=Future)
    awaited: bool = True


@dataclass(frozen=True)
class RunEvent:
    """An event of a run or of one of its pods. run: the uid of the run."""

    run: str
    event: Event


Item = TurnRequest | RunEvent

GATHER_SECONDS = 0.02
"""Seconds that an event which delays nobody may wait for further events."""


class Inbox:
    """The queue; any thread may put items. most: how many are taken at once. enough: how many launched pods keep this machine busy.

    A transaction costs as much for one event as for ten, so the controller waits a moment for more. The start of a pod may be shown a
    moment later. The end of a pod is handled at once, because other pods can then be launched, unless enough launched pods wait for room.
    While few pods are launched, items are handed out at once, handled while the controller waits, and only written later. (While many
    are, the runtime needs that processor time.)
    """

    def __init__(self, most: int, enough: int) -> None:
        self._items: deque[Item | None] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        """Wakes the controller. Not every item rings it: a thread that wakes up takes processor time from a task."""
        self._most, self._enough = most, enough
        self._pods = 0
        """How many pods are launched, while the controller waits for further items. Else 0, and every item wakes the controller."""
        self._together: dict[object, Item] = {}
        """Items that were taken and not handed out yet, in order; they stay here when the consumer stops early. The key of a pod's start is
        its (run, node); others have numbers.
        """
        self._numbers = itertools.count()
        self.is_closed = False
        """Whether the end marker was taken."""

    def put(self, item: Item | None) -> None:
        """Add an item; None marks the end."""
        self._items.append(item)  # before the bell: a controller that stops waiting looks for items afterwards
        if not self._may_gather(item):
            self._bell.put(None)

    def _may_gather(self, item: Item | None) -> bool:
        """Whether the item may wait until another one wakes the controller or until the wait for further items ends."""
        if item is None or self._pods <= self._enough:
            return False
        self._pods -= _is_an_end(item)
        return self._pods > self._enough and self._may_wait(item, self._pods)

    def empty(self) -> bool:
        return not self._together and not self._items

    def take(self, timeout: float | None, pods: int) -> Iterator[Item]:
        """Wait for an item, then give items until one of them must be written soon; none after the timeout. pods: how many are launched."""
        left, until = (0.0 if self._together else timeout), 0.0
        for number in range(self._most):
            if not self._wait(left, pods if until else 0):
                break
            item = self._items.popleft()
            if item is None:
                self.is_closed = True
                break
            if not number:
                until = now() + GATHER_SECONDS
            pods -= _is_an_end(item)
            if until and not self._may_wait(item, pods):
                until = 0.0
            self._gather(item)
            if pods <= self._enough:
                yield from self._hand_out()
            left = min(GATHER_SECONDS, until - now())
        yield from self._hand_out()

    def _wait(self, left: float | None, pods: int) -> bool:
        """Wait for an item for `left` seconds (None: without limit). Gives whether there is one. pods: see `_pods`."""
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

    def _hand_out(self) -> Iterator[Item]:
        while self._together:
            yield self._together.pop(next(iter(self._together)))

    def _gather(self, item: Item) -> None:
        """Add an item to those of this turn. The end of a pod takes in its start, so that the run advances once for both."""
        key: object = next(self._numbers)
        if isinstance(item, RunEvent) and isinstance(item.event, PodStarted):
            key = item.run, item.event.node_id
        elif isinstance(item, RunEvent) and isinstance(item.event, PodFinished):
            before = self._together.pop((item.run, item.event.node_id), None)
            if isinstance(before, RunEvent) and isinstance(before.event, PodStarted):
                item = RunEvent(item.run, replace(item.event, start=before.event))
        self._together[key] = item

    def rest(self) -> list[Item]:
        """All items that are in the queue now, without a limit of their number."""
        items = list(self._hand_out())
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
        # The turn is written, so an action that failed stays in the outbox and is repeated at the next start.
        log.exception("an effect of a turn failed")


def resolve(future: Future[Any], answer: Callable[[], Any]) -> None:
    try:
        future.set_result(answer())
    except Exception as error:  # noqa: BLE001 - the caller gets the error
        future.set_exception(error.with_traceback(None))
