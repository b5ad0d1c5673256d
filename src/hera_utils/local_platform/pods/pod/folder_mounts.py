"""All paths of a folder: a file system, or a part of it (a bind mount), that is mounted twice shows its folders at two paths."""

from __future__ import annotations

import os

from .mount_table import mounted
from .open_beneath import is_in


def all_places_of(folder: str) -> tuple[str, ...]:
    """The folder itself first, then the other paths at which this machine's mounts show it."""
    mounts = mounted()
    above = [mount for mount in mounts if is_in(folder, mount.place)]
    if not above:
        return (folder,)
    # Of several mounts at one place the last one is visible.
    own = max(reversed(above), key=lambda mount: len(mount.place))
    within = _join(own.root, folder[len(own.place.rstrip("/")) :])
    others: dict[str, None] = {}
    for mount in mounts:
        if mount.system == own.system and is_in(within, mount.root):
            place = _join(mount.place, within[len(mount.root.rstrip("/")) :])
            if not is_in(place, folder) and _is_same(place, folder):
                others[place] = None
    return (folder, *others)


def _join(path: str, rest: str) -> str:
    return f"{path.rstrip('/')}/{rest.strip('/')}".rstrip("/") or "/"


def _is_same(path: str, folder: str) -> bool:
    try:
        return os.path.samefile(path, folder)
    except OSError:  # a path that this user cannot read, a task cannot read either
        return False
