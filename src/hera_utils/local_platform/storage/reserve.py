"""A file that only reserves disk space: freeing space needs some itself, and so does reporting that the disk is full.

When the journal finds the disk full, the file is removed; once there is space again, it is created again.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from hera_utils.local_platform.pods.pod import disk_room

_MOST = 8 << 20
_SHARE = 50  # on a small disk the reserve takes a fiftieth
_PAUSE = 5.0
"""Seconds between attempts to create the file again."""


class Reserve:
    """state: the state folder. Used by one thread."""

    def __init__(self, state: Path) -> None:
        self._state, self._path = state, state / "reserve"
        self._tried = 0.0

    def give_up(self) -> bool:
        """Remove the file. Returns whether there was one."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def keep(self) -> None:
        """Create the file, if the disk has enough space. It raises no error otherwise: the journal's next write does."""
        now = time.monotonic()
        if now - self._tried < _PAUSE and self._tried:
            return
        self._tried = now
        try:
            if self._path.exists():
                return
            disk = os.statvfs(self._state)
            size = min(_MOST, disk.f_blocks * disk.f_frsize // _SHARE)
            if disk_room.shortage(str(self._state)) or disk.f_bavail * disk.f_frsize < 2 * size:
                return
            file = os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, size)
            finally:
                os.close(file)
        except OSError:
            self.give_up()
