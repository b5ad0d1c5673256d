"""Moments and layouts as Go's time package has them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hera_utils.expressions.gotime import LAYOUTS, RFC3339_NANO, Moment, format_moment, parse_moment, zone
from hera_utils.expressions.values import Failure

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("layout", "text", "seconds"),
    [
        ("2006-01-02", "2023-08-14", 1691971200),
        (LAYOUTS["RFC3339"], "2023-08-14T02:00:00+02:00", 1691971200),
        (LAYOUTS["RFC1123"], "Mon, 14 Aug 2023 00:00:00 UTC", 1691971200),
        ("2006-01-02 3:04pm", "2023-08-14 1:30pm", 1692019800),
        ("20060102T150405Z0700", "20230814T000000Z", 1691971200),
        ("2006-002", "2023-226", 1691971200),
    ],
)
def test_parsed(layout: str, text: str, seconds: int) -> None:
    assert parse_moment(layout, text).nanoseconds == seconds * SECOND


@pytest.mark.parametrize(
    ("layout", "text"), [("2006-01-02", "2023-02-30"), ("2006-01-02", "2023-8-14"), ("2006", "20"), ("15:04", "25:00")]
)
def test_refused(layout: str, text: str) -> None:
    with pytest.raises(Failure):
        parse_moment(layout, text)


@given(st.integers(-(10**18), 10**19), st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata"]))
def test_what_is_written_is_read_again(nanoseconds: int, name: str) -> None:
    at = Moment(nanoseconds, zone(name))
    text = format_moment(at, RFC3339_NANO)
    assert parse_moment(RFC3339_NANO, text).nanoseconds == nanoseconds


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_layout_and_text_gives_a_moment_or_a_failure(layout: str, text: str) -> None:
    with contextlib.suppress(Failure):
        format_moment(parse_moment(layout, text), layout)
