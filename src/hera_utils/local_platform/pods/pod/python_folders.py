"""Folders of this machine that a task with this machine's Python needs, although they are below folders that tasks see empty: the script's
own folder below /tmp, the interpreter's packages, programs of an image table.

Annotations of the workflow name them, and the workflow may be somebody else's. So they must not give access to what is hidden from tasks:
the state folder, /tmp and /run as a whole, sockets of other programs (Docker, agents, terminal multiplexers).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import stat
from collections.abc import Iterable, Iterator

from .mount_points import Mount
from .open_beneath import is_in
from .shared_mounts import OWN

_OF_USERS = "/run/media"  # a user's removable disks
_PYTHONS = "python"  # in the state folder: interpreters with packages (images/python_environment.py)
_MOST_LOOKED_AT = 2000
_DEEPEST = 3


def exposed(folders: Iterable[str], state: str) -> tuple[Mount, ...]:
    """Mounts for those of the folders that a task would not see. state: the state folder."""
    return tuple(_mounts(dict.fromkeys(filter(None, folders)), state))


def _mounts(folders: Iterable[str], state: str) -> Iterator[Mount]:
    for path in folders:
        if not _is_hidden(path := os.path.normpath(path), state):
            continue
        real = os.path.realpath(path)
        if is_in(real, f"{state}/{_PYTHONS}") and is_in(path, f"{state}/{_PYTHONS}"):
            yield Mount(real, path, True)
        elif os.path.isdir(real) and _may_be_seen(real, state) and _may_be_seen(path, state):
            yield Mount(real, path, True, is_plain=True)


@functools.lru_cache(maxsize=64)
def _is_hidden(path: str, state: str) -> bool:
    return any(is_in(path, hidden) for hidden in (*OWN, state))


def _may_be_seen(folder: str, state: str) -> bool:
    if is_in(folder, state) or any(is_in(own, folder) for own in OWN):
        return False
    if is_in(folder, "/run") and not is_in(folder, _OF_USERS):
        return False
    return not _holds_sockets(folder, os.stat(folder).st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _holds_sockets(folder: str, _modified: int) -> bool:
    """Whether one of the first `_MOST_LOOKED_AT` entries of the folder and its subfolders is a socket. _modified: part of the cache's key,
    so that a changed folder is checked again.
    """
    return any(map(_is_socket, itertools.islice(_entries(folder, _DEEPEST), _MOST_LOOKED_AT)))


def _entries(folder: str, levels: int) -> Iterator[os.DirEntry[str]]:
    """The entries of a folder, then those of its subfolders, level by level. Unreadable folders are left out."""
    folders = [folder]
    for _ in range(levels):
        inner = []
        for path in folders:
            with contextlib.suppress(OSError), os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        inner.append(entry.path)
                    yield entry
        folders = inner


def _is_socket(entry: os.DirEntry[str]) -> bool:
    try:
        kind = not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False))
        return kind and stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        return False
