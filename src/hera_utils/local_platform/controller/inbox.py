"""What waits for the controller: events of runs, and requests whose callers wait for an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hera_utils.errors import PlatformError
from hera_utils.interpreter.events import Event
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
