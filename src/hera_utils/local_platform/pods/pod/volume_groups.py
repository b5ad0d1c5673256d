"""The group that may use a pod's volumes (`securityContext.fsGroup`), given as the kubelet does.

Everything in a volume gets the group, may be read and written by it, and new files in its folders inherit it. A folder of this machine that
a workflow names itself (`hostPath`) is left as it is. A claim whose top has the group already is not walked through again, as with
fsGroupChangePolicy OnRootMismatch. Only root may give files to a group; of other users all tasks are the same user, so nothing is to do.
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
    """The group, None where the pod names none or this process may not give files away."""
    group = (pod["spec"].get("securityContext") or {}).get("fsGroup")
    if group is None or os.getuid() != 0 or not users.knows_group(int(group)):
        return None
    return int(group)


def give(folder: str, group: int, *, read_only: bool = False) -> None:
    """read_only: of a secret or config map, whose files nobody writes. Raises OSError."""
    mode = 0o440 if read_only else 0o660
    top = os.stat(folder)
    if top.st_gid == group and top.st_mode & _INHERITED and top.st_mode & mode & 0o060 == mode & 0o060:
        return
    # the top at last: it tells that everything below was given
    for _, _, files, here in os.fwalk(folder, topdown=False, follow_symlinks=False):
        for name in files:
            _give_one(name, here, group, mode)
        _give_one(".", here, group, mode)


def _give_one(name: str, folder: int, group: int, mode: int) -> None:
    """A task may put a link in the place of the entry at any moment: so it is opened once, without following one."""
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
        with contextlib.suppress(PermissionError):  # an immutable file
            os.chmod(place, stat.S_IMODE(status.st_mode) | mode)
    finally:
        os.close(entry)
