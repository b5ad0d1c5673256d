"""The state folder belongs to its owner alone: it is created so, checked before anything in it is trusted, and written to so.

What another user could have written there (a token, a journal that says what runs, the address of a server) would act as the user.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from hera_utils.errors import PlatformError
from hera_utils.private_folders import make_private
from hera_utils.wording import system_reason

log = logging.getLogger(__name__)

OTHERS = 0o077
_GET_FLAGS, _SET_FLAGS, _TOP_OF_HIERARCHIES = 0x80086601, 0x40086602, 0x20000  # ioctl_iflags(2)
_SAY_WHAT_RUNS = ("pods", "tls", "images", "python")
_FIX = "choose another folder with HERA_UTILS_STATE, or make this one accessible to you alone"


def open_state_folder(state: Path) -> None:
    """Create the folder, or check that it may be used; a looser mode is tightened with a warning. PlatformError when it may not."""
    try:
        is_new = not state.is_dir()
        make_private(state)
    except OSError as error:
        raise unusable(state, error) from error
    if is_new:
        _spread(state)
    check_state_folder(state)
    with contextlib.suppress(OSError):  # opening it will raise what is wrong
        for path, status in _entries(state, 1):
            mode = 0o700 if stat.S_ISDIR(status.st_mode) else 0o600
            if not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o777 & ~mode:
                os.chmod(path, status.st_mode & mode)


def _spread(folder: Path) -> None:
    """Tell an ext4 file system that what is in the folder does not belong together, as the folders of /home do not.

    It looks for a new file's number beside those of the folder's other files, and passes each that was in use within the last minutes. Near
    a project's files, which come and go, that took longer than all else that a pod costs the kernel.
    """
    with contextlib.suppress(OSError, ImportError):  # another file system, or system
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
        try:
            (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(struct.calcsize("l"))))
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", flags | _TOP_OF_HIERARCHIES))
        finally:
            os.close(descriptor)


class HeldFolder:
    """The folder of a running server, which somebody may remove or move away meanwhile.

    lock: the server's own, an open file: by its name the next server's might be found. The journal is there.
    """

    def __init__(self, state: Path, lock: IO[bytes]) -> None:
        self._lock, self._journal = state / "server.lock", state / "journal.sqlite"
        self._mine = lock
        self._begun_with = _identity(self._journal)  # not opened: closing it would give SQLite's own locks back

    def loss(self) -> str:
        """What has happened to it: "" (nothing), "removed" or "moved"."""
        mine = os.fstat(self._mine.fileno())
        if not mine.st_nlink or (_identity(self._lock) and not _identity(self._journal)):
            return "removed"
        if _identity(self._lock) != (mine.st_dev, mine.st_ino) or _identity(self._journal) != self._begun_with:
            return "moved"
        return ""


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def check_state_folder(state: Path) -> None:
    """Check that what is in the folder may be trusted; nothing is wrong with one that does not exist. A looser mode is tightened."""
    mode = refuse_foreign_folder(state)
    if mode & OTHERS:
        try:
            os.chmod(state, mode & 0o700)
        except OSError as error:
            raise unusable(state, error) from error
        if os.stat(state).st_mode & OTHERS:
            raise PlatformError(
                f"the file system of the state folder {state} does not keep modes: other users can read it",
                fix="choose a folder on another file system with HERA_UTILS_STATE",
            )
        log.warning("hera-utils: other users could read the state folder %s: its mode is now 0700", state)


def refuse_foreign_folder(state: Path) -> int:
    """The folder's mode, 0 where there is none. Raises PlatformError where another user could have written to it; changes nothing."""
    try:
        status = os.stat(state)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise unusable(state, error) from error
    if not stat.S_ISDIR(status.st_mode) or not hasattr(os, "geteuid"):
        return 0  # opening it will raise what it is
    if status.st_uid != os.geteuid() or os.lstat(state).st_uid not in (os.geteuid(), 0):  # also a link that leads there
        raise PlatformError(f"the state folder {state} belongs to another user of this machine", fix=_FIX)
    for above in Path(os.path.realpath(state)).parents:
        mode = os.stat(above).st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise PlatformError(
                f"everybody may put another folder in the place of the state folder {state}: {above} can be written by all",
                fix=f"chmod o-w {above} (or chmod +t), or choose another folder with HERA_UTILS_STATE",
            )
    loose = status.st_mode & OTHERS
    with contextlib.suppress(FileNotFoundError):  # removed meanwhile
        _refuse_what_others_wrote(state, reached=bool(loose & 0o011), deeply=bool(loose))
    return status.st_mode & 0o777


def _refuse_what_others_wrote(state: Path, *, reached: bool, deeply: bool) -> None:
    """reached: whether others could go into the folder. deeply: whether to look below it as well."""
    for path, status in _entries(state, 3 if deeply else 1):
        if status.st_uid != os.geteuid():
            raise PlatformError(
                f"{path} in the state folder was written by another user of this machine",
                fix="remove it if you did not expect it, or choose another folder with HERA_UTILS_STATE",
            )
        if reached and not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o022:
            raise PlatformError(
                f"{path} in the state folder could be written to by other users of this machine",
                fix=f"check that its content is yours, then: chmod -R go= {state}; or choose another folder with "
                f"HERA_UTILS_STATE",
            )


def _entries(folder: Path, depth: int) -> Iterator[tuple[Path, os.stat_result]]:
    """What is in the folder, and below it where it says what runs. Claims and artifacts belong to the tasks, of any user."""
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield Path(entry.path), status
            below = folder.name in _SAY_WHAT_RUNS or entry.name in _SAY_WHAT_RUNS
            # who cannot enter the folder above cannot come here
            if depth > 1 and below and stat.S_ISDIR(status.st_mode) and status.st_mode & 0o011:
                yield from _entries(Path(entry.path), depth - 1)


def unusable(state: Path, error: OSError) -> PlatformError:
    if error.errno == errno.EROFS:
        return PlatformError(
            f"the file system with the state folder {state} is read-only",
            fix="make it writable again, or choose another folder with HERA_UTILS_STATE",
        )
    return PlatformError(
        f"the state folder {state} cannot be used ({system_reason(error)})",
        fix="make it a folder that you can write to, or choose another one with HERA_UTILS_STATE",
    )
