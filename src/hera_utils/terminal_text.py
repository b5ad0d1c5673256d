"""Makes foreign text safe for a terminal: control sequences (for the title, the cursor, the clipboard) become visible. Pure.

A pod's message, a parameter, a name, a log line or a server's error may contain anything. Characters that reverse the reading direction
become visible, too, because they make a text look like another one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_DIRECTIONS = "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
_control = re.compile(f"[{_CONTROLS}{_DIRECTIONS}]")
_colour = re.compile(r"\x1b\[([0-9;]*)m")
_CONCEALED = {"8", "08"}  # the number (SGR) that hides text


class StyledText(str):
    """A line with hera_utils' own colours; its creator has cleaned the foreign text in it."""

    __slots__ = ()


def visible(text: str) -> str:
    """The text without colours and with control characters shown as `\\x1b`; line ends and tabs stay."""
    return _control.sub(_as_number, _colour.sub("", text))


def cell(text: str) -> str:
    """As `visible`, in one line, for the cell of a table."""
    return visible(text).replace("\n", "\\n").replace("\t", " ")


def log_lines(line: str, *, colours: bool) -> Iterator[str]:
    """A line of a task's log for a terminal. colours: whether the task's colours stay; they end with the line.

    A carriage return, which would overwrite the line, begins a new line.
    """
    for part in line.rstrip("\r\n").split("\r"):
        if not colours or not _colour.search(part):
            yield visible(part)
            continue
        pieces = _colour.split(part)  # text, numbers, text, numbers, …, text
        visible_pieces = [visible(piece) if not place % 2 else _colour_of(piece) for place, piece in enumerate(pieces)]
        yield StyledText("".join(visible_pieces) + "\x1b[0m")


def _colour_of(numbers: str) -> str:
    return "" if _CONCEALED & set(numbers.split(";")) else f"\x1b[{numbers}m"


def _as_number(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
