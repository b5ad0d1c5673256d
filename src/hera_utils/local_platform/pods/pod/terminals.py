"""Terminals for containers with `tty`. They are the worker's own ones, so that no task can read the terminals of this machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct

_UNLOCK, _PEER = 0x40045431, 0x5441  # TIOCSPTLCK, TIOCGPTPEER
_HOW = os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC


def open_one(devices: str) -> tuple[int, int]:
    """(this process's end, the container's end) of a new terminal. devices: the worker's /dev. Raises OSError."""
    ours = os.open(f"{devices}/pts/ptmx", _HOW)
    try:
        fcntl.ioctl(ours, _UNLOCK, struct.pack("i", 0))
        return ours, fcntl.ioctl(ours, _PEER, _HOW)
    except OSError:
        with contextlib.suppress(OSError):
            os.close(ours)
        raise
