"""Copies the files of an image, for a disk whose folders the kernel's overlay refuses as layers.

A copy is slower and larger than an overlay, but gives the same files: a layer's whiteouts and opaque folders are applied while it is
copied over the lower layers (images/whiteouts.py describes their form). A root that is a copy is used only once.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat

from . import file_trees

_KINDS = ("trusted", "user")


def put(layer: str, target: str) -> None:
    """Copy a layer over the files in `target`. Raises OSError."""
    with os.scandir(layer) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            _put_one(entry, f"{target}/{entry.name}")


def _put_one(entry: os.DirEntry[str], place: str) -> None:
    status = entry.stat(follow_symlinks=False)
    if _is_whiteout(entry.path, status):
        file_trees.remove(place)
        return
    if stat.S_ISDIR(status.st_mode):
        if os.path.islink(place) or not os.path.isdir(place) or _attribute(entry.path, "overlay.opaque") == b"y":
            file_trees.remove(place)
        with contextlib.suppress(FileExistsError):
            os.mkdir(place)
        put(entry.path, place)
    else:
        file_trees.remove(place)
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(entry.path), place)
        elif stat.S_ISREG(status.st_mode):
            shutil.copyfile(entry.path, place, follow_symlinks=False)
        else:
            return  # the store contains no devices and pipes
    with contextlib.suppress(PermissionError):
        os.chown(place, status.st_uid, status.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(place, stat.S_IMODE(status.st_mode))
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def _is_whiteout(path: str, status: os.stat_result) -> bool:
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    return stat.S_ISREG(status.st_mode) and status.st_size == 0 and _attribute(path, "overlay.whiteout") is not None


def _attribute(path: str, name: str) -> bytes | None:
    for kind in _KINDS:
        with contextlib.suppress(OSError):
            return os.getxattr(path, f"{kind}.{name}", follow_symlinks=False)
    return None
