"""Folders of this machine that a task in this machine's Python needs although they lie under one that it finds empty: the script's own
folder below /tmp, the interpreter's packages, programs of an image's table.

They are named by annotations of the workflow, which may be somebody else's. So none of them is a way to what is kept from tasks: the state
folder, /tmp and /run as a whole, sockets of other programs (Docker's, agents', terminal multiplexers').
"""

from __future__ import annotations

import functools
import os
import stat
from collections.abc import Iterable, Iterator

from .mount_points import Mount
from .open_beneath import is_in
from .shared_mounts import OWN

_OF_USERS = "/run/media"  # disks that a user has plugged in
_PYTHONS = "python"  # of the state folder: interpreters with packages (images/python_environment.py)
_MOST_LOOKED_AT = 2000
_DEEPEST = 3


def exposed(folders: Iterable[str], state: str) -> tuple[Mount, ...]:
    """Those of the folders that would not be seen, as mounts. state: the state folder."""
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
def _holds_sockets(folder: str, _: int) -> bool:
    """Whether it has sockets, also in folders in it: as many as one looks at."""
    level, looked_at = [folder], 0
    for _ in range(_DEEPEST):
        level, here = [], level
        for one in here:
            try:
                with os.scandir(one) as entries:
                    for entry in entries:
                        looked_at += 1
                        if entry.is_dir(follow_symlinks=False):
                            level.append(entry.path)
                        elif not entry.is_file(follow_symlinks=False) and stat.S_ISSOCK(
                            entry.stat(follow_symlinks=False).st_mode
                        ):
                            return True
                        if looked_at >= _MOST_LOOKED_AT:
                            return False
            except OSError:
                continue
    return False
