"""Gives a pod's volumes to its group (`securityContext.fsGroup`), as the kubelet does.

Everything in a volume gets the group and becomes readable and writable for it, and new files in its folders inherit it. A `hostPath` is
not changed. A claim whose top folder has the group already is skipped, as with fsGroupChangePolicy OnRootMismatch. Only root may give
files to any group; if the server is another user, all tasks run as that user, and nothing is to be done.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Any

from . import users

Json = dict[str, Any]
_INHERITED = 0o2000
_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def of_pod(pod: Json) -> int | None:
    """The group; None when the pod names none or this process may not give files away."""
    group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    if group is None or os.getuid() != 0 or not users.knows_group(int(group)):
        return None
    return int(group)


def give(folder: str, group: int, *, read_only: bool = False) -> None:
    """Give a folder and its content to a group. read_only: for a secret or config map. Raises OSError."""
    mode = 0o440 if read_only else 0o660
    top = os.stat(folder)
    if top.st_gid == group and top.st_mode & _INHERITED and top.st_mode & mode & 0o060 == mode & 0o060:
        return
    # The top folder comes last, because its group shows that everything below is done.
    for _, _, files, here in os.fwalk(folder, topdown=False, follow_symlinks=False):
        for name in files:
            _give_one(name, here, group, mode)
        _give_one(".", here, group, mode)


def _give_one(name: str, folder: int, group: int, mode: int) -> None:
    """Give one entry to the group. It is opened once, without following links, because a task may replace it by a link at any moment."""
    try:
        entry = os.open(name, _PATH, dir_fd=folder)
    except FileNotFoundError:
        return
    try:
        status = os.fstat(entry)
        if stat.S_ISDIR(status.st_mode):
            mode |= 0o110 | _INHERITED
        elif not stat.S_ISREG(status.st_mode):
            return
        place = f"/proc/self/fd/{entry}"
        os.chown(place, -1, group)
        with contextlib.suppress(PermissionError):  # the file may be immutable
            os.chmod(place, stat.S_IMODE(status.st_mode) | mode)
    finally:
        os.close(entry)
