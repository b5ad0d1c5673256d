"""The private file system of a container: this machine's files, with every change kept apart.

/            overlay: this machine's `/` below, the container's own changes above (also each further real file system)
/tmp …       empty, as in a fresh container
/proc        of the container's own processes; /sys read-only; /dev: null, zero, full, random, tty, pts; its own shm
volumes      bound at their mount paths: the only places of this machine that a task can change
state folder hidden: no task sees another's files, the journal or the token
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from typing import NamedTuple

from . import system
from .base import Base


class Mount(NamedTuple):
    """`source` (a file or folder of this machine) appears at `target`."""

    source: str
    target: str
    read_only: bool = False


class View(NamedTuple):
    """One container's file system, to be built in a new mount namespace.

    folder: where its changes are kept. mounts: volumes, artifacts, files; a shorter target first. written: files that are
    there from the start (path → (bytes, mode)). hidden: names of programs that are not there. exposed: host paths that stay
    visible although they lie under an emptied or hidden folder. masked: the state folder.
    """

    folder: str
    mounts: tuple[Mount, ...]
    written: dict[str, tuple[bytes, int]]
    hidden: tuple[str, ...]
    exposed: tuple[str, ...]
    masked: str


def enter(view: View, base: Base) -> None:
    """Build the view and make it this process's `/`. The process must be the first of new mount and process-id namespaces."""
    root = f"{base.folder}/root"
    if base.in_memory:
        system.mount("tmpfs", view.folder, "tmpfs", system.MS_NOSUID | system.MS_NODEV)
    upper = f"{view.folder}/upper"
    os.mkdir(upper)
    os.mkdir(f"{view.folder}/work")
    _prepare(view, upper)
    below = [f"{base.folder}/skeleton", *(["/"] if base.whole else [])]
    system.overlay(below, view.folder, root, base.options)
    for path in base.read_only:
        with contextlib.suppress(OSError):
            source = path if base.whole else f"{base.folder}/read-only{path}"
            system.bind(source, root + path, recursive=not base.whole)
    for path in base.overlaid:
        if path != "/":
            _further(path, root, f"{view.folder}/{path[1:].replace('/', '-')}", base)
    system.mount("proc", f"{root}/proc", "proc", system.MS_NOSUID | system.MS_NODEV | system.MS_NOEXEC)
    system.bind(f"{base.folder}/sys", f"{root}/sys", recursive=True)
    system.bind(f"{base.folder}/dev", f"{root}/dev", recursive=True)
    system.mount("tmpfs", f"{root}/dev/shm", "tmpfs", system.MS_NOSUID | system.MS_NODEV, "mode=1777")
    for path in view.exposed:
        _bind_into(root, Mount(path, path, True))
    for mount in view.mounts:
        _bind_into(root, mount)
    if os.path.isdir(root + view.masked):
        system.mount("tmpfs", root + view.masked, "tmpfs", system.MS_NOSUID | system.MS_NODEV, "mode=755,size=4k")
    os.chdir(root)
    system.mount(".", "/", None, system.MS_MOVE)  # as a switch of roots at boot: nothing of the old one can be reached
    os.chroot(".")
    os.chdir("/")


def _prepare(view: View, upper: str) -> None:
    """What this container alone finds changed from the start."""
    for path, (data, mode) in view.written.items():
        os.makedirs(os.path.dirname(upper + path), exist_ok=True)
        with open(upper + path, "wb") as file:
            file.write(data)
        os.chmod(upper + path, mode)
    for name in view.hidden:
        _hide(name, upper)


def _hide(name: str, upper: str) -> None:
    """Make a program absent: a whiteout in each folder where this machine has it."""
    for folder in dict.fromkeys(
        os.path.realpath(p) for p in ("/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin")
    ):
        path = f"{folder}/{name}"
        if not os.path.lexists(path):
            continue
        if name != "sh" and os.path.realpath("/bin/sh") == os.path.realpath(path):
            continue  # /bin/sh is this very program: hiding it would take sh away too
        os.makedirs(upper + folder, exist_ok=True)
        os.mknod(upper + path, stat.S_IFCHR, 0)


def _further(path: str, root: str, folder: str, base: Base) -> None:
    """Another real file system or folder of this machine (/home, /data…) at its place; read-only where it cannot be overlaid."""
    try:
        for name in ("upper", "work"):
            os.makedirs(f"{folder}/{name}")
        system.overlay([path], folder, root + path, base.options)
    except OSError:
        with contextlib.suppress(OSError):  # not ours to see (another user's mount…): an empty folder in the container
            system.bind(path, root + path, recursive=True, read_only=True)


def _bind_into(root: str, mount: Mount) -> None:
    target = _inside(root, mount.target)
    if os.path.isdir(mount.source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    system.bind(mount.source, target, recursive=True, read_only=mount.read_only)


def _inside(root: str, path: str) -> str:
    """`path` of the container as a path of this process: symbolic links are followed as if `root` were `/`."""
    done = ""
    todo = [p for p in path.split("/") if p not in ("", ".")]
    followed = 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = done.rpartition("/")[0]
            continue
        here = f"{done}/{part}"
        if followed < 40 and os.path.islink(root + here):
            followed += 1
            link = os.readlink(root + here)
            if link.startswith("/"):
                done = ""
            todo[:0] = [p for p in link.split("/") if p not in ("", ".")]
            continue
        done = here
    return root + done


def discard(folder: str) -> None:
    """Remove what a container wrote (its work folder is not even readable for its owner)."""
    shutil.rmtree(folder, onerror=_make_removable)


def _make_removable(function: object, path: str, _: object) -> None:
    with contextlib.suppress(OSError):
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
