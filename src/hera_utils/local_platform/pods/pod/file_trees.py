"""Reads a task's file or folder entry by entry. It never waits for ever, and reads nothing outside of the folder.

A task (or another one with the same claim) may have put a pipe, a device or a link at any name, and may change it meanwhile. So every
entry is opened from the top folder without following links, and checked after it is open.
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
_TOP_OF_PROC = 1  # the inode of /proc itself
# The machine's own /proc, recorded before a worker enters a container.
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
    """name: path below the top, "" for the top itself. status: without following links. target: where a link leads. file: an open file."""

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
    """The kind of a file that cannot be read like a regular one; "" for a file, a folder or a link."""
    return _KINDS.get(stat.S_IFMT(mode), "")


def top_of(path: str) -> int:
    """A descriptor of a path in the container that this process has entered. Links are resolved within the container. Raises OSError."""
    root = os.open("/", _PATH | os.O_DIRECTORY)
    try:
        top = open_beneath.open_path(root, path, os.O_PATH, rooted=True)
    finally:
        os.close(root)
    if _is_of_a_process(top):  # refused, because this process may read more of /proc than the task may
        os.close(top)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return top


def _is_of_a_process(top: int) -> bool:
    """Whether it is /proc, or a process's folder in it, wherever that is mounted. All of the machine's /proc (a hostPath) counts, because
    nothing of it is masked.
    """
    if not syscalls.is_proc(top):
        return False
    status = os.fstat(top)
    if status.st_dev == _MACHINES_PROC or status.st_ino == _TOP_OF_PROC:
        return True
    return bool(_PROCESS.fullmatch(os.readlink(f"/proc/self/fd/{top}")))


def entries(top: int, label: str) -> Iterator[Entry]:
    """The file or folder and everything in it, sorted by name, folders before their contents. A file is open until the next entry.

    label: the top's name in messages. Raises SpecialFile, OSError.
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
                todo += [f"{name}/{inner}" if name else inner for inner in sorted(_names(entry), reverse=True)]
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
    """The file of a descriptor, open for reading. Raises SpecialFile for a pipe, a socket or a device."""
    kind = kind_of(os.fstat(entry).st_mode)
    if kind:  # refused before it is opened, because opening a device may have an effect
        raise SpecialFile(f"{label} is {kind}, which cannot be kept: remove it, or write a file")
    with open(os.open(f"/proc/self/fd/{entry}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        yield file


def copy(top: int, label: str, folder: str, name: str, *, only_files: bool = False) -> list[str]:
    """Copy a file or folder to the new `name` in a folder; a file with several hard links is copied under each name.

    only_files: leave links and empty folders out, as a store keeps only objects. Gives the names that were left out.
    A link that somebody puts into the new folder meanwhile cannot lead out of it. Raises SpecialFile, OSError, and may leave a part.
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
    # Modes and times are set at the end: a mode may forbid writing, and each new entry changes its folder's time.
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
    """Write the source to the new file `target`, with holes for runs of zeros. like: gives the mode and time. Raises OSError."""
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
    """Remove a file, a link, or a folder with its contents, if it exists. Raises OSError."""
    try:
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if is_folder:
        discard(path)
    else:
        os.unlink(path)


def discard(folder: str) -> None:
    """Remove a folder that a container wrote, whatever its modes (even its owner cannot read an overlay's work folder).

    A task may replace any folder by a link meanwhile, so each entry is removed by a descriptor of its parent folder. Entries that cannot
    be removed stay.
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
            for inner in permitted(folder, lambda: _names(folder)):
                _remove_from(folder, inner)
        finally:
            os.close(folder)
        permitted(parent, lambda: os.rmdir(name, dir_fd=parent))


def permitted(folder: int | str, action: Callable[[], T]) -> T:
    """Do an action in a folder and give its result. If permission is denied, the folder is made writable for its owner first."""
    try:
        return action()
    except PermissionError:
        os.chmod(f"/proc/self/fd/{folder}" if isinstance(folder, int) else folder, 0o700)
        return action()
