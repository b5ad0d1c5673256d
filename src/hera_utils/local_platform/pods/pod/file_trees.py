"""A task's file or folder, read entry by entry. Nothing waits in it for ever, and nothing outside of it is read.

A task (or another one with the same claim) may have put a pipe, a device or a link at any name, and may change it meanwhile. So every
entry is opened from the folder at the top without following a link, and looked at once it is open.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple, TypeVar

from . import open_beneath, syscalls
from .errors import SpecialFile

T = TypeVar("T")
_PATH = os.O_PATH | os.O_CLOEXEC
_PROCESS = re.compile(r".*/[0-9]+(/.*)?")
_TOP_OF_PROC = 1  # its inode
# as a worker finds it before it enters a container
_MACHINES_PROC = os.stat("/proc").st_dev if os.path.isdir("/proc") else -1
_PIECE = 1 << 20
_ZEROS = bytes(_PIECE)
_KINDS = {
    stat.S_IFIFO: "a FIFO (a named pipe)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Entry(NamedTuple):
    """name: below the top, "" for the top itself. status: of the entry itself. target: of a link. file: open for reading, of a file."""

    name: str
    status: os.stat_result
    target: str = ""
    file: IO[bytes] | None = None

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.status.st_mode)


def kind_of(mode: int) -> str:
    """What a file is that is not one to be read: "" for a file, a folder, a link."""
    return _KINDS.get(stat.S_IFMT(mode), "")


def top_of(path: str) -> int:
    """A descriptor of a path of the container that this process sees. Links of the path are the container's own. Raises OSError."""
    root = os.open("/", _PATH | os.O_DIRECTORY)
    try:
        top = open_beneath.open_path(root, path, os.O_PATH, rooted=True)
    finally:
        os.close(root)
    if _is_of_a_process(top):  # this process may read what the task may not
        os.close(top)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return top


def _is_of_a_process(top: int) -> bool:
    """Whether it is /proc, or a process's part of it, wherever that is mounted; all of this machine's (a hostPath), which masks nothing."""
    if not syscalls.is_proc(top):
        return False
    status = os.fstat(top)
    if status.st_dev == _MACHINES_PROC or status.st_ino == _TOP_OF_PROC:
        return True
    return bool(_PROCESS.fullmatch(os.readlink(f"/proc/self/fd/{top}")))


def entries(top: int, label: str) -> Iterator[Entry]:
    """The file or folder and all that is in it, folders before what they hold, by name. An entry's file is open until the next one.

    label: how the top is called in a message. Raises SpecialFile, OSError.
    """
    todo, disks = [""], {os.fstat(top).st_dev}
    while todo:
        name = todo.pop()
        entry = _descriptor(top, name)
        try:
            status = os.fstat(entry)
            if status.st_dev not in disks:
                if syscalls.is_proc(entry):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), f"{label}/{name}")
                disks.add(status.st_dev)
            if stat.S_ISDIR(status.st_mode):
                yield Entry(name, status)
                todo += [f"{name}/{one}" if name else one for one in sorted(_names(entry), reverse=True)]
            elif stat.S_ISLNK(status.st_mode):
                yield Entry(name, status, os.readlink("", dir_fd=entry))
            else:
                with readable(entry, f"{label}/{name}" if name else label) as file:
                    yield Entry(name, os.fstat(file.fileno()), "", file)
        finally:
            os.close(entry)


def _descriptor(top: int, name: str) -> int:
    return open_beneath.open_path(top, name, os.O_PATH, follow=False) if name else os.dup(top)


def _names(folder: int) -> list[str]:
    reading = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.listdir(reading)
    finally:
        os.close(reading)


@contextlib.contextmanager
def readable(entry: int, label: str) -> Iterator[IO[bytes]]:
    """The file of a descriptor, open for reading. Raises SpecialFile for what is no file."""
    kind = kind_of(os.fstat(entry).st_mode)
    if kind:  # not opened: opening a device may do something to it
        raise SpecialFile(f"{label} is {kind}, which cannot be kept: remove it, or write a file")
    with open(os.open(f"/proc/self/fd/{entry}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        yield file


def copy(top: int, label: str, folder: str, name: str, *, only_files: bool = False) -> list[str]:
    """A file or folder as the new `name` in a folder; what is one file under several names is copied under each.

    only_files: as a store keeps a folder, one object a file: links and empty folders are left out. Returns what was left out.
    No link that somebody puts into the new folder meanwhile leads out of it. Raises SpecialFile, OSError; a part of it may be there then.
    """
    if not stat.S_ISDIR(os.fstat(top).st_mode):
        with readable(top, label) as file:
            write(file, f"{folder}/{name}", os.fstat(file.fileno()))
        return []
    os.mkdir(f"{folder}/{name}", 0o700)
    new = os.open(f"{folder}/{name}", _PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        return _copy_into(top, label, new, only_files)
    finally:
        os.close(new)


def _copy_into(top: int, label: str, new: int, only_files: bool) -> list[str]:
    left_out: list[str] = []
    folders: dict[str, os.stat_result] = {}
    filled = {""}
    for entry in entries(top, label):
        above, _, last = entry.name.rpartition("/")
        if entry.is_folder:
            folders[entry.name] = entry.status
            if entry.name and not only_files:
                with open_beneath.at(new, above) as here:
                    os.mkdir(f"{here}/{last}", 0o700)
        elif entry.is_link and only_files:
            left_out.append(entry.name)
        else:
            filled.update(_above(entry.name))
            with open_beneath.at(new, above, make=only_files) as here:
                if entry.file is not None:
                    write(entry.file, f"{here}/{last}", entry.status)
                else:
                    os.symlink(entry.target, f"{here}/{last}")
    if only_files:
        left_out += [name for name in folders if name not in filled]
    # at the end: a mode may forbid to write, and each entry changes the time
    for name, status in reversed(folders.items()):
        if name in filled or not only_files:
            with open_beneath.at(new, name) as here:
                os.chmod(here, stat.S_IMODE(status.st_mode) & 0o777)
                os.utime(here, ns=(status.st_atime_ns, status.st_mtime_ns))
    return left_out


def _above(name: str) -> Iterator[str]:
    while name := os.path.dirname(name):
        yield name


def write(source: IO[bytes], target: str, like: os.stat_result | None = None) -> None:
    """What can be read as the new file `target`; a run of zeros takes no space. like: mode and time. Raises OSError."""
    with open(
        os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666), "wb"
    ) as file:
        while piece := source.read(_PIECE):
            if piece == _ZEROS[: len(piece)]:
                file.seek(len(piece), os.SEEK_CUR)
            else:
                file.write(piece)
        file.truncate()
        if like is not None:
            os.fchmod(file.fileno(), stat.S_IMODE(like.st_mode) & 0o777)
            os.utime(file.fileno(), ns=(like.st_atime_ns, like.st_mtime_ns))


def remove(path: str) -> None:
    """A file, a link, or a folder with all that is in it; nothing where there is none. Raises OSError."""
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if is_folder:
        discard(path)
    else:
        os.unlink(path)


def discard(folder: str) -> None:
    """Remove a folder that a container wrote, whatever its modes (an overlay's work folder is not even readable for its owner).

    A task may put a link in the place of any folder meanwhile: so each entry is removed from the folder that holds it. What cannot be
    removed stays.
    """
    above, name = os.path.split(folder.rstrip("/"))
    parent = os.open(above or ".", _PATH | os.O_DIRECTORY)
    try:
        _remove_from(parent, name)
    finally:
        os.close(parent)


def _remove_from(parent: int, name: str) -> None:
    with contextlib.suppress(OSError):
        try:
            folder = os.open(name, _PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        except NotADirectoryError:
            permitted(parent, lambda: os.unlink(name, dir_fd=parent))
            return
        try:
            for one in permitted(folder, lambda: _names(folder)):
                _remove_from(folder, one)
        finally:
            os.close(folder)
        permitted(parent, lambda: os.rmdir(name, dir_fd=parent))


def permitted(folder: int | str, action: Callable[[], T]) -> T:
    """What the action in a folder returns, which is made writable for its owner when it is not."""
    try:
        return action()
    except PermissionError:
        os.chmod(f"/proc/self/fd/{folder}" if isinstance(folder, int) else folder, 0o700)
        return action()
