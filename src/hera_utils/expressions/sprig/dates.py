"""sprig's functions of dates and durations."""

from __future__ import annotations

import re
from typing import Any

from hera_utils.argo.durations import HOUR, MINUTE, SECOND, DurationError, format_nanoseconds, nanoseconds
from hera_utils.expressions.entropy import Entropy
from hera_utils.expressions.gotime import Moment, format_moment, moment_at, parse_moment, zone
from hera_utils.expressions.sprig.texts import Table
from hera_utils.expressions.values import Failure, go_type, wrap_int64


def _moment_of(value: Any, entropy: Entropy) -> Moment:
    if isinstance(value, Moment):
        return value
    if go_type(value) in ("int", "int64", "int32"):
        return Moment(int(value) * SECOND)
    return moment_at(entropy.at)


def _in_zone(layout: str, value: Any, name: str, entropy: Entropy) -> str:
    try:
        where = zone(name)
    except Failure:
        where = zone("UTC")
    return format_moment(Moment(_moment_of(value, entropy).nanoseconds, where), layout)


def _modify(change: str, at: Moment) -> Moment:
    try:
        return at.add(nanoseconds(change))
    except DurationError:
        return at


def _must_modify(change: str, at: Moment) -> Moment:
    try:
        return at.add(nanoseconds(change))
    except DurationError as error:
        raise Failure(error.message) from None


def _duration(value: Any) -> str:
    number = int(value) if go_type(value) == "int64" else 0
    if isinstance(value, str) and re.fullmatch("[+-]?[0-9]+", value):
        number = max(-(1 << 63), min((1 << 63) - 1, int(value)))
    return format_nanoseconds(wrap_int64(number * SECOND))


def _round(value: Any, entropy: Entropy) -> str:
    length = 0
    if isinstance(value, str):
        try:
            length = nanoseconds(value)
        except DurationError:
            length = 0
    elif go_type(value) == "int64":
        length = int(value)
    elif isinstance(value, Moment):
        length = moment_at(entropy.at).nanoseconds - value.nanoseconds
    length = abs(length)
    day = 24 * HOUR
    for unit, size in (("y", 365 * day), ("mo", 30 * day), ("d", day), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        if length > size:
            return f"{length // size}{unit}"
    return "0s"


def _ago(value: Any, entropy: Entropy) -> str:
    length = moment_at(entropy.at).nanoseconds - _moment_of(value, entropy).nanoseconds
    return format_nanoseconds((length + SECOND // 2) // SECOND * SECOND)


ZERO = Moment(-62135596800 * SECOND)


def _to_date(layout: str, value: str) -> Moment:
    try:
        return parse_moment(layout, value)
    except Failure:
        return ZERO


def dates(entropy: Entropy) -> Table:
    """The functions of dates; `now` is the time of the entropy."""
    return {
        "now": ("", lambda: moment_at(entropy.at)),
        "ago": ("a", lambda value: _ago(value, entropy)),
        "date": ("sa", lambda layout, value: _in_zone(layout, value, "Local", entropy)),
        "date_in_zone": ("sas", lambda layout, value, name: _in_zone(layout, value, name, entropy)),
        "dateInZone": ("sas", lambda layout, value, name: _in_zone(layout, value, name, entropy)),
        "htmlDate": ("a", lambda value: _in_zone("2006-01-02", value, "Local", entropy)),
        "htmlDateInZone": ("as", lambda value, name: _in_zone("2006-01-02", value, name, entropy)),
        "date_modify": ("st", _modify),
        "dateModify": ("st", _modify),
        "must_date_modify": ("st", _must_modify),
        "mustDateModify": ("st", _must_modify),
        "duration": ("a", _duration),
        "durationRound": ("a", lambda value: _round(value, entropy)),
        "toDate": ("ss", _to_date),
        "mustToDate": ("ss", parse_moment),
        "unixEpoch": ("t", lambda at: str(at.nanoseconds // SECOND)),
    }
