"""Opening what lies below a folder that tasks write to, where a symbolic link must not lead out of it.

A task may put a link anywhere in a claim, and change it at any moment. A path that is looked at first and opened afterwards is therefore
not safe (Kubernetes' CVE-2017-1002101): everything here answers with a descriptor of what was really found. The kernel does it in one
step (openat2, Linux 5.6); without that call the path is walked one name at a time, each from the descriptor of the one before.

    beneath   a link may lead anywhere below the folder; one that leads out of it, or is absolute, is refused (LeadsOut)
    rooted    the folder is `/` for its links: how a container sees its own files

The magic links of /proc, which lead to what a process has open, are followed by neither.
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
_kernel = True  # whether there is openat2; the first call finds out


def open_path(
    folder: int, path: str, flags: int, *, rooted: bool = False, follow: bool = True, links: bool = True
) -> int:
    """A descriptor of `path` below the folder that `folder` is a descriptor of. follow: whether the last name may be a link, links:
    whether any may.

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
                if error.errno in (errno.ENOSYS, errno.EPERM):  # an older kernel, or a filter of system calls before it
                    _kernel = False
                    break
                if error.errno != errno.EAGAIN:  # something was renamed at that moment
                    error.filename = path
                    raise
    return _walked(folder, path, flags, rooted=rooted, follow=follow, most=_MOST_LINKS if links else 0)


@contextlib.contextmanager
def at(
    folder: str | int, path: str = "", *, rooted: bool = False, make: bool = False, links: bool = True
) -> Iterator[str]:
    """A file or folder below a folder, under a name that cannot be turned elsewhere while it is used. make: create missing folders."""
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
    """Whether a path names a folder or what is below it; both without links and dots."""
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def make_folder(folder: int, path: str, *, rooted: bool = False, links: bool = True) -> int:
    """A descriptor of the folder `path`; it and the folders above it are created where they are missing. Raises OSError (LeadsOut)."""
    here = open_path(folder, ".", _FOLDER)
    parts = [part for part in path.split("/") if part not in ("", ".")]
    for number, part in enumerate(parts, 1):
        so_far = "/".join(parts[:number])
        try:
            following = open_path(folder, so_far, _FOLDER, rooted=rooted, links=links)
        except FileNotFoundError:
            try:
                # another process was first, or it is a link to nowhere, which the next line refuses
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
    """The end of a file that a task may have written, None when there is none, or no plain file (reading a pipe could wait for ever)."""
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


def _walked(folder: int, path: str, flags: int, *, rooted: bool, follow: bool, most: int) -> int:
    """As the kernel would: `stack` holds descriptors of the folders from the top to here. most: how many links."""
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
            todo[:0] = [one for one in target.split("/") if one not in ("", ".")]
        return _again(stack[-1], flags)
    finally:
        for one in stack:
            os.close(one)


def _again(entry: int, flags: int) -> int:
    """Another descriptor of the same file, with these flags."""
    if stat.S_ISLNK(os.fstat(entry).st_mode):
        if flags & os.O_PATH and flags & os.O_NOFOLLOW:
            return os.dup(entry)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return os.open(f"/proc/self/fd/{entry}", flags & ~os.O_NOFOLLOW)
