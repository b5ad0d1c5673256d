"""The folders that a container has for itself (/tmp, /run…): empty at its start, so what the one before left is removed.

Most containers change nothing in most of them. An emptied folder is dated back, which no change leaves as it is: one look at a folder tells
whether there is anything to do.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Mapping

from . import file_trees

_AGE = 10_000_000_000  # nanoseconds, many times the kernel's tick
_Look = tuple[int, ...] | None


class OwnFolders:
    """folders: path on this machine → mode (None: as it is), those around others first. pinned: what stays in them."""

    def __init__(self, folders: Mapping[str, int | None]) -> None:
        self._folders = folders
        self.pinned: set[str] = set()
        self._empty: dict[str, _Look] = {}
        self._furnish(folders)

    def is_untouched(self, path: str) -> bool:
        """Whether a folder is as it was at the start."""
        return path in self._folders and _look(path) == self._empty[path]

    def empty(self) -> None:
        """Raises OSError."""
        changed = [path for path in self._folders if _look(path) != self._empty[path]]
        for path in changed:
            if not _is_folder(path):  # the one around it was seen to: it is gone
                continue
            with os.scandir(path) as entries:
                for entry in list(entries):
                    own = entry.path in self._folders and entry.is_dir(follow_symlinks=False)
                    if not own and entry.path not in self.pinned:
                        file_trees.remove(entry.path)
        self._furnish(changed)

    def _furnish(self, paths: Iterable[str]) -> None:
        for path in paths:
            if not _is_folder(path):
                os.mkdir(path)
            if (mode := self._folders[path]) is not None:
                os.chmod(path, mode)
        then = time.time_ns() - _AGE
        for path in paths:
            os.utime(path, ns=(then, then))
            self._empty[path] = _look(path)


def _look(path: str) -> _Look:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_mode, status.st_uid, status.st_gid, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
