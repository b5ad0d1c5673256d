"""The files of a run's record, which may have come with a project that was cloned: only regular files are read, a pipe or a device never
ends, and nothing is written through a link. What is locked can be opened by those alone who may write to it.
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
    """The content. OSError where there is none, or what is there is no regular file (a link to one is: of git-annex, DVC)."""
    refuse_special(file)
    return file.read_bytes()


def read_json(file: Path) -> Any:
    """OSError as `read_file`; ValueError for what is no JSON, or is nested too deep."""
    try:
        return json.loads(read_file(file))
    except RecursionError:
        raise ValueError("nested too deep") from None


def refuse_special(file: Path) -> None:
    """OSError for what is no regular file: it is not even opened, which may wait for ever."""
    if not stat.S_ISREG(os.stat(file).st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", str(file))


def open_lock(file: Path, flags: int) -> int:
    """A descriptor of a file that is locked. OSError also for a link, which would have another file written."""
    lock = os.open(file, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if not stat.S_ISREG(os.fstat(lock).st_mode):
        os.close(lock)
        raise OSError(errno.EINVAL, "it is no regular file", str(file))
    return lock


def keep_from_readers(file: Path) -> None:
    """Create a file that is locked, or take its readers away who may not write: a lock that they held would hold up who does.

    Who may write to the folder may to the file. OSError.
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
