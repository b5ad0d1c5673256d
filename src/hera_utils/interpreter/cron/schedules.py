"""Cron schedules as Argo reads them: the standard parser of robfig/cron 3.0.1 with its messages, and its next times.

A time is seconds since the epoch. A schedule without a zone of its own (`CRON_TZ=`, `TZ=`) is read in UTC: the time of the
controller's container on every cluster, wherever the machine stands.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, NamedTuple

from hera_utils.argo.durations import SECOND, DurationError, nanoseconds
from hera_utils.errors import InvalidWorkflow
from hera_utils.expressions.gotext import quote

_MONTHS = dict(jan=1, feb=2, mar=3, apr=4, may=5, jun=6, jul=7, aug=8, sep=9, oct=10, nov=11, dec=12)
_DAYS = dict(sun=0, mon=1, tue=2, wed=3, thu=4, fri=5, sat=6)
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS: tuple[tuple[int, int, Mapping[str, int]], ...] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, _MONTHS), (0, 6, _DAYS),
)  # fmt: skip
_YEARS = 5
"""Years that the search for a time covers (a 31st of February never comes)."""
_HUGE = 2**63


class ScheduleError(InvalidWorkflow):
    """A schedule cannot be read; the message is robfig/cron's."""


class CronField(NamedTuple):
    """The values of one field. star: it is `*` or `?`, which decides how day of month and day of week combine."""

    values: frozenset[int]
    star: bool


@dataclass(frozen=True)
class Every:
    """`@every 90s`: so many whole seconds after the last time, at least one."""

    seconds: int

    def next(self, after: float) -> float | None:
        return float(int(after // 1) + self.seconds)


@dataclass(frozen=True)
class Calendar:
    """Five fields in a zone."""

    minute: CronField
    hour: CronField
    day: CronField
    month: CronField
    weekday: CronField
    zone: tzinfo

    def next(self, after: float) -> float | None:
        """The first time after that one, in whole seconds; None when there is none within five years.

        Months and days are counted on the calendar, hours and minutes in elapsed time: when clocks go forward, times in the missing
        hour are skipped; when they go back, the hour counts twice. The order of the search, and where it begins again, are
        robfig/cron's: this matters around such hours.
        """
        at, begun = int(after // 1) + 1, False
        last = self._local(at).year + _YEARS
        while self._local(at).year <= last:
            for unit in (self._month, self._day, self._hour, self._minute, self._second):
                moved = unit(at, begun)
                begun, wrapped, at = begun or moved != (False, at), moved[0], moved[1]
                if wrapped:
                    break
            else:
                return float(at)
        return None

    # Each method advances `at` until its unit fits; it returns True if the next greater unit has changed, so that the search restarts.

    def _month(self, at: int, truncated: bool) -> tuple[bool, int]:
        while (local := self._local(at)).month not in self.month.values:
            at = self._instant(local if truncated else local.replace(day=1, hour=0, minute=0, second=0), months=1)
            truncated = True
            if self._local(at).month == 1:
                return True, at
        return False, at

    def _day(self, at: int, truncated: bool) -> tuple[bool, int]:
        while not self._on(local := self._local(at)):
            at = self._instant(local if truncated else local.replace(hour=0, minute=0, second=0), days=1)
            truncated = True
            hour = self._local(at).hour
            if hour:  # clocks skip midnight, or have it twice
                at += (24 - hour if hour > 12 else -hour) * 3600
            if self._local(at).day == 1:
                return True, at
        return False, at

    def _hour(self, at: int, truncated: bool) -> tuple[bool, int]:
        while (local := self._local(at)).hour not in self.hour.values:
            at = (at if truncated else self._instant(local.replace(minute=0, second=0))) + 3600
            truncated = True
            if self._local(at).hour == 0:
                return True, at
        return False, at

    def _minute(self, at: int, truncated: bool) -> tuple[bool, int]:
        while self._local(at).minute not in self.minute.values:
            at = (at if truncated else at // 60 * 60) + 60
            truncated = True
            if self._local(at).minute == 0:
                return True, at
        return False, at

    def _second(self, at: int, truncated: bool) -> tuple[bool, int]:
        seconds = (60 - self._local(at).second) % 60
        return seconds > 0, at + seconds

    def _on(self, local: datetime) -> bool:
        day, weekday = local.day in self.day.values, local.isoweekday() % 7 in self.weekday.values
        return (day and weekday) if self.day.star or self.weekday.star else (day or weekday)

    def _local(self, at: int) -> datetime:
        return datetime.fromtimestamp(at, self.zone)

    def _instant(self, local: datetime, *, months: int = 0, days: int = 0) -> int:
        """The instant of a wall-clock time as Go's time.Date computes it, also where clocks skip the time or have it twice."""
        years, month = divmod(local.month - 1 + months, 12)
        first = datetime(local.year + years, month + 1, 1, local.hour, local.minute, local.second, tzinfo=timezone.utc)
        seconds = int((first + timedelta(days=local.day - 1 + days)).timestamp())
        offset = self._offset(seconds)
        return seconds - (self._offset(seconds - offset) if offset else 0)

    def _offset(self, at: int) -> int:
        offset = self._local(at).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0


Schedule = Every | Calendar


def parse(text: str) -> Schedule:
    """Parse a schedule. Raises ScheduleError."""
    if not text:
        raise ScheduleError("empty spec string")
    zone: tzinfo = timezone.utc
    prefix = re.match(r"(?:CRON_)?TZ=([^ ]*) ?", text)
    if prefix:
        name = prefix.group(1)
        if not zone_exists(name):
            raise ScheduleError(f"provided bad location {name}: unknown time zone {name}")
        zone, text = zone_of(name), text[prefix.end() :].strip()
    if text.startswith("@"):
        every = _every(text)
        if every is not None:
            return every
        text = _DESCRIPTORS[text]
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    minute, hour, day, month, weekday = (_field(one, *bounds) for one, bounds in zip(fields, _FIELDS, strict=True))
    return Calendar(minute, hour, day, month, weekday, zone)


def zone_exists(name: str) -> bool:
    """Whether this machine's time zone database has the name; without a database every name is accepted."""
    if name in ("", "UTC", "Local"):
        return True
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return not zoneinfo.available_timezones()
    return True


def zone_of(name: str) -> tzinfo:
    try:
        return timezone.utc if name in ("", "UTC", "Local") else zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return timezone.utc


def _every(text: str) -> Every | None:
    """The schedule of `@every …`; None for names such as `@daily`."""
    if text in _DESCRIPTORS:
        return None
    if not text.startswith("@every "):
        raise ScheduleError(f"unrecognized descriptor: {text}")
    try:
        return Every(max(1, nanoseconds(text[len("@every ") :]) // SECOND))
    except DurationError as error:
        raise ScheduleError(f"failed to parse duration {text}: {error}") from None


def _field(text: str, low: int, high: int, names: Mapping[str, int]) -> CronField:
    values: set[int] = set()
    star = False
    for part in text.split(","):
        if part:
            found, starred = _range(part, low, high, names)
            values.update(found)
            star = star or starred
    return CronField(frozenset(values), star)


def _range(text: str, low: int, high: int, names: Mapping[str, int]) -> tuple[range, bool]:
    """number | number-number | `*` | `?`, each with or without /step; and whether it is a star (one with a step is none)."""
    parts = text.split("/")
    ends = parts[0].split("-")
    star = ends[0] in ("*", "?")
    start, end = low, high
    if not star:
        start = end = _number(ends[0], names)
        if len(ends) == 2:
            end = _number(ends[1], names)
        elif len(ends) > 2:
            raise ScheduleError(f"too many hyphens: {text}")
    step = 1
    if len(parts) == 2:
        step = _number(parts[1], {})
        end = high if len(ends) == 1 else end
        star = star and step <= 1
    elif len(parts) > 2:
        raise ScheduleError(f"too many slashes: {text}")
    if start < low:
        raise ScheduleError(f"beginning of range ({start}) below minimum ({low}): {text}")
    if end > high:
        raise ScheduleError(f"end of range ({end}) above maximum ({high}): {text}")
    if start > end:
        raise ScheduleError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise ScheduleError(f"step of range should be a positive number: {text}")
    return range(start, end + 1, step), star


def _number(text: str, names: Mapping[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    fault = ""
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        fault = "invalid syntax"
    elif not -_HUGE <= (number := int(text[:30])) < _HUGE:
        fault = "value out of range"
    if fault:
        raise ScheduleError(f"failed to parse int from {text}: strconv.Atoi: parsing {quote(text)}: {fault}")
    if number < 0:
        raise ScheduleError(f"negative number ({number}) not allowed: {text}")
    return number


# A workflow's name is that of its cron workflow and a time stamp of eleven characters.
_NAME_LENGTH = 52
_POLICIES = ("", "Allow", "Forbid", "Replace")


def check_cron(document: dict[str, Any]) -> None:
    """Check the schedule part of a cron workflow, in the words of Argo and robfig/cron 3.0.1. Raises InvalidWorkflow."""
    name = (document.get("metadata") or {}).get("name") or ""
    spec = document.get("spec") or {}
    if len(name.encode()) > _NAME_LENGTH:
        raise InvalidWorkflow(
            f"cron workflow name {quote(name)} must not be more than 52 characters long (currently {len(name.encode())})"
        )
    schedules = spec.get("schedules") or ()
    if not schedules:
        raise InvalidWorkflow("cron workflow must have at least one schedule")
    timezone = spec.get("timezone") or ""
    for schedule in schedules:
        try:
            parse(schedule)
        except ScheduleError as error:
            raise InvalidWorkflow(f"cron schedule {schedule} is malformed: {error}") from None
    if timezone and not zone_exists(timezone):
        raise InvalidWorkflow(f"invalid timezone {quote(timezone)}: unknown time zone {timezone}")
    policy = spec.get("concurrencyPolicy") or ""
    if policy not in _POLICIES:
        raise InvalidWorkflow(f"'{policy}' is not a valid concurrencyPolicy")
    if (spec.get("startingDeadlineSeconds") or 0) < 0:
        raise InvalidWorkflow("startingDeadlineSeconds must be positive")
