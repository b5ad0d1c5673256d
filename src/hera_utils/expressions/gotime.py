"""Moments, zones and layouts of Go's time package ("2006-01-02T15:04:05Z07:00")."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from hera_utils.argo.durations import SECOND
from hera_utils.expressions.values import Duration, Failure, Function, Long, go_type
from hera_utils.memoised import memoised

RFC3339 = "2006-01-02T15:04:05Z07:00"
RFC3339_NANO = "2006-01-02T15:04:05.999999999Z07:00"
LAYOUTS = {
    "ANSIC": "Mon Jan _2 15:04:05 2006",
    "UnixDate": "Mon Jan _2 15:04:05 MST 2006",
    "RubyDate": "Mon Jan 02 15:04:05 -0700 2006",
    "RFC822": "02 Jan 06 15:04 MST",
    "RFC822Z": "02 Jan 06 15:04 -0700",
    "RFC850": "Monday, 02-Jan-06 15:04:05 MST",
    "RFC1123": "Mon, 02 Jan 2006 15:04:05 MST",
    "RFC1123Z": "Mon, 02 Jan 2006 15:04:05 -0700",
    "RFC3339": RFC3339,
    "RFC3339Nano": RFC3339_NANO,
    "Kitchen": "3:04PM",
}
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
_FIRST, _LAST = -62135510400, 253402214400  # seconds of the years 1 and 9999, a day within Python's limits
_CYCLE = 146097 * 86400  # seconds of 400 years, after which the calendar repeats with its weekdays
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Zone:
    """A time zone (Go: *time.Location)."""

    name: str
    rules: tzinfo
    go_type = "*time.Location"

    def __str__(self) -> str:
        return self.name


UTC = Zone("UTC", timezone.utc)


@memoised(128)
def zone(name: str) -> Zone:
    """The zone of a name (Go: time.LoadLocation). Raises Failure."""
    if name in ("", "UTC"):
        return UTC
    if name == "Local":
        return Zone("Local", timezone.utc)
    try:
        return Zone(name, ZoneInfo(name))
    except (ValueError, OSError, LookupError):
        raise Failure(f"unknown time zone {name}") from None


@dataclass(frozen=True)
class Moment:
    """An instant in a zone (Go: time.Time): nanoseconds since the epoch. is_pointer: Go has a *time.Time, which methods do not take."""

    nanoseconds: int
    zone: Zone = UTC
    is_pointer: bool = field(default=False, compare=False)
    go_type = "time.Time"

    @property
    def local(self) -> datetime:
        """The civil time in the zone, without nanoseconds. Outside Python's range of years it is shifted by a multiple of 400 years."""
        seconds = self.nanoseconds // SECOND
        if not _FIRST <= seconds <= _LAST:
            seconds = (seconds - _FIRST) % _CYCLE + _FIRST + _CYCLE
        return (_EPOCH + timedelta(seconds=seconds)).astimezone(self.zone.rules)

    @property
    def year(self) -> int:
        seconds = self.nanoseconds // SECOND
        if _FIRST <= seconds <= _LAST:
            return self.local.year
        return self.local.year + ((seconds - _FIRST) // _CYCLE - 1) * 400

    @property
    def fraction(self) -> int:
        return self.nanoseconds % SECOND

    def json(self) -> str:
        if not 0 <= self.year <= 9999:
            raise Failure("Time.MarshalJSON: year outside of range [0,9999]")
        return format_moment(self, RFC3339_NANO)

    def __str__(self) -> str:
        return format_moment(self, "2006-01-02 15:04:05.999999999 -0700 MST")

    def member(self, name: str) -> Function | None:
        method = _METHODS.get(name)
        return Function(name, lambda *arguments: method(self, *arguments)) if method else None

    def add(self, nanoseconds: int) -> Moment:
        return Moment(self.nanoseconds + nanoseconds, self.zone)


def moment_at(seconds: float, where: Zone = UTC) -> Moment:
    """The moment of a number of seconds since the epoch."""
    whole = int(seconds // 1)
    return Moment(whole * SECOND + round((seconds - whole) * SECOND), where)


def moment_of_civil(when: datetime, nanosecond: int, where: Zone) -> Moment:
    """The moment of a civil time in a zone."""
    aware = when.replace(tzinfo=where.rules)
    seconds = (aware - _EPOCH) // timedelta(seconds=1)
    return Moment(seconds * SECOND + nanosecond, where)


def _add_date(at: Moment, years: int, months: int, days: int) -> Moment:
    local = at.local
    month = local.month - 1 + months + 12 * years
    first = local.replace(year=local.year + month // 12, month=month % 12 + 1, day=1)
    moved = first.replace(tzinfo=None) + timedelta(days=local.day - 1 + days)
    return moment_of_civil(moved, at.fraction, at.zone)


def _instant(value: Any) -> int:
    """The nanoseconds of a method's argument. Raises Failure for what is no time.Time."""
    if isinstance(value, Moment) and not value.is_pointer:
        return value.nanoseconds
    found = "*time.Time" if isinstance(value, Moment) else "nil" if value is None else go_type(value)
    raise Failure(f"interface conversion: interface {{}} is {found}, not time.Time")


_METHODS: dict[str, Callable[..., Any]] = {
    "Year": lambda at: at.year,
    "Month": lambda at: Month(at.local.month),
    "Day": lambda at: at.local.day,
    "Hour": lambda at: at.local.hour,
    "Minute": lambda at: at.local.minute,
    "Second": lambda at: at.local.second,
    "Nanosecond": lambda at: at.fraction,
    "Weekday": lambda at: Weekday(at.local.isoweekday() % 7),
    "YearDay": lambda at: at.local.timetuple().tm_yday,
    "Unix": lambda at: Long(at.nanoseconds // SECOND),
    "UnixMilli": lambda at: Long(at.nanoseconds // 1_000_000),
    "UnixMicro": lambda at: Long(at.nanoseconds // 1_000),
    "UnixNano": lambda at: Long(at.nanoseconds),
    "UTC": lambda at: Moment(at.nanoseconds, UTC),
    "Local": lambda at: Moment(at.nanoseconds, UTC),
    "In": lambda at, where: Moment(at.nanoseconds, where),
    "Add": lambda at, by: at.add(int(by)),
    "Sub": lambda at, other: Duration(at.nanoseconds - _instant(other)),
    "AddDate": _add_date,
    "Before": lambda at, other: at.nanoseconds < _instant(other),
    "After": lambda at, other: at.nanoseconds > _instant(other),
    "Equal": lambda at, other: at.nanoseconds == _instant(other),
    "Compare": lambda at, other: (at.nanoseconds > _instant(other)) - (at.nanoseconds < _instant(other)),
    "IsZero": lambda at: at.nanoseconds == -62135596800 * SECOND,
    "Truncate": lambda at, by: _truncate(at, int(by)),
    "Round": lambda at, by: _round(at, int(by)),
    "Format": lambda at, layout: format_moment(at, layout),
    "String": str,
}

_YEAR_ONE = -62135596800 * SECOND


def _truncate(at: Moment, by: int) -> Moment:
    return at if by <= 0 else at.add(-((at.nanoseconds - _YEAR_ONE) % by))


def _round(at: Moment, by: int) -> Moment:
    if by <= 0:
        return at
    rest = (at.nanoseconds - _YEAR_ONE) % by
    return at.add(-rest if rest + rest < by else by - rest)


class Month(int):
    go_type = "time.Month"

    def __str__(self) -> str:
        return _MONTHS[self - 1]

    def json(self) -> int:
        return int(self)

    def member(self, name: str) -> Function | None:
        return Function(name, lambda: str(self)) if name == "String" else None


class Weekday(int):
    go_type = "time.Weekday"

    def __str__(self) -> str:
        return _DAYS[self]

    def json(self) -> int:
        return int(self)

    def member(self, name: str) -> Function | None:
        return Function(name, lambda: str(self)) if name == "String" else None


# -- layouts ------------------------------------------------------------------------------------------------------------

_ELEMENT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|01|02|03|04|05|06|002|__2|_2006|_2|15|PM|pm|"
    r"-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00|Z0700|Z07|[.,]0+(?![0-9])|[.,]9+(?![0-9])|"
    r"2006|1|2|3|4|5"
)


@memoised(256)
def _elements(layout: str) -> tuple[tuple[str, str], ...]:
    """(text before, element) pairs; the last has an empty element."""
    elements, at = [], 0
    for match in _ELEMENT.finditer(layout):
        element = match.group()
        if element == "_2006":  # Go: a literal "_" before the year
            elements.append((layout[at : match.start()] + "_", "2006"))
        else:
            elements.append((layout[at : match.start()], element))
        at = match.end()
    elements.append((layout[at:], ""))
    return tuple(elements)


def format_moment(at: Moment, layout: str) -> str:
    """The text of a moment in a layout (Go: Time.Format)."""
    local = at.local
    parts = []
    for before, element in _elements(layout):
        parts.append(before)
        if element:
            parts.append(_year(element, at.year) if element in _YEARS else _write_element(element, local, at.fraction))
    return "".join(parts)


_YEARS = frozenset({"2006", "06"})


def _year(element: str, year: int) -> str:
    if element == "06":
        return f"{year % 100:02d}"
    return f"-{-year:04d}" if year < 0 else f"{year:04d}"


def _write_element(element: str, local: datetime, fraction: int) -> str:
    simple = _SIMPLE.get(element)
    if simple is not None:
        return simple(local)
    if element == "MST":
        return _abbreviation(local)
    if element[0] in ".,":
        digits = f"{fraction:09d}"[: len(element) - 1]
        if element[1] == "9":
            digits = digits.rstrip("0")
            return element[0] + digits if digits else ""
        return element[0] + digits
    return _offset(element, local)


_SIMPLE: dict[str, Callable[[datetime], str]] = {
    "January": lambda t: _MONTHS[t.month - 1],
    "Jan": lambda t: _MONTHS[t.month - 1][:3],
    "01": lambda t: f"{t.month:02d}",
    "1": lambda t: str(t.month),
    "Monday": lambda t: _DAYS[t.isoweekday() % 7],
    "Mon": lambda t: _DAYS[t.isoweekday() % 7][:3],
    "02": lambda t: f"{t.day:02d}",
    "_2": lambda t: f"{t.day:2d}",
    "2": lambda t: str(t.day),
    "002": lambda t: f"{t.timetuple().tm_yday:03d}",
    "__2": lambda t: f"{t.timetuple().tm_yday:3d}",
    "15": lambda t: f"{t.hour:02d}",
    "03": lambda t: f"{t.hour % 12 or 12:02d}",
    "3": lambda t: str(t.hour % 12 or 12),
    "04": lambda t: f"{t.minute:02d}",
    "4": lambda t: str(t.minute),
    "05": lambda t: f"{t.second:02d}",
    "5": lambda t: str(t.second),
    "PM": lambda t: "PM" if t.hour >= 12 else "AM",
    "pm": lambda t: "pm" if t.hour >= 12 else "am",
}


def _abbreviation(local: datetime) -> str:
    name = local.tzname() or ""
    if name and not name.startswith("UTC") or name == "UTC":
        return name
    return _offset("-0700" if _offset_seconds(local) % 3600 else "-07", local)


def _offset_seconds(local: datetime) -> int:
    offset = local.utcoffset() or timedelta(0)
    return int(offset.total_seconds())


def _offset(element: str, local: datetime) -> str:
    seconds = _offset_seconds(local)
    if element[0] == "Z" and seconds == 0:
        return "Z"
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    text = f"{sign}{seconds // 3600:02d}"
    pattern = element[1:]
    colon = ":" if ":" in pattern else ""
    if len(pattern) > 2:
        text += f"{colon}{seconds // 60 % 60:02d}"
    if len(pattern.replace(":", "")) > 4:
        text += f"{colon}{seconds % 60:02d}"
    return text


_NUMBERS = {
    "2006": r"(?P<year>\d{4})",
    "06": r"(?P<short_year>\d{2})",
    "01": r"(?P<month>\d{2})",
    "1": r"(?P<month>\d\d|\d(?!\d))",
    "02": r"(?P<day>\d{2})",
    "_2": r"(?P<day> ?(?:\d\d|\d(?!\d)))",
    "2": r"(?P<day>\d\d|\d(?!\d))",
    "002": r"(?P<year_day>\d{3})",
    "__2": r"(?P<year_day> {0,2}\d{1,3}(?!\d))",
    "15": r"(?P<hour>\d\d|\d(?!\d))",
    "03": r"(?P<hour>\d{2})",
    "3": r"(?P<hour>\d\d|\d(?!\d))",
    "04": r"(?P<minute>\d{2})",
    "4": r"(?P<minute>\d\d|\d(?!\d))",
    "05": r"(?P<second>\d{2})",
    "5": r"(?P<second>\d\d|\d(?!\d))",
    "PM": r"(?P<half>AM|PM)",
    "pm": r"(?P<half>am|pm)",
    "January": "(?P<month_name>" + "|".join(_MONTHS) + ")",
    "Jan": "(?P<month_name>" + "|".join(name[:3] for name in _MONTHS) + ")",
    "Monday": "(?:" + "|".join(_DAYS) + ")",
    "Mon": "(?:" + "|".join(name[:3] for name in _DAYS) + ")",
    "MST": r"(?P<zone_name>UTC|[A-Z]{3,5}|GMT[+-]\d{1,2}|[+-]\d{2})",
    "-07:00:00": r"(?P<offset>[+-]\d{2}:\d{2}:\d{2})",
    "-070000": r"(?P<offset>[+-]\d{6})",
    "-07:00": r"(?P<offset>[+-]\d{2}:\d{2})",
    "-0700": r"(?P<offset>[+-]\d{4})",
    "-07": r"(?P<offset>[+-]\d{2})",
    "Z07:00:00": r"(?P<offset>Z|[+-]\d{2}:\d{2}:\d{2})",
    "Z070000": r"(?P<offset>Z|[+-]\d{6})",
    "Z07:00": r"(?P<offset>Z|[+-]\d{2}:\d{2})",
    "Z0700": r"(?P<offset>Z|[+-]\d{4})",
    "Z07": r"(?P<offset>Z|[+-]\d{2})",
}


@memoised(256)
def _reader(layout: str) -> re.Pattern[str]:
    pattern: list[str] = []
    fraction = any(element[:1] in (".", ",") for _, element in _elements(layout))
    for index, (before, element) in enumerate(_elements(layout)):
        pattern.append(re.sub(r"(?:\\ )+", " *", re.escape(before)) if before.strip(" ") else re.escape(before))
        if not element:
            continue
        if element[0] in ".,":
            piece = rf"(?P<fraction>[.,]\d{{{len(element) - 1}}})" if element[1] == "0" else r"(?P<fraction>[.,]\d+)?"
        else:
            piece = _NUMBERS[element]
        # a layout may name a part twice; the last one counts
        pattern.append(re.sub(r"\?P<(\w+)>", rf"?P<\1__{index}>", piece))
        if element in ("05", "5") and not fraction:
            pattern.append(rf"(?P<fraction__{index}>[.,]\d+)?")  # Go: a fraction may follow the seconds
    return re.compile("".join(pattern) + r"\Z", re.ASCII)


def parse_moment(layout: str, text: str, where: Zone = UTC) -> Moment:
    """The moment that a text means in a layout (Go: time.ParseInLocation). Raises Failure."""
    match = _reader(layout).match(text)
    if match is None:
        raise Failure(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "{_elements(layout)[0][1]}"')
    parts = {name.partition("__")[0]: text for name, text in match.groupdict().items() if text is not None}
    try:
        return _build_moment(parts, where)
    except (ValueError, OverflowError):
        raise Failure(f'parsing time "{text}": out of range') from None


def _build_moment(parts: dict[str, str], where: Zone) -> Moment:
    year = _year_of(parts)
    # Go's year 0 (a layout without a date) is outside datetime's range; shifted by 400 years, which is whole weeks.
    shift = 400 if year == 0 else 0
    month = int(parts.get("month") or 1)
    if parts.get("month_name"):
        month = [name[:3] for name in _MONTHS].index(parts["month_name"][:3]) + 1
    day, hour = int(parts.get("day") or 1), _hour_of(parts)
    when = datetime(year + shift, month, day, hour, int(parts.get("minute") or 0), int(parts.get("second") or 0))
    if parts.get("year_day"):
        when = when.replace(month=1, day=1) + timedelta(days=int(parts["year_day"]) - 1)
    nanosecond = int((parts.get("fraction") or "")[1:10].ljust(9, "0"))
    at = moment_of_civil(when, nanosecond, _zone_of(parts, where))
    return Moment(at.nanoseconds - shift * 146097 // 400 * 86400 * SECOND, at.zone) if shift else at


def _year_of(parts: dict[str, str]) -> int:
    if not parts.get("short_year"):
        return int(parts.get("year") or 0)
    short = int(parts["short_year"])
    return short + (1900 if short >= 69 else 2000)


def _hour_of(parts: dict[str, str]) -> int:
    hour, half = int(parts.get("hour") or 0), (parts.get("half") or "").upper()
    if half == "PM" and hour < 12:
        return hour + 12
    return 0 if half == "AM" and hour == 12 else hour


def _zone_of(parts: dict[str, str], where: Zone) -> Zone:
    """The zone that a text names, else `where`. Go: one of which it knows no more than the name has the offset 0."""
    offset, name = parts.get("offset"), parts.get("zone_name")
    if offset:
        return UTC if offset == "Z" else fixed_zone(offset)
    if not name:
        return where
    return UTC if name in ("UTC", "GMT") and where is UTC else Zone(name, timezone(timedelta(0), name))


def fixed_zone(offset: str) -> Zone:
    """The zone of an offset such as +02:00."""
    digits = offset[1:].replace(":", "").ljust(6, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:6])
    if seconds == 0:
        return UTC
    return Zone("", timezone(timedelta(seconds=-seconds if offset[0] == "-" else seconds)))
