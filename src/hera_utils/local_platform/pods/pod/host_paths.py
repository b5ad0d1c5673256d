"""Files and folders of this machine that a workflow mounts (`hostPath`), checked and created as on a node.

The kubelet checks the type, and creates the file or folder of an …OrCreate type (checkType in Kubernetes' pkg/volume/hostpath); for a
missing path without a type the container runtime creates a folder (containerd's internal/cri/opts/spec_linux_opts.go).
"""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from collections.abc import Callable, Collection
from typing import NamedTuple

from . import open_beneath
from .errors import PodFault

_TYPES: dict[str, tuple[str, Callable[[int], bool]]] = {
    "Directory": ("directory", stat.S_ISDIR),
    "File": ("file", stat.S_ISREG),
    "Socket": ("socket file", stat.S_ISSOCK),
    "CharDevice": ("character device", stat.S_ISCHR),
    "BlockDevice": ("block device", stat.S_ISBLK),
}
_CREATED = ("", "DirectoryOrCreate", "FileOrCreate")
_CLAIM = "or mount a claim instead, whose folder you can choose (--volume CLAIM=FOLDER)"


class Obstacle(NamedTuple):
    """Why a path cannot be mounted, and what to do."""

    message: str
    fix: str


def prepare(path: str, kind: str, volume: str, hidden: Collection[str]) -> str:
    """Check that the path is of that type (`hostPath.type`), or create it. Gives the path without links. Raises PodFault.

    hidden: the paths of the state folder, which may not be mounted.
    """
    path = absolute(path)
    real = os.path.realpath(path)
    if any(open_beneath.is_in(real, place) for place in hidden):
        raise PodFault(
            f'hostPath "{path}" of the volume "{volume}" lies in the state folder of the local platform, which no task '
            "sees: mount a claim",
            "FailedMount",
        )
    obstacle = type_obstacle(path, kind, volume)
    if obstacle is None and kind in _CREATED:
        try:
            _make(real, kind)
        except (OSError, ValueError) as error:
            obstacle = _not_creatable(path, kind, volume, str(getattr(error, "strerror", None) or error).lower())
    if obstacle is not None:
        raise PodFault(": ".join(obstacle), "FailedMount")
    return real


def absolute(path: str) -> str:
    """The absolute path. A relative one starts at `/`, where a node's runtime runs."""
    return os.path.join("/", path)


def type_obstacle(path: str, kind: str, volume: str) -> Obstacle | None:
    """Why a path cannot be mounted; None when it exists with that type, or will be created."""
    if kind not in (*_CREATED, *_TYPES):
        message = f'{kind} is an invalid volume type (hostPath of the volume "{volume}")'
        return Obstacle(message, f"write one of {', '.join((*_TYPES, *_CREATED[1:]))}, or none")
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return None if kind in _CREATED else _absent(path, kind, volume)
    wanted = kind.removesuffix("OrCreate")
    if not wanted or _TYPES[wanted][1](mode):
        return None
    there = next((words for words, fits in _TYPES.values() if fits(mode)), "pipe")
    message = (
        f'hostPath type check failed: {path} of the volume "{volume}" is not a {_TYPES[wanted][0]}, it is a {there}'
    )
    return Obstacle(message, "correct the path or its type")


def creation_obstacle(path: str, kind: str, volume: str) -> Obstacle | None:
    """Why a missing path cannot be created, as far as can be known without trying; None when it can."""
    above = os.path.dirname(path.rstrip("/"))
    while kind != "FileOrCreate" and not os.path.lexists(above):
        above = os.path.dirname(above)
    if not os.path.isdir(above):
        return _not_creatable(path, kind, volume, f"{above} is no folder")
    if not os.access(above, os.W_OK | os.X_OK):
        return _not_creatable(path, kind, volume, f"you have no permission to write to {above}")
    return None


def _make(path: str, kind: str) -> None:
    """Create the path if it does not exist. No link is followed, because one that was created after the check may lead anywhere."""
    if os.path.exists(path):
        return
    if kind != "FileOrCreate":
        with open_beneath.at("/", path, make=True, links=False):
            return
    with (
        open_beneath.at("/", os.path.dirname(path), links=False) as folder,
        contextlib.suppress(FileExistsError),
    ):
        file = f"{folder}/{os.path.basename(path)}"
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _absent(path: str, kind: str, volume: str) -> Obstacle:
    message = (
        f'hostPath type check failed: {path} of the volume "{volume}" is not a {_TYPES[kind][0]}: it does not exist'
    )
    if kind != "Directory":
        return Obstacle(message, "correct the path, or create it")
    return Obstacle(message, f"create it (mkdir -p {shlex.quote(path)}), {_CLAIM}")


def _not_creatable(path: str, kind: str, volume: str, why: str) -> Obstacle:
    message = f'hostPath "{path}" of the volume "{volume}" does not exist on this machine and cannot be created ({why})'
    if kind == "FileOrCreate":
        return Obstacle(message, "create it: as on a cluster, its folder is not created for it")
    return Obstacle(message, f"create it (sudo mkdir -p {shlex.quote(path)}), {_CLAIM}")
