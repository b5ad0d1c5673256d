"""A whole number in a text, as Go parses one. Python's int takes `²`, `1_0` and more, and refuses 5,000 digits with an error of its own."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"[+-]?0*[0-9]{1,19}")


def whole_number(text: str) -> int | None:
    """The 64 bit integer that a text is; None for any other text."""
    if _NUMBER.fullmatch(text) is None:
        return None
    sign, digits = ("-" if text[0] == "-" else ""), text.lstrip("+-").lstrip("0")
    number = int(f"{sign}{digits or 0}")
    return number if -(2**63) <= number < 2**63 else None
