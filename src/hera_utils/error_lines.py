"""Finds the line in a program's last output that says why it failed: the exception of a Python traceback, else the last line. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hera_utils.terminal_text import cell

LONGEST = 200  # characters
# The prefix of `|` and `+` belongs to a group of exceptions.
_HEAD = re.compile(r"^([ |+]*)(?:Exception Group )?Traceback \(most recent call last\):$")
OOM_KILLED = "OOMKilled (exit code 137)"
"""The end of Argo's message for a container that was killed because it used too much memory."""
OVER_MEMORY = "used more than its memory limit"
"""The beginning of the error line of a container that Argo calls OOMKilled, because the last line of its output does not say why."""
NUMBERS = re.compile(r"(?<!exit code )(?<![\w.])\d[\w.]*")
"""Matches the numbers of a message that do not count when failures are compared, in Python and on the page of a run."""
_exit_code = re.compile(r"^[\w.-]+: Error \(exit code \d+\)$")


def error_line(written: Sequence[str]) -> str:
    """The line, at most LONGEST characters, with control characters made visible; "" without output."""
    lines = [
        line.rstrip().rpartition("\r")[2] for line in written if line.strip()
    ]  # as a terminal shows a progress bar
    unindented = [line for line in lines if not line[0].isspace()] or lines  # indented lines are details, such as a fix
    line = _exception(lines) or (unindented[-1] if lines else "")
    line = cell(line.strip())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def with_error_line(message: str, line: str) -> str:
    """Argo's message, followed by the error line if the message contains only an exit code, or only says that the memory was too small."""
    is_more = is_exit_code(message) or (line.startswith(OVER_MEMORY) and message.endswith(OOM_KILLED))
    return f"{message}: {line}" if line and is_more else message


def is_exit_code(message: str) -> bool:
    """Whether Argo's message says only that a program failed, not why."""
    return bool(_exit_code.match(message))


def without_numbers(why: str) -> str:
    """The reason of a failure without its numbers (but with its exit code): in a sweep they are those of the point, so failures whose
    reasons differ in nothing else are equal.
    """
    return NUMBERS.sub("#", why)


def _exception(lines: Sequence[str]) -> str:
    """The first line after the frames of the last traceback; further lines of the exception (such as pydantic's list) follow it."""
    heads = [(number, match[1]) for number, line in enumerate(lines) if (match := _HEAD.match(line))]
    if not heads:
        return ""
    number, margin = heads[-1]
    after = (line[len(margin) :] for line in lines[number + 1 :] if not line[: len(margin)].strip(" |"))
    return next((line for line in after if line and not line.startswith(" ")), "")
