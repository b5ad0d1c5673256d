"""The schedule part of a cron workflow: the same checks, in the same words, as Argo and robfig/cron 3.0.1."""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping
from typing import Any

from hera_utils.argo.durations import DurationError, nanoseconds
from hera_utils.errors import InvalidWorkflow
from hera_utils.expressions.gotext import quote

Json = dict[str, Any]

# The name of the workflow is the cron workflow's and a time stamp of eleven characters.
_NAME_LENGTH = 52
_POLICIES = ("", "Allow", "Forbid", "Replace")
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_MONTHS = dict(jan=1, feb=2, mar=3, apr=4, may=5, jun=6, jul=7, aug=8, sep=9, oct=10, nov=11, dec=12)
_DAYS = dict(sun=0, mon=1, tue=2, wed=3, thu=4, fri=5, sat=6)
_FIELDS: tuple[tuple[int, int, Mapping[str, int]], ...] = (
    (0, 59, {}), (0, 23, {}), (1, 31, {}), (1, 12, _MONTHS), (0, 6, _DAYS),
)  # fmt: skip


def check_cron(document: Json) -> None:
    """Raises InvalidWorkflow."""
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
        fault = schedule_fault(schedule)
        if fault:
            raise InvalidWorkflow(f"cron schedule {schedule} is malformed: {fault}")
    if timezone and not zone_exists(timezone):
        raise InvalidWorkflow(f"invalid timezone {quote(timezone)}: unknown time zone {timezone}")
    policy = spec.get("concurrencyPolicy") or ""
    if policy not in _POLICIES:
        raise InvalidWorkflow(f"'{policy}' is not a valid concurrencyPolicy")
    if (spec.get("startingDeadlineSeconds") or 0) < 0:
        raise InvalidWorkflow("startingDeadlineSeconds must be positive")


def zone_exists(name: str) -> bool:
    """Whether this machine's time zone database knows the name; without a database any name passes."""
    if name in ("UTC", "Local"):
        return True
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return not zoneinfo.available_timezones()
    return True


def schedule_fault(text: str) -> str | None:
    """What robfig/cron's standard parser has against a schedule; None when it is good."""
    if not text:
        return "empty spec string"
    zone = re.match(r"(?:CRON_)?TZ=([^ ]*) ?", text)
    if zone:
        if not zone_exists(zone.group(1)):
            return f"provided bad location {zone.group(1)}: unknown time zone {zone.group(1)}"
        text = text[zone.end() :].strip()
    if text.startswith("@"):
        return _descriptor_fault(text)
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
    for field, bounds in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            fault = _range_fault(part, *bounds)
            if fault and part:
                return fault
    return None


def _descriptor_fault(text: str) -> str | None:
    if text in _DESCRIPTORS:
        return None
    if text.startswith("@every "):
        try:
            nanoseconds(text[len("@every ") :])
        except DurationError as error:
            return f"failed to parse duration {text}: {error}"
        return None
    return f"unrecognized descriptor: {text}"


def _range_fault(text: str, low: int, high: int, names: Mapping[str, int]) -> str | None:
    """One range of a field: number | number-number [ / number ], `*`, `?`."""
    parts = text.split("/")
    ends = parts[0].split("-")
    bounds: list[int] = []
    if ends[0] in ("*", "?"):
        bounds = [low, high]
    elif len(ends) > 2:
        return f"too many hyphens: {text}"
    else:
        for end in ends:
            value = names.get(end.lower())
            if value is None:
                value, fault = _number(end)
                if fault:
                    return fault
            bounds.append(value)
    start, end_value = bounds[0], bounds[-1]
    if len(parts) > 2:
        return f"too many slashes: {text}"
    if len(parts) == 2:
        step, fault = _number(parts[1])
        if fault:
            return fault
        if len(ends) == 1:
            end_value = high
        if step == 0:
            return f"step of range should be a positive number: {text}"
    if start < low:
        return f"beginning of range ({start}) below minimum ({low}): {text}"
    if end_value > high:
        return f"end of range ({end_value}) above maximum ({high}): {text}"
    if start > end_value:
        return f"beginning of range ({start}) beyond end of range ({end_value}): {text}"
    return None


def _number(text: str) -> tuple[int, str | None]:
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        return 0, f"failed to parse int from {text}: strconv.Atoi: parsing {quote(text)}: invalid syntax"
    number = int(text)
    return number, f"negative number ({number}) not allowed: {text}" if number < 0 else None
