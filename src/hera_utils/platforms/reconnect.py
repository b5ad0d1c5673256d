"""Repeats the request for a broken stream (a watch or a log), until the server has been silent for too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from hera_utils.argo.faults import NOT_FOUND
from hera_utils.errors import AccessError, Denied, HeraUtilsError, PlatformError, Refused
from hera_utils.platforms.argo_http import NoDefiniteAnswer, StreamCut

Answer = TypeVar("Answer")

PAUSES = (0.1, 0.3, 1.0, 2.0, 5.0)
"""Seconds between attempts."""
MAX_SILENCE = 60.0
"""Seconds without any answer, after which the client gives up."""


def repeat_until_answered(
    ask: Callable[[], Answer], *, rejoin: Callable[[], object], sleep: Callable[[float], None]
) -> Answer:
    """The result of a request, repeated until the server answers: it may be down for a while, and that of this machine is started again.

    NOT_FOUND is an answer too, and so is the refusal of a credential if there is no other.
    """
    start, pause = time.monotonic(), 0.1
    while True:
        try:
            return ask()
        except (AccessError, PlatformError, Refused) as error:
            answered = isinstance(error, Refused) and error.code == NOT_FOUND
            if answered or is_final(error) or time.monotonic() - start > MAX_SILENCE:
                raise
            sleep(pause)
            pause = min(5.0, pause * 2)
            rejoin()


def is_final(error: HeraUtilsError) -> bool:
    """Whether the server refuses a credential that cannot be renewed."""
    return isinstance(error, Denied) and error.final


class Reconnection:
    """The attempts at one stream: `while stream.may_go_on(): with stream.attempt(): …`, and `note_received()` for each event.

    timeout: seconds after which it ends, None: never. broken: reason → the error for an interrupted stream.
    rejoin: finds the successor of a crashed server, and returns True if there is a new one.
    restartable: whether the stream may begin again after its first event.
    """

    def __init__(
        self,
        timeout: float | None,
        *,
        broken: Callable[[object], HeraUtilsError],
        rejoin: Callable[[], bool],
        restartable: bool = True,
    ) -> None:
        self.deadline = None if timeout is None else time.monotonic() + timeout
        self._broken, self._rejoin, self._restartable = broken, rejoin, restartable
        self._has_begun = False
        self._failures, self._failing_since = 0, 0.0

    def may_go_on(self) -> bool:
        return self.deadline is None or time.monotonic() < self.deadline

    def note_received(self) -> None:
        """Note that a new event came, so the server works."""
        self._has_begun = True
        self._failures = 0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Inside, a broken stream causes a pause. Raises permanent errors, and temporary ones that last too long."""
        try:
            yield
            return
        except StreamCut as cut:
            error, pause = self._broken(cut), 0.0
            if self._has_begun and not self._restartable:
                raise error from None
        except NoDefiniteAnswer as unanswered:
            error, pause = unanswered.why, unanswered.pause
            self._find_server()
        except HeraUtilsError as refusal:
            if not self._has_begun or isinstance(refusal, Refused) or is_final(refusal):
                raise  # the stream never worked, or the server refuses: the object may have been deleted meanwhile
            error, pause = refusal, 0.0
            self._find_server()
        self._pause(error, pause)

    def _find_server(self) -> None:
        """Find the server again. A new one, after the silent one was killed, gets the whole patience."""
        if self._rejoin():
            self._failures = 0

    def _pause(self, error: HeraUtilsError, at_least: float) -> None:
        now = time.monotonic()
        self._failing_since = self._failing_since if self._failures else now
        if now - self._failing_since > MAX_SILENCE:
            raise error from None
        self._failures += 1
        pause = max(PAUSES[min(self._failures, len(PAUSES)) - 1], at_least)
        time.sleep(pause if self.deadline is None else max(0.0, min(pause, self.deadline - time.monotonic())))
