"""Opens paths below a folder that tasks write to, where a symbolic link must not lead out of it.

A task may put a link anywhere in a claim, and change it at any moment. Checking a path first and opening it afterwards is therefore
not safe (Kubernetes' CVE-2017-1002101): all functions here work with a descriptor of the file that was really found. The kernel does it
in one step (openat2, Linux 5.6); without that call the path is walked one name at a time, each from the descriptor of the one before.

    beneath   a link may lead anywhere below the folder; one that leads out of it, or is absolute, is refused (LeadsOut)
    rooted    links are followed as if the folder were `/`, as in a container

Neither follows the magic links of /proc, which lead to the open files of a process.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator

from . import syscalls
from .errors import LeadsOut

_PATH = os.O_PATH | os.O_CLOEXEC
_FOLDER = _PATH | os.O_DIRECTORY
_MOST_LINKS = 40  # as the kernel
_kernel = True  # whether the kernel has openat2; False after a call that failed


def open_path(
    folder: int, path: str, flags: int, *, rooted: bool = False, follow: bool = True, links: bool = True
) -> int:
    """A descriptor of `path` below the folder of the descriptor `folder`. follow: whether the last name may be a link. links: whether any
    name may be a link.

    flags: as os.open, without O_CREAT. Raises OSError (LeadsOut).
    """
    global _kernel
    flags |= os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    if _kernel:
        limits = syscalls.RESOLVE_NO_MAGICLINKS | (syscalls.RESOLVE_IN_ROOT if rooted else syscalls.RESOLVE_BENEATH)
        limits |= 0 if links else syscalls.RESOLVE_NO_SYMLINKS
        for _ in range(100):
            try:
                return syscalls.openat2(folder, path.lstrip("/") or ".", flags, limits)
            except OSError as error:
                if error.errno == errno.EXDEV:
                    raise LeadsOut(path) from None
                if error.errno in (errno.ENOSYS, errno.EPERM):  # an older kernel, or a filter of system calls
                    _kernel = False
                    break
                if error.errno != errno.EAGAIN:  # EAGAIN: something was renamed at that moment
                    error.filename = path
                    raise
    return _walk(folder, path, flags, rooted=rooted, follow=follow, most=_MOST_LINKS if links else 0)


@contextlib.contextmanager
def at(
    folder: str | int, path: str = "", *, rooted: bool = False, make: bool = False, links: bool = True
) -> Iterator[str]:
    """A path to a file or folder below a folder, which no task can redirect while it is used. make: create missing folders."""
    top = os.open(folder, _FOLDER) if isinstance(folder, str) else folder
    entry = -1
    try:
        entry = make_folder(top, path, links=links) if make else open_path(top, path, _PATH, rooted=rooted, links=links)
        yield f"/proc/self/fd/{entry}"
    finally:
        if isinstance(folder, str):
            os.close(top)
        if entry >= 0:
            os.close(entry)


def is_in(path: str, folder: str) -> bool:
    """Whether a path is a folder or below it. Both must be without links and dots."""
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def make_folder(folder: int, path: str, *, rooted: bool = False, links: bool = True) -> int:
    """A descriptor of the folder `path`. Missing folders are created. Raises OSError (LeadsOut)."""
    here = open_path(folder, ".", _FOLDER)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for number, part in enumerate(parts, 1):
        so_far = "/".join(parts[:number])
        try:
            following = open_path(folder, so_far, _FOLDER, rooted=rooted, links=links)
        except FileNotFoundError:
            try:
                # Another process may have created it, or it is a dangling link, which the open below refuses.
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o777, dir_fd=here)
                following = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
            except NotADirectoryError:
                os.close(here)
                raise LeadsOut(path) from None
            except BaseException:
                os.close(here)
                raise
        except BaseException:
            os.close(here)
            raise
        os.close(here)
        here = following
    return here


def read_end(folder: str, path: str, most: int) -> bytes | None:
    """The last `most` bytes of a file that a task may have written; None when it does not exist or is no regular file (reading a pipe
    could wait for ever).
    """
    try:
        top = os.open(folder, _FOLDER)
    except OSError:
        return None
    try:
        file = open_path(top, path, os.O_RDONLY | os.O_NONBLOCK, follow=False)
    except OSError:
        return None
    finally:
        os.close(top)
    with open(file, "rb", closefd=True) as lines:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            return None
        lines.seek(max(0, status.st_size - most))
        return lines.read(most)


def _walk(folder: int, path: str, flags: int, *, rooted: bool, follow: bool, most: int) -> int:
    """Open a path as openat2 would. `stack` has descriptors of the folders from the top to here. most: how many links to follow."""
    stack = [os.dup(folder)]
    todo = [part for part in path.split("/") if part not in ("", ".")]
    links = 0
    try:
        while todo:
            part = todo.pop(0)
            if part == "..":
                if len(stack) > 1:
                    os.close(stack.pop())
                elif not rooted:
                    raise LeadsOut(path)
                continue
            entry = os.open(part, _PATH | os.O_NOFOLLOW, dir_fd=stack[-1])
            stack.append(entry)
            if not stat.S_ISLNK(os.fstat(entry).st_mode) or (not todo and not follow):
                continue
            links += 1
            if links > most:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = os.readlink("", dir_fd=entry)
            os.close(stack.pop())
            if target.startswith("/"):
                if not rooted:
                    raise LeadsOut(path)
                while len(stack) > 1:
                    os.close(stack.pop())
            todo[:0] = [name for name in target.split("/") if name not in ("", ".")]
        return _reopen(stack[-1], flags)
    finally:
        for descriptor in stack:
            os.close(descriptor)


def _reopen(entry: int, flags: int) -> int:
    """Another descriptor of the same file, with these flags."""
    if stat.S_ISLNK(os.fstat(entry).st_mode):
        if flags & os.O_PATH and flags & os.O_NOFOLLOW:
            return os.dup(entry)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return os.open(f"/proc/self/fd/{entry}", flags & ~os.O_NOFOLLOW)
