"""Reads the files of a run's record safely, because it may be part of a cloned project: only regular files are read (a pipe or a device
may never end), and nothing is written through a link. Only users who may write to the record can open the files that are locked.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import stat
from pathlib import Path
from typing import Any


def read_file(file: Path) -> bytes:
    """The content. Raises OSError if there is no regular file (a link to one is accepted, as of git-annex and DVC)."""
    refuse_special(file)
    return file.read_bytes()


def read_json(file: Path) -> Any:
    """The JSON content. Raises OSError as `read_file`, ValueError if it is no JSON or nested too deep."""
    try:
        return json.loads(read_file(file))
    except RecursionError:
        raise ValueError("nested too deep") from None


def packages_of(folder: Path) -> dict[str, str]:
    """Package → version as the run of this record folder had them; none without a readable list."""
    try:
        lines = read_file(folder / "requirements.txt").decode().splitlines()
    except (OSError, ValueError):
        return {}
    return {name: version for name, sign, version in (line.partition("==") for line in lines) if sign}


def refuse_special(file: Path) -> None:
    """Raise OSError if it is no regular file, without opening it, because that may wait for ever."""
    if not stat.S_ISREG(os.stat(file).st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(file))


def open_lock(file: Path, flags: int) -> int:
    """The descriptor of a file for locking. Raises OSError also for a link, whose target would be written."""
    lock = os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if not stat.S_ISREG(os.fstat(lock).st_mode):
        os.close(lock)
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
    return lock


def keep_from_readers(file: Path) -> None:
    """Create a file for locking, or remove read permissions of users who may not write: their locks would block those who may.

    Users who may write to the folder may write to the file. Raises OSError.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    status = os.lstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        return
    writers = os.stat(file.parent).st_mode & 0o022
    mode = 0o600 | writers | writers << 1
    if stat.S_IMODE(status.st_mode) != mode:
        os.chmod(file, mode)
