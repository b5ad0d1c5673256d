"""Room on a disk. While it is full, pods wait and say so, and a write that failed is tried again."""

from __future__ import annotations

import errno
import os

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""No space, a quota that is used up, a file system that became read-only (as the kernel makes one with errors)."""
_LEAST = 64 << 20
_SHARE = 20  # of a small disk a twentieth is enough
FIX = "free some space (`hera-utils gc` removes old runs)"


def is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in FULL


def least(size: int) -> int:
    """Bytes that are left free on a disk of that size before anything more is started on it."""
    return min(_LEAST, size // _SHARE)


def shortage(folder: str, why: BaseException | None = None) -> str:
    """Why nothing more should be written below a folder, with what to do; "" when there is room. why: an error of writing there."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return ""
    if disk.f_flag & os.ST_RDONLY or (isinstance(why, OSError) and why.errno == errno.EROFS):
        return f"the file system with {folder} is read-only: make it writable again"
    if isinstance(why, OSError) and why.errno == errno.EDQUOT:
        return f"the quota of the disk with {folder} is used up: {FIX}"
    left, needed = disk.f_bavail * disk.f_frsize, least(disk.f_blocks * disk.f_frsize)
    if left >= needed and why is None:
        return ""
    enough = "" if why is not None else f", {_size(needed)} needed"
    return f"the disk with {folder} is full ({_size(left)} free{enough}): {FIX}"


def free(folder: str) -> int:
    """Bytes that may be written below a folder."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return 0
    return disk.f_bavail * disk.f_frsize


def _size(count: float) -> str:
    return f"{count / 2**20:.0f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"
