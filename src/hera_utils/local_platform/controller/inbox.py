"""What waits for the controller: events of runs, and requests whose callers wait for an answer."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable
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
    """future: answered, or refused, when the turn is written."""

    act: Act[Any]
    future: Future[Any] = field(default_factory=Future)


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
    followed by the launch of others at once, unless enough were launched before and wait for room.
    """

    def __init__(self, most: int, enough: int) -> None:
        self._queue: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._most, self._enough = most, enough

    def put(self, item: Item | None) -> None:
        """None: the end."""
        self._queue.put(item)

    def empty(self) -> bool:
        return self._queue.empty()

    def take(self, timeout: float | None, pods: int) -> list[Item] | None:
        """All that waits, after waiting for something; [] after the timeout, None at the end. pods: how many are on their way."""
        items: list[Item] = []
        left, until = timeout, 0.0
        try:
            while len(items) < self._most:
                item = self._queue.get(timeout=left) if left is None or left > 0 else self._queue.get_nowait()
                if item is None:
                    if not items:
                        return None
                    self._queue.put(None)
                    break
                if not items:
                    until = now() + PATIENCE
                items.append(item)
                pods -= isinstance(item, RunEvent) and isinstance(item.event, PodFinished)
                if until and not self._may_wait(item, pods):
                    until = 0.0
                left = min(PATIENCE, until - now())
        except queue.Empty:
            pass
        return items

    def _may_wait(self, item: Item, pods: int) -> bool:
        if not isinstance(item, RunEvent):
            return False
        if isinstance(item.event, PodFinished):
            return pods > self._enough
        return isinstance(item.event, (PodStarted, PodProgressed))


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
        future.set_exception(error)
