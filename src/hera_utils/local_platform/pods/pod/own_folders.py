"""The folders that each container has for itself (/tmp, /run…). They must be empty at its start, so the files of the container before are
removed.

Most containers change nothing in most of them. The time of an emptied folder is set back, and every change resets it, so the folder's
status alone shows whether there is anything to remove.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import PurePath

from . import file_trees

_AGE = 10_000_000_000  # nanoseconds, many times the kernel's tick
Look = tuple[int, ...] | None
Access = tuple[int, int, int, tuple[tuple[str, bytes], ...]]


class OwnFolders:
    """folders: path on this machine → mode (None: unchanged), outer folders first."""

    def __init__(self, folders: Mapping[str, int | None]) -> None:
        self._folders = dict(folders)
        self._pinned: dict[str, Look] = {}
        self._pinned_ways: dict[str, Look] = {}
        self._empty: dict[str, Look] = {}
        self._access: dict[str, Access] = {}
        self._points: frozenset[str] = frozenset()
        self._ways: dict[str, Look] = {}
        self._furnish(self._folders)

    def pin(self, file: str) -> None:
        """Keep a file, and the folders that lead to it, when the folders are emptied."""
        ways = _ways(file, self._folders)
        self._folders.update(dict.fromkeys(ways))
        self._pinned[file] = _look(file)
        self._pinned_ways.update({way: identity(way) for way in ways})
        self._furnish(self._folders)

    def hold(self, points: Iterable[str], ways: Mapping[str, Look]) -> None:
        """Keep these mount points, and the folders that lead to them, from now on: something is mounted there in another mount namespace.

        ways: the folders that lead to the points, each with its `identity`.
        """
        self._points, self._ways = frozenset(points), dict(ways)
        self._empty.clear()  # check every folder again, because other files were kept before

    def are_held(self) -> bool:
        """Whether the folders that lead to the points were not moved, replaced or given away. (The kernel keeps the points themselves.)"""
        return all(map(_is_folder, self._points)) and all(identity(way) == was for way, was in self._ways.items())

    def is_untouched(self, path: str) -> bool:
        """Whether a folder is as it was at the start."""
        return path in self._folders and path in self._empty and _look(path) == self._empty[path]

    def empty(self) -> None:
        """Empty the folders. Raises OSError, also when a pinned file was moved, or a folder's owner or permissions were changed."""
        pinned = {path: _look(path) for path in self._pinned}, {way: identity(way) for way in self._pinned_ways}
        if pinned != (self._pinned, self._pinned_ways):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), *self._pinned)
        changed = [path for path in (*self._folders, *self._ways) if _look(path) != self._empty.get(path)]
        for path in changed:
            if path in self._access and _is_folder(path) and access(path) != self._access[path]:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)
        for path in changed:
            if not _is_folder(path):  # removed with its outer folder
                continue
            with os.scandir(path) as entries:
                for entry in list(entries):
                    is_kept = entry.path in self._folders or entry.path in self._ways or entry.path in self._points
                    if not (is_kept and entry.is_dir(follow_symlinks=False)) and entry.path not in self._pinned:
                        file_trees.remove(entry.path)
        self._furnish(changed)

    def _furnish(self, paths: Iterable[str]) -> None:
        for path in paths:
            if not _is_folder(path):
                os.mkdir(path)
            if (mode := self._folders.get(path)) is not None:
                os.chmod(path, mode)
        then = time.time_ns() - _AGE
        for path in paths:
            os.utime(path, ns=(then, then))
            self._empty[path] = _look(path)
            self._access[path] = access(path)


def _ways(file: str, folders: Iterable[str]) -> list[str]:
    """The folders between one of `folders` and a file in it, the outermost first."""
    ways = [way for way in map(str, reversed(PurePath(file).parents)) if way not in folders]
    return [way for way in ways if any(way.startswith(f"{folder}/") for folder in folders)]


def _look(path: str) -> Look:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_mode, status.st_uid, status.st_gid, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def access(path: str) -> Access:
    """The access rights of a file or folder: mode, owner, group and extended attributes (also ACLs), except the kernel's own attributes."""
    status = os.lstat(path)
    names = []
    with contextlib.suppress(OSError):  # a file system without attributes
        names = [
            name
            for name in os.listxattr(path, follow_symlinks=False)
            if not name.startswith("security.") and ".overlay." not in name
        ]
    attributes = tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in sorted(names))
    return status.st_mode, status.st_uid, status.st_gid, attributes


def identity(path: str) -> Look:
    """The part of a folder's status that does not change when entries are added or removed; None when it is no folder."""
    look = _look(path)
    return look[:4] if look is not None and stat.S_ISDIR(look[0]) else None


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False
