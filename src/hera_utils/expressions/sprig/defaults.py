"""sprig's functions that choose a value: default, coalesce, ternary; and those that test for empty ones: empty, all, any."""

from __future__ import annotations

from typing import Any

from hera_utils.expressions.sprig.texts import Table


def empty(value: Any) -> bool:
    """Whether a value is the zero value of its kind (sprig: empty)."""
    if value is None:
        return True
    if isinstance(value, str | list | tuple | dict | bytes):
        return len(value) == 0
    if isinstance(value, bool | int | float):
        return not value
    return False


def _default(fallback: Any, *values: Any) -> Any:
    return fallback if not values or empty(values[0]) else values[0]


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if not empty(value)), None)


DEFAULTS: Table = {
    "default": ("aa*", _default),
    "empty": ("a", empty),
    "coalesce": ("a*", _coalesce),
    "all": ("a*", lambda *values: not any(map(empty, values))),
    "any": ("a*", lambda *values: not all(map(empty, values))),
    "ternary": ("aab", lambda yes, no, verdict: yes if verdict else no),
}
