"""A file that only keeps room on the disk: what frees space needs some itself, and so does reporting that there is none.

When the journal finds the disk full, the reserve is given up; once there is room again it is taken back.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from hera_utils.local_platform.pods.pod import disk_room

_MOST = 8 << 20
_SHARE = 50  # of a small disk a fiftieth
_PAUSE = 5.0
"""Seconds between attempts to take it back."""


class Reserve:
    """state: the state folder. Used by one thread."""

    def __init__(self, state: Path) -> None:
        self._state, self._path = state, state / "reserve"
        self._tried = 0.0

    def give_up(self) -> bool:
        """Free its room; whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def keep(self) -> None:
        """Take the room, if the disk has it to spare. No error when it has not: the next write reports it."""
        now = time.monotonic()
        if now - self._tried < _PAUSE and self._tried:
            return
        self._tried = now
        try:
            if self._path.exists():
                return
            found = os.statvfs(self._state)
            size = min(_MOST, found.f_blocks * found.f_frsize // _SHARE)
            if disk_room.shortage(str(self._state)) or found.f_bavail * found.f_frsize < 2 * size:
                return
            file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, size)
            finally:
                os.close(file)
        except OSError:
            self.give_up()
