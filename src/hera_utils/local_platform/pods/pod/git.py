"""Git artifacts: a repository of the network, cloned by this machine's git; also one of this machine, for tasks that see its files."""

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
    """Clone the repository of an input artifact's `git` into a new folder. PodFault says what git said.

    local: whether it may be one of this machine; none of the state folder.
    """
    revision = str(place.get("revision") or "")
    if revision.startswith("-"):  # an option, with which git would read files of this machine
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
    if revision:  # the clone may share objects of other places
        _run(["-C", target, "checkout", "--quiet", revision], _NETWORK, hide)


def _run(words: list[str], protocols: str, hide: Callable[[], None]) -> None:
    import subprocess  # not at the top: it brings threading, which makes every fork slower

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
    """What hides the state folder, but one folder in it, from a process that it is called in. Not the name of a repository tells where it
    lies: a file or a link in it may name another place, and a task may have written them.
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
