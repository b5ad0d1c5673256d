"""Durations as Go writes them ("1h30m", "250ms") and Argo's rule of "seconds or a duration".

Functions return seconds as floats; parsing is exact (integers of nanoseconds), as in Go's time.ParseDuration.
"""

from __future__ import annotations

import re

from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import InvalidWorkflow
from hera_utils.memoised import memoised

NANOSECOND = 1
MICROSECOND = 1_000
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
LONGEST = (1 << 63) - 1
_MOST = 1 << 63
_DIGITS = 20  # more digits than the largest duration of Go has
_LONGEST_TEXT = 1000

_UNITS = {
    "ns": NANOSECOND,
    "us": MICROSECOND,
    "µs": MICROSECOND,  # U+00B5
    "μs": MICROSECOND,  # U+03BC
    "ms": MILLISECOND,
    "s": SECOND,
    "m": MINUTE,
    "h": HOUR,
}
_part = re.compile(r"([0-9]*)(\.[0-9]*)?([^0-9.]*)")


class DurationError(InvalidWorkflow):
    """A text that is no duration; the message is Go's."""


@memoised(1024)
def nanoseconds(text: str) -> int:
    """Go's time.ParseDuration: "1h15m30.5s" → nanoseconds. Raises DurationError with Go's message."""
    if len(text) > _LONGEST_TEXT:
        raise DurationError(f"time: invalid duration of {len(text)} characters")
    negative = text.startswith("-")
    at = int(text[:1] in ("-", "+"))
    if text[at:] == "0":
        return 0
    if at == len(text):
        raise DurationError(f"time: invalid duration {_quote(text)}")
    total = 0
    while at < len(text):
        match = _part.match(text, at)
        assert match is not None  # every part of the pattern may be empty
        digits, fraction, unit = match.group(1), match.group(2) or "", match.group(3)
        if not digits and len(fraction) < 2:
            raise DurationError(f"time: invalid duration {_quote(text)}")
        whole = int(digits.lstrip("0")[:_DIGITS] or "0")
        if whole > _MOST:
            raise DurationError(f"time: invalid duration {_quote(text)}")
        if not unit:
            raise DurationError(f"time: missing unit in duration {_quote(text)}")
        scale = _UNITS.get(unit)
        if scale is None:
            raise DurationError(f"time: unknown unit {_quote(unit)} in duration {_quote(text)}")
        total += whole * scale + _fraction(fraction[1:], scale)
        if total > _MOST:
            raise DurationError(f"time: invalid duration {_quote(text)}")
        at = match.end()
    if total > LONGEST and not negative:
        raise DurationError(f"time: invalid duration {_quote(text)}")
    return -total if negative else total


def _fraction(digits: str, scale: int) -> int:
    """The nanoseconds of the digits after the point, in floating point as in Go; digits beyond 63 bits are dropped."""
    value, divisor = 0, 1.0
    for digit in digits:
        if value > LONGEST // 10 or value * 10 + int(digit) > _MOST:
            break
        value = value * 10 + int(digit)
        divisor *= 10
    return int(float(value) * (float(scale) / divisor)) if value else 0


def seconds(text: str) -> float:
    """Go's time.ParseDuration, in seconds. Raises DurationError."""
    return nanoseconds(text) / SECOND


def seconds_or_duration(text: str) -> float:
    """Argo's rule for backoff, suspend and ttl texts: a whole number is seconds, else a Go duration. Raises DurationError."""
    if (number := whole_number(text)) is not None:
        return float(number)
    try:
        return seconds(text)
    except DurationError as error:
        raise DurationError(f"unable to parse {text} as a duration: {error}") from None


def format_nanoseconds(value: int) -> str:
    """Go's Duration.String(): "1h15m30.5s", "1.5ms", "0s"."""
    if value == 0:
        return "0s"
    sign = "-" if value < 0 else ""
    value = abs(value)
    if value < SECOND:
        for unit, scale in (("ns", NANOSECOND), ("µs", MICROSECOND), ("ms", MILLISECOND)):
            if value < scale * 1000:
                return sign + _decimal(value, scale) + unit
    minutes, rest = divmod(value, MINUTE)
    text = _decimal(rest, SECOND) + "s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{minutes}m{text}"
        if hours:
            text = f"{hours}h{text}"
    return sign + text


def format_seconds(value: float) -> str:
    """Go's Duration.String() of a number of seconds."""
    return format_nanoseconds(round(value * SECOND))


def _decimal(value: int, scale: int) -> str:
    whole, rest = divmod(value, scale)
    if not rest:
        return str(whole)
    digits = len(str(scale)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0")


def _quote(text: str) -> str:
    """Quote as Go's time package does: characters other than printable ASCII become their bytes."""
    escaped = []
    for byte in text.encode("utf-8", "surrogatepass"):
        if byte in b'"\\':
            escaped.append("\\" + chr(byte))
        else:
            escaped.append(chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}")
    return '"' + "".join(escaped) + '"'
