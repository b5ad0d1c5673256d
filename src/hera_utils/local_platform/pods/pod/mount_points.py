"""Mounts files and folders into a root: creates mount points, hides programs, and binds.

A root is an overlay: its own layer is above this machine's files, or above an image's. Missing mount points are created in that layer,
and whiteouts for hidden programs, so that the lower files are not changed. `base` is the path of the lower files: "" for this machine, or
where an image's layers are mounted without the root's own layer. Links are followed as if `base` were `/`.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from . import open_beneath, syscalls
from .errors import PodFault

_PROGRAM_FOLDERS = ("/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin")


class Mount(NamedTuple):
    """`source` (a file or folder of this machine), or the path `below` it (a subPath), is mounted at `target`.

    is_plain: a path that a workflow or its image table names (hostPath), with all links resolved.
    """

    source: str
    target: str
    read_only: bool = False
    below: str = ""
    is_plain: bool = False

    def open(self) -> contextlib.AbstractContextManager[str]:
        """A path of the source that no task can redirect while it is mounted. Raises OSError (LeadsOut)."""
        if not self.is_plain:
            return open_beneath.at(self.source, self.below) if self.below else contextlib.nullcontext(self.source)
        return self._open_plain()

    @contextlib.contextmanager
    def _open_plain(self) -> Iterator[str]:
        with (
            open_beneath.at("/", self.source, links=False) as source,
            open_beneath.at(source, self.below) if self.below else contextlib.nullcontext(source) as place,
        ):
            yield place


def hide(name: str, layer: str, base: str = "") -> None:
    """Hide a program by a whiteout in each folder of programs that has it below `base`."""
    for folder in dict.fromkeys(inside(base, p) for p in _PROGRAM_FOLDERS):
        path = f"{folder}/{name}"
        if not os.path.lexists(base + path):
            continue
        if name != "sh" and inside(base, "/bin/sh") == path:
            continue  # /bin/sh is a link to this program, so hiding it would hide sh too
        _make_folders(folder, layer, base)
        os.mknod(layer + path, stat.S_IFCHR, 0)


def place(path: str, is_folder: bool, layer: str, base: str = "") -> None:
    """Create a mount point in `layer`, with folders above it that have the owner and mode of those below `base`."""
    real = inside(base, os.path.dirname(path))
    _make_folders(real, layer, base)
    target = f"{layer}{real}/{os.path.basename(path)}"
    if is_folder:
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))


def is_there(path: str, is_folder: bool, base: str = "") -> bool:
    """Whether a folder (or a file) already exists at the path, so that no mount point must be created."""
    real = base + inside(base, path)
    return os.path.lexists(real) and not os.path.islink(real) and os.path.isdir(real) == is_folder


def _make_folders(folder: str, layer: str, base: str) -> None:
    here = ""
    for part in folder.split("/")[1:]:
        here += f"/{part}"
        if os.path.isdir(layer + here):
            continue
        os.mkdir(layer + here, 0o755)
        with contextlib.suppress(OSError):
            there = os.lstat(base + here)
            if stat.S_ISDIR(there.st_mode):
                os.chown(layer + here, there.st_uid, there.st_gid)
                os.chmod(layer + here, stat.S_IMODE(there.st_mode))


def bind_into(root: str, mount: Mount, hidden: tuple[str, ...] = ()) -> None:
    """Mount it below `root`. The path of the mount point may lead through a volume that other tasks write to: see open_beneath.py.

    hidden: the paths of the state folder, which no hostPath may show. Raises OSError, PodFault.
    """
    target = inside(root, mount.target)
    # This platform's own processes that enter the container rely on /proc.
    if not target or open_beneath.is_in(target, "/proc"):
        raise PodFault(f"nothing can be mounted at {mount.target}: choose another mountPath", "RunContainerError")
    with mount.open() as source:
        real = os.readlink(source) if mount.is_plain and hidden else ""
        if real and any(open_beneath.is_in(real, path) for path in hidden):
            raise PodFault(
                f"what shall be mounted at {mount.target} lies in the state folder of the local platform, which no task sees: "
                "mount a claim",
                "FailedMount",
            )
        is_folder = os.path.isdir(source)
        with open_beneath.at(root, target if is_folder else os.path.dirname(target), make=True) as parent:
            if not is_folder:
                with contextlib.suppress(FileExistsError):
                    name = os.path.basename(target)
                    os.close(os.open(f"{parent}/{name}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        with open_beneath.at(root, target) as place:
            syscalls.bind(source, place, recursive=True)
    if mount.read_only:
        with open_beneath.at(root, target) as place:  # opened again, because the path is now the mount
            syscalls.set_read_only(place)
    for path in (path for path in hidden if real and open_beneath.is_in(path, real)):
        with (
            contextlib.suppress(FileNotFoundError),
            open_beneath.at(root, target + path[len(real.rstrip("/")) :]) as place,
        ):
            syscalls.cover(place)


def inside(root: str, path: str) -> str:
    """A path of the container with all links resolved, as if `root` were `/`."""
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
    return done
