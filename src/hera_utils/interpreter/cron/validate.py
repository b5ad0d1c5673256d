"""The schedule part of a cron workflow: the same checks, in the same words, as Argo and robfig/cron 3.0.1."""

from __future__ import annotations

from typing import Any

from hera_utils.errors import InvalidWorkflow
from hera_utils.expressions.gotext import quote
from hera_utils.interpreter.cron.schedules import ScheduleError, parse, zone_exists

Json = dict[str, Any]

# A workflow's name is that of its cron workflow and a time stamp of eleven characters.
_NAME_LENGTH = 52
_POLICIES = ("", "Allow", "Forbid", "Replace")


def check_cron(document: Json) -> None:
    """Check the schedules of a cron workflow. Raises InvalidWorkflow."""
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
