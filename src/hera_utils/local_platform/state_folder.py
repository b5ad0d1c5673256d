"""The state folder is private to its owner: it is created so, and checked before its content is trusted.

A file that another user wrote there (a token, a journal with commands to run, a server's address) would act with the owner's rights.
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
    """Create the folder, or check that it may be used. A looser mode is tightened, with a warning. Raises PlatformError when it may not."""
    try:
        is_new = not state.is_dir()
        make_private(state)
    except OSError as error:
        raise folder_error(state, error) from error
    if is_new:
        _spread(state)
    check_state_folder(state)
    with contextlib.suppress(OSError):  # opening the file later raises the error
        for path, status in _entries(state, 1):
            mode = 0o700 if stat.S_ISDIR(status.st_mode) else 0o600
            if not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o777 & ~mode:
                os.chmod(path, status.st_mode & mode)


def _spread(folder: Path) -> None:
    """Tell an ext4 file system that the subfolders do not belong together, like the folders of /home.

    ext4 looks for a new file's inode near those of the folder's other files, and skips each inode that was in use within the last minutes.
    Near a project's files, which change often, that took longer than everything else that a pod costs the kernel.
    """
    with contextlib.suppress(OSError, ImportError):  # another file system or operating system has no such flag
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY)
        try:
            (flags,) = struct.unpack("l", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(struct.calcsize("l"))))
            fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("l", flags | _TOP_OF_HIERARCHIES))
        finally:
            os.close(descriptor)


class HeldFolder:
    """Detects that the folder of a running server is removed or moved.

    lock: the server's open lock file; its name may meanwhile lead to the next server's. The journal exists.
    """

    def __init__(self, state: Path, lock: IO[bytes]) -> None:
        self._lock, self._journal = state / "server.lock", state / "journal.sqlite"
        self._mine = lock
        # The file is not opened: closing it would release SQLite's locks.
        self._journal_at_start = _identity(self._journal)

    def loss(self) -> str:
        """What has happened to the folder: "" (nothing), "removed" or "moved"."""
        mine = os.fstat(self._mine.fileno())
        if not mine.st_nlink or (_identity(self._lock) and not _identity(self._journal)):
            return "removed"
        if _identity(self._lock) != (mine.st_dev, mine.st_ino) or _identity(self._journal) != self._journal_at_start:
            return "moved"
        return ""


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def check_state_folder(state: Path) -> None:
    """Check that the folder's content may be trusted, and tighten a looser mode. A folder that does not exist is accepted.

    Raises PlatformError.
    """
    mode = refuse_foreign_folder(state)
    if mode & OTHERS:
        try:
            os.chmod(state, mode & 0o700)
        except OSError as error:
            raise folder_error(state, error) from error
        if os.stat(state).st_mode & OTHERS:
            raise PlatformError(
                f"the file system of the state folder {state} does not keep modes: other users can read it",
                fix="choose a folder on another file system with HERA_UTILS_STATE",
            )
        log.warning("hera-utils: other users could read the state folder %s: its mode is now 0700", state)


def refuse_foreign_folder(state: Path) -> int:
    """The folder's mode, 0 when it does not exist. Raises PlatformError when another user could have written to it. Changes nothing."""
    try:
        status = os.stat(state)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise folder_error(state, error) from error
    if not stat.S_ISDIR(status.st_mode) or not hasattr(os, "geteuid"):
        return 0  # opening the folder later raises the error
    # lstat: a symbolic link to the folder must not be another user's either.
    if status.st_uid != os.geteuid() or os.lstat(state).st_uid not in (os.geteuid(), 0):
        raise PlatformError(f"the state folder {state} belongs to another user of this machine", fix=_FIX)
    for above in Path(os.path.realpath(state)).parents:
        mode = os.stat(above).st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise PlatformError(
                f"everybody may put another folder in the place of the state folder {state}: {above} can be written by all",
                fix=f"chmod o-w {above} (or chmod +t), or choose another folder with HERA_UTILS_STATE",
            )
    loose = status.st_mode & OTHERS
    with contextlib.suppress(FileNotFoundError):  # the folder was removed meanwhile
        _refuse_what_others_wrote(state, reached=bool(loose & 0o011), deeply=bool(loose))
    return status.st_mode & 0o777


def _refuse_what_others_wrote(state: Path, *, reached: bool, deeply: bool) -> None:
    """Raises PlatformError for the first such entry. reached: whether others could enter the folder. deeply: whether to check its
    subfolders too.
    """
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
    """The entries of the folder, and of those subfolders whose content decides what runs. Claims and artifacts are written by tasks, of any
    user, and are left out.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield Path(entry.path), status
            below = folder.name in _SAY_WHAT_RUNS or entry.name in _SAY_WHAT_RUNS
            # Nobody else can have written below a folder that only its owner can enter.
            if depth > 1 and below and stat.S_ISDIR(status.st_mode) and status.st_mode & 0o011:
                yield from _entries(Path(entry.path), depth - 1)


def folder_error(state: Path, error: OSError) -> PlatformError:
    if error.errno == errno.EROFS:
        return PlatformError(
            f"the file system with the state folder {state} is read-only",
            fix="make it writable again, or choose another folder with HERA_UTILS_STATE",
        )
    return PlatformError(
        f"the state folder {state} cannot be used ({system_reason(error)})",
        fix="make it a folder that you can write to, or choose another one with HERA_UTILS_STATE",
    )
