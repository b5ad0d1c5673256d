"""Git artifacts, cloned by this machine's git: from the network, or from this machine for tasks that see its files."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from . import syscalls
from .errors import PodFault
from .folder_mounts import all_places_of

Json = dict[str, Any]


_NETWORK = "http:https:ssh:git"


def clone(place: Json, target: str, *, local: bool, state: str) -> None:
    """Clone the repository of an input artifact's `git` into a new folder. Raises PodFault with git's message.

    local: whether a repository on this machine is permitted. One in the state folder never is.
    """
    revision = str(place.get("revision") or "")
    if revision.startswith("-"):  # git would take it for an option, which may read files of this machine
        raise PodFault(f"git: the revision {revision!r} is no name of a commit, branch or tag: correct it")
    words = ["clone", "--quiet"]
    if place.get("depth"):
        words += ["--depth", str(place["depth"])]
    if place.get("branch"):
        words += ["--branch", str(place["branch"])]
    if place.get("singleBranch"):
        words.append("--single-branch")
    hide = _hider(state, os.path.dirname(target))
    _run([*words, "--", str(place.get("repo")), target], f"{_NETWORK}:file" if local else _NETWORK, hide)
    if revision:  # again with the state folder hidden, because the clone may refer to objects at other places
        _run(["-C", target, "checkout", "--quiet", revision], _NETWORK, hide)


def _run(words: list[str], protocols: str, hide: Callable[[], None]) -> None:
    import subprocess  # imported here: it imports threading, which makes every fork slower

    environ = {"GIT_ALLOW_PROTOCOL": protocols, "GIT_NO_LAZY_FETCH": "1", **os.environ}
    try:
        done = subprocess.run(
            ["git", *words], capture_output=True, text=True, check=False, env=environ, preexec_fn=hide
        )
    except subprocess.SubprocessError:
        raise PodFault("git: the kernel does not hide the state folder from it") from None
    if done.returncode != 0:
        raise PodFault(f"git: {done.stderr.strip() or 'failed'}")


def _hider(state: str, own_folder: str) -> Callable[[], None]:
    """A function that hides the state folder, except `own_folder` in it, from the process that calls it.

    Checking the repository's path would not be enough: files or links in a repository, which a task may have written, can refer to
    other places.
    """
    places = all_places_of(state)

    def hide() -> None:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        own = os.open(own_folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        for path in places:
            syscalls.mount("tmpfs", path, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755,size=1m")
        os.makedirs(own_folder)
        syscalls.bind(f"/proc/self/fd/{own}", own_folder)

    return hide
