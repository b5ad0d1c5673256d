"""Free space on a disk. While a disk is full, pods wait and say so, and failed writes are repeated."""

from __future__ import annotations

import errno
import os

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""No space, an exhausted quota, or a file system that became read-only (the kernel does this after errors)."""
_LEAST = 64 << 20
_SHARE = 20  # on a small disk, a twentieth of it
FIX = "free some space (`hera-utils gc` removes old runs)"


def is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in FULL


def least(size: int) -> int:
    """Bytes that must be free on a disk of that size before more is started."""
    return min(_LEAST, size // _SHARE)


def shortage(folder: str, why: BaseException | None = None) -> str:
    """Why nothing more should be written below a folder and what to do; "" when there is room. why: an error from writing there."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return ""
    if disk.f_flag & os.ST_RDONLY or (isinstance(why, OSError) and why.errno == errno.EROFS):
        return f"the file system with {folder} is read-only: make it writable again"
    if isinstance(why, OSError) and why.errno == errno.EDQUOT:
        return f"the quota of the disk with {folder} is used up: {FIX}"
    if disk.f_files and not disk.f_favail:
        return f"the disk with {folder} can hold no more files (it has no free inodes): {FIX}"
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
