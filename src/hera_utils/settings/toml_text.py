"""Changes the text of a TOML file: appends or removes a section, or replaces one line; everything else stays, with its comments.

These functions handle ordinary layouts only, so the caller must check the content of the result. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HEADER = re.compile(r"\s*\[\[?(?P<path>[^\[\]]+)\]\]?\s*(#.*)?$")


def section(path: tuple[str, ...], table: Mapping[str, Any]) -> str:
    """A table as `[a.b]` with its keys, followed by its subtables."""
    own = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"[{_format_path(path)}]", *(f"{_key(key)} = {value_text(value)}" for key, value in own.items())]
    text = "\n".join(lines) + "\n"
    for key, value in table.items():
        if isinstance(value, Mapping):
            text += "\n" + section((*path, key), value)
    return text


def value_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(value_text, value)) + "]"
    return _quote(str(value))


def append_text(text: str, more: str) -> str:
    """The text with `more` appended after a blank line."""
    return f"{text.rstrip()}\n\n{more}" if text.strip() else more


def remove_section(text: str, path: tuple[str, ...]) -> str:
    """The text without `[path]` and its subsections; comment lines directly above a removed section are removed, too."""
    lines_left: list[str] = []
    leaving = False
    above: list[str] = []  # the last comment lines, which may belong to the next section
    for line in text.splitlines(keepends=True):
        header = _HEADER.match(line.rstrip("\n"))
        if header is not None:
            was, leaving = leaving, _parts(header["path"])[: len(path)] == path
            while leaving and not was and lines_left and lines_left[-1].lstrip().startswith("#"):
                lines_left.pop()
            if was and not leaving:
                lines_left += above
        if leaving:
            above = [*above, line] if line.lstrip().startswith("#") else []
        else:
            lines_left.append(line)
    left = "".join(lines_left)
    return left.strip("\n") + "\n" if left.strip() else ""


def set_line(text: str, key: str, value: Any) -> str:
    """The text with the line `key = value` above its first section, or without it if the value is None."""
    lines = text.splitlines(keepends=True)
    first = next((at for at, line in enumerate(lines) if _HEADER.match(line.rstrip("\n"))), len(lines))
    there = re.compile(rf"\s*(?:{re.escape(key)}|\"{re.escape(key)}\")\s*=")
    kept = [line for at, line in enumerate(lines) if at >= first or not there.match(line)]
    if value is None:
        return "".join(kept)
    at = next((at for at, line in enumerate(lines[:first]) if there.match(line)), 0)
    gap = "\n" if at == 0 and kept and _HEADER.match(kept[0].rstrip("\n")) else ""
    return "".join([*kept[:at], f"{key} = {value_text(value)}\n{gap}", *kept[at:]])


def _format_path(path: tuple[str, ...]) -> str:
    return ".".join(map(_key, path))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quote(name)


def _quote(text: str) -> str:
    """A TOML basic string; these equal JSON strings except for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _parts(path: str) -> tuple[str, ...]:
    """`a."b.c".d` → (a, b.c, d)."""
    words = re.findall(r'\s*("(?:[^"\\]|\\.)*"|\'[^\']*\'|[A-Za-z0-9_-]+)\s*(?:\.|$)', path)
    return tuple(json.loads(word) if word.startswith('"') else word.strip("'") for word in words)
