"""Times on the wire: one writing in three precisions, one reading; the cases of all that used to have their own."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.argo import timestamps

START = 1_795_424_400.0  # 2026-11-23T09:00:00Z


@pytest.mark.parametrize(
    ("at", "text", "micro", "nano"),
    [
        (START, "2026-11-23T09:00:00Z", "2026-11-23T09:00:00.000000Z", "2026-11-23T09:00:00Z"),
        (START + 0.25, "2026-11-23T09:00:00Z", "2026-11-23T09:00:00.250000Z", "2026-11-23T09:00:00.25Z"),
        (1001.25, "1970-01-01T00:16:41Z", "1970-01-01T00:16:41.250000Z", "1970-01-01T00:16:41.25Z"),
        (-0.5, "1969-12-31T23:59:59Z", "1969-12-31T23:59:59.500000Z", "1969-12-31T23:59:59.5Z"),
    ],
)
def test_a_time_is_written_in_three_precisions(at: float, text: str, micro: str, nano: str) -> None:
    assert (timestamps.text(at), timestamps.micro_time(at), timestamps.nano_time(at)) == (text, micro, nano)
    assert timestamps.read(micro) == timestamps.read(nano) == at


@pytest.mark.parametrize("at", [1e12, -1e12, 1e30])
def test_a_time_outside_the_calendar_is_a_value_error(at: float) -> None:
    with pytest.raises(ValueError):
        timestamps.text(at)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-23T09:00:00Z", START),
        ("2026-11-23t09:00:00z", START),
        ("2026-11-23T11:30:00+02:30", START),
        ("2026-11-23T09:00:00-00:00", START),
        # Two digits, while Python 3.10's own parser accepts only three or six.
        (
            "2026-11-23T09:00:00.25Z",
            START + 0.25,
        ),
        ("2026-11-23T09:00:00,25Z", START + 0.25),
        ("2026-11-23T09:00:00.250000Z", START + 0.25),
        ("2026-11-23T09:00:00.250000999Z", START + 0.25),
        ("1970-01-01T00:01:00Z", 60.0),
    ],
)
def test_rfc_3339_is_read(text: str, seconds: float) -> None:
    assert timestamps.read(text) == timestamps.seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        None, "", "yesterday", "2026-11-23", "2026-11-23T09:00:00", "2026-11-23 09:00:00Z", "2026-11-23T09:00Z", "2026-13-01T00:00:00Z",
        "2026-11-23T25:00:00Z", "2026-11-23T09:00:00.Z", "2026-11-23T09:00:00+0230", "2026-11-23T09:00:00Z ", "٢026-11-23T09:00:00Z",
    ],
)  # fmt: skip
def test_anything_else_is_no_time(text: str | None) -> None:
    assert timestamps.read(text) is None
    assert timestamps.seconds(text) == 0.0


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_what_was_written_is_read_back(at: int) -> None:
    text = timestamps.text(at)
    assert timestamps.read(text) == at
    assert len(text) == 20


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), st.integers(0, 6))
def test_a_fraction_has_any_number_of_digits(moment: datetime, digits: int) -> None:
    fraction = f".{moment.microsecond:06d}"[: digits + 1] if digits else ""
    at = timestamps.read(f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z")
    whole = moment.replace(microsecond=0, tzinfo=timezone.utc).timestamp()
    assert at == whole + float(f"0{fraction or '.0'}")
