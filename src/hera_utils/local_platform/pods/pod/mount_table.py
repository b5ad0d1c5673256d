"""Reads the mounts of this process's mount namespace from /proc/self/mountinfo, whose format is in proc(5)."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

_ESCAPE = re.compile(r"\\([0-7]{3})")


class MountEntry(NamedTuple):
    """system: the number of the file system. root: its folder that is mounted. place: the mount point. kind: the file system's type."""

    system: str
    root: str
    place: str
    kind: str
    read_only: bool


def mounted() -> list[MountEntry]:
    """The mounts in the order of the table: of several at one place the last one covers the others."""
    with open("/proc/self/mountinfo", "rb") as file:
        return [parse(os.fsdecode(line)) for line in file.read().removesuffix(b"\n").split(b"\n")]


def parse(line: str) -> MountEntry:
    """Parse a line of the table. Only spaces separate its fields: a name may contain any other character."""
    before, _, after = line.partition(" - ")
    _, _, system, root, place, options, *_ = before.split(" ")
    kind, _, options_of_all = after.split(" ", 2)
    read_only = "ro" in options.split(",") or "ro" in options_of_all.split(",")
    return MountEntry(system, _plain(root), _plain(place), _plain(kind), read_only)


def _plain(name: str) -> str:
    """Replace the octal escapes, by which the table writes spaces, tabs, newlines and backslashes."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), name)
