"""A terminal for a container that wants one (`tty`), of the worker's own: no task may read what is typed in this machine's terminals."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct

_UNLOCK, _PEER = 0x40045431, 0x5441  # TIOCSPTLCK, TIOCGPTPEER
_HOW = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC


def open_one(devices: str) -> tuple[int, int]:
    """Both ends: what is read of it here, and the container's. devices: the worker's /dev. Raises OSError."""
    ours = os.open(f"{devices}/pts/ptmx", _HOW)
    try:
        fcntl.ioctl(ours, _UNLOCK, struct.pack("i", 0))
        return ours, fcntl.ioctl(ours, _PEER, _HOW)
    except OSError:
        with contextlib.suppress(OSError):
            os.close(ours)
        raise
