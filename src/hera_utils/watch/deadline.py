"""The time limit for waiting for a run. The loops check it, without signals, so it works in threads and notebooks."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from hera_utils.errors import SettingsError, WaitTimeout

_LONGEST = 1e9  # seconds; timers refuse much larger values


@dataclass(frozen=True)
class Deadline:
    """seconds: the limit, None for no limit. moment: the time.monotonic() at which it is reached."""

    seconds: float | None = None
    moment: float | None = None

    @classmethod
    def after(cls, timeout: float | str | None) -> Deadline:
        """The deadline `timeout` from now: a number of seconds, or a text such as 90, 90s, 10m, 1h.

        Raises SettingsError if `timeout` is no such duration.
        """
        if timeout is None:
            return NEVER
        seconds = _seconds(timeout)
        return cls(seconds, time.monotonic() + seconds)

    @property
    def seconds_left(self) -> float | None:
        """The remaining seconds, at least 0; None without a limit."""
        return None if self.moment is None else max(0.0, self.moment - time.monotonic())

    @property
    def has_passed(self) -> bool:
        return self.moment is not None and time.monotonic() >= self.moment

    def pause(self, seconds: float) -> float:
        """The length of a pause: `seconds`, or what is left if that is shorter."""
        return seconds if self.seconds_left is None else min(seconds, self.seconds_left)

    def timeout_error(self, state: str) -> WaitTimeout:
        """The error for a reached limit. state: the state of the awaited run, and how to continue waiting."""
        from hera_utils.argo.durations import format_seconds

        return WaitTimeout(f"the limit of {format_seconds(self.seconds or 0.0)} is reached: {state}")

    def check(self, name: str) -> None:
        """Raise WaitTimeout if the limit is reached. name: that of the run, which continues."""
        if self.has_passed:
            raise self.timeout_error(f"the run {name} continues")

    def sleep(self, name: str, seconds: float) -> None:
        """Pause so many seconds, or until the deadline. Raises WaitTimeout as `check` does."""
        self.check(name)
        time.sleep(self.pause(seconds))


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
