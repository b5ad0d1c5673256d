"""Parses integers as Go does. Python's int accepts `²`, `1_0` and more, and raises a different error for 5,000 digits."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[+-]?0*[0-9]{1,19}")


def whole_number(text: str) -> int | None:
    """The 64-bit integer in a text; None if the text is none."""
    if _NUMBER.fullmatch(text) is None:
        return None
    sign, digits = ("-" if text[0] == "-" else ""), text.lstrip("+-").lstrip("0")
    number = int(f"{sign}{digits or 0}")
    return number if -(2**63) <= number < 2**63 else None
