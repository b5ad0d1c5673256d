"""Cron schedules: the words of their refusals, their next times; against robfig/cron itself where there is Go."""

from __future__ import annotations

import os
import random
import sys
from datetime import datetime
from pathlib import Path

import pytest

from hera_utils.interpreter.cron.schedules import ScheduleError, parse

sys.path.insert(0, str(Path(__file__).parents[1] / "oracle"))
import oracle

CAMPAIGN = int(os.environ.get("HERA_UTILS_CAMPAIGN", "1"))
NEVER = -62135596800
"""Go's zero time."""
ZONES = (
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/London",
    "Australia/Lord_Howe",
    "Asia/Tokyo",
    "America/Los_Angeles",
)
ODD = (
    "", "* * * *", "@every", "@every 5", "@every 1h30m", "@every 0.2s", "@fortnightly", "@daily", "@weekly", "@yearly", "60 * * * *",
    "*/0 * * * *", "1-2-3 * * * *", "1/2/3 * * * *", "5-3 * * * *", "-1 * * * *", "x * * * *", "* * 31 2 *", "0 0 31 4,6 *",
    "99999999999999999999 * * * *", "* * * JAN-mar Mon", "TZ=Asia/Tokyo 0 9 * * *", "CRON_TZ=Nowhere/Town * * * * *", "* * 13 * 5",
    "* * */2 * 1", "* * ?/1 * 1", ", * * * *", "0 0 29 2 *", "CRON_TZ=UTC @hourly", "* * * * 7", "+5 * * * *", "*-5 * * * *",
)  # fmt: skip


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("schedule", "after", "wanted"),
    [
        ("* * * * *", "2026-01-01T00:00:00+00:00", "2026-01-01T00:01:00+00:00"),
        ("30 2 * * *", "2020-03-08T00:00:00-08:00", "2020-03-09T02:30:00-07:00"),
        ("59 1 * * *", "2020-11-01T01:59:00-07:00", "2020-11-01T01:59:00-08:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00+00:00", "2028-02-29T00:00:00-08:00"),
        ("@every 90s", "2026-01-01T00:00:00+00:00", "2026-01-01T00:01:30+00:00"),
    ],
)
def test_next_times_around_the_hours_that_a_clock_skips_or_has_twice(schedule: str, after: str, wanted: str) -> None:
    zone = "" if schedule.startswith("@") else "CRON_TZ=America/Los_Angeles "
    assert parse(zone + schedule).next(seconds(after)) == seconds(wanted)


def test_a_day_that_never_comes() -> None:
    assert parse("0 0 31 2 *").next(0.0) is None


@pytest.mark.parametrize("text", ["* * * *", "@every x", "1-2-3 * * * *", "60 * * * *", "*/0 * * * *"])
def test_what_no_schedule_is(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse(text)


def generated(chance: random.Random) -> str:
    def part(low: int, high: int) -> str:
        start = chance.randint(low, high)
        end = chance.randint(start, high)
        return chance.choice(
            ("*", "*", "*", "?", str(start), f"{start}-{end}", f"*/{chance.randint(1, 20)}", f"{start}/{chance.randint(1, 9)}",
             f"{low},{start}", f"{start}-{end}/{chance.randint(1, 9)}", str(chance.randint(low - 1, high + 1)))
        )  # fmt: skip

    text = " ".join(part(*bounds) for bounds in ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6)))
    return f"CRON_TZ={chance.choice(ZONES)} {text}" if chance.random() < 0.7 else text


def test_against_robfig_cron() -> None:
    try:
        oracle.program()
    except oracle.Unavailable as error:
        pytest.skip(str(error))
    chance = random.Random(4 if CAMPAIGN == 1 else None)
    begin, end = int(seconds("2017-01-01T00:00:00+00:00")), int(seconds("2030-01-01T00:00:00+00:00"))
    texts = [*ODD, *(generated(chance) for _ in range(400 * CAMPAIGN))]
    requests = [{"kind": "cron", "text": text, "at": chance.randint(begin, end), "count": 6} for text in texts]
    differences = []
    for request, theirs in zip(requests, oracle.ask(requests), strict=True):
        mine = ours(str(request["text"]), float(request["at"]))
        if mine != ([at for at in theirs["value"] if at != NEVER] if theirs["ok"] else theirs["error"]):
            differences.append((request, theirs, mine))
    assert not differences[:5], len(differences)


def ours(text: str, at: float) -> list[int] | str:
    try:
        schedule = parse(text)
    except ScheduleError as error:
        return error.message
    times: list[int] = []
    while len(times) < 6:
        found = schedule.next(at)
        if found is None:
            return []
        at = found
        times.append(int(found))
    return times
