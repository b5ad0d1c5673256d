"""Undoing what a container did to an overlay, where it only added files: then the overlay is as it was and can be used again."""

from __future__ import annotations

import os
import stat

from .discard import discard


def undo(upper: str, merged: str, lower: list[str]) -> bool:
    """Remove what `upper` has and no lower folder has, through the mounted overlay. Whether nothing else was changed.

    merged: the overlay (or the folder in it). lower: the same folder in the layers below, the uppermost first. A file of a lower
    layer that was changed or removed, a folder whose mode, owner or content was replaced, cannot be undone.
    """
    with os.scandir(upper) as entries:
        found = list(entries)
    for entry in found:
        below = [path for path in (f"{folder}/{entry.name}" for folder in lower) if os.path.lexists(path)]
        if not below:
            if stat.S_ISCHR(entry.stat(follow_symlinks=False).st_mode):
                return False  # a whiteout of what is no longer there
            _remove(f"{merged}/{entry.name}", folder=entry.is_dir(follow_symlinks=False))
        elif not _same_folder(entry, below[0]) or not undo(
            entry.path, f"{merged}/{entry.name}", [path for path in below if os.path.isdir(path)]
        ):
            return False
    return True


def _same_folder(entry: os.DirEntry[str], below: str) -> bool:
    above, original = entry.stat(follow_symlinks=False), os.lstat(below)
    if not stat.S_ISDIR(above.st_mode) or not stat.S_ISDIR(original.st_mode):
        return False
    if (above.st_mode, above.st_uid, above.st_gid) != (original.st_mode, original.st_uid, original.st_gid):
        return False
    return not any(name.endswith(".overlay.opaque") for name in os.listxattr(entry.path))


def _remove(path: str, *, folder: bool) -> None:
    if folder:
        discard(path)
    else:
        os.unlink(path)
