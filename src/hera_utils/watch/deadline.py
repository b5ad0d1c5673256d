"""How long somebody waits for a run: a limit that the loops which follow it look at. No signals, so it holds in threads and notebooks."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from hera_utils.errors import SettingsError, WaitTimeout

_LONGEST = 1e9  # seconds: more cannot be given to a timer


@dataclass(frozen=True)
class Deadline:
    """seconds: how long is waited, None for as long as it takes. moment: when that is over, of time.monotonic."""

    seconds: float | None = None
    moment: float | None = None

    @classmethod
    def after(cls, timeout: float | str | None) -> Deadline:
        """From now on; a number of seconds, or a text such as 90, 90s, 10m, 1h. SettingsError for what is no such time."""
        if timeout is None:
            return NEVER
        seconds = _seconds(timeout)
        return cls(seconds, time.monotonic() + seconds)

    @property
    def left(self) -> float | None:
        """Seconds, never less than 0."""
        return None if self.moment is None else max(0.0, self.moment - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.moment is not None and time.monotonic() >= self.moment

    def pause(self, seconds: float) -> float:
        """A pause of so many seconds, or what is left."""
        return seconds if self.left is None else min(seconds, self.left)

    def reached(self, state: str) -> WaitTimeout:
        """The error at the limit. state: how it stands with what was waited for, and how to come back to it."""
        from hera_utils.argo.durations import format_seconds

        return WaitTimeout(f"the limit of {format_seconds(self.seconds or 0.0)} is reached: {state}")

    def check(self, name: str) -> None:
        """WaitTimeout when the limit is reached. name: the run's, which goes on."""
        if self.passed:
            raise self.reached(f"the run {name} continues")


NEVER = Deadline()


def _seconds(timeout: float | str) -> float:
    from hera_utils.argo.durations import DurationError, seconds_or_duration

    try:
        seconds = seconds_or_duration(timeout) if isinstance(timeout, str) else float(timeout)
    except (DurationError, TypeError, ValueError, OverflowError):
        seconds = math.nan
    if isinstance(timeout, bool) or not 0 < seconds < math.inf:
        raise SettingsError(
            f"timeout: `{timeout}` is not a duration", fix="give seconds, or a time such as 90s, 10m or 1h"
        )
    return min(seconds, _LONGEST)
