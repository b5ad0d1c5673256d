"""What is mounted in this process's mount namespace: /proc/self/mountinfo, as proc(5) describes it."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

_ESCAPE = re.compile(r"\\([0-7]{3})")


class MountEntry(NamedTuple):
    """system: the number of the file system. root: which of its folders is shown. place: where. read_only: here, or as a whole."""

    system: str
    root: str
    place: str
    kind: str
    read_only: bool


def mounted() -> list[MountEntry]:
    """In the order of the table: of several at one place the last covers the others."""
    with open("/proc/self/mountinfo", "rb") as file:
        return [parse(os.fsdecode(line)) for line in file.read().removesuffix(b"\n").split(b"\n")]


def parse(line: str) -> MountEntry:
    """A line of the table. Nothing but blanks separates its fields: a name may hold every other character as it is."""
    before, _, after = line.partition(" - ")
    _, _, system, root, place, options, *_ = before.split(" ")
    kind, _, options_of_all = after.split(" ", 2)
    read_only = "ro" in options.split(",") or "ro" in options_of_all.split(",")
    return MountEntry(system, _plain(root), _plain(place), _plain(kind), read_only)


def _plain(name: str) -> str:
    """Blanks, tabs, breaks of lines and backslashes are written by their numbers."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), name)
