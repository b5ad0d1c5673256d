"""Times as Kubernetes and Argo write them: RFC 3339, UTC. In Python a time is a number of seconds since the epoch."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from functools import lru_cache

from hera_utils.memoised import memoised

# Go also accepts a comma before the fraction, and any number of digits; RFC 3339 allows lower-case letters.
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:[.,](\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def text(at: float) -> str:
    """Whole seconds, as in `creationTimestamp`: 2026-11-23T09:00:00Z. Raises ValueError outside the years 1 to 9999."""
    return _text(math.floor(at))


def micro_time(at: float) -> str:
    """With microseconds (Kubernetes' MicroTime): 2026-11-23T09:00:00.250000Z."""
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def nano_time(at: float) -> str:
    """With as few digits as needed, at most nine (Go's RFC3339Nano), as before a log line: 2026-11-23T09:00:00.25Z."""
    whole = math.floor(at)
    nanoseconds = min(round((at - whole) * 1_000_000_000), 999_999_999)
    return f"{_text(whole)[:-1]}.{nanoseconds:09d}".rstrip("0").rstrip(".") + "Z"


@lru_cache(maxsize=64)
def _text(second: int) -> str:
    try:
        moment = datetime.fromtimestamp(second, timezone.utc)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{second} is outside the years 1 to 9999") from error
    return f"{moment.year:04d}" + moment.strftime("-%m-%dT%H:%M:%SZ")


def read(stamp: str | None) -> float | None:
    """The time of an RFC 3339 text, to the microsecond; None for None or another text (only a date, no time zone…)."""
    return _read(stamp or "")


@memoised(64)
def _read(stamp: str) -> float | None:
    match = _RFC3339.fullmatch(stamp)
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}").timestamp()
    except ValueError:
        return None
    return whole + int(f"{fraction[:6]:0<6}") / 1_000_000 if fraction else whole


def seconds(stamp: str | None) -> float:
    """As `read`, but 0.0 instead of None."""
    return read(stamp) or 0.0
