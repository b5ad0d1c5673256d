"""Git artifacts: a repository of the network, cloned by this machine's git; also one of this machine, for tasks that see its files."""

from __future__ import annotations

import os
from typing import Any

from .errors import PodFault

Json = dict[str, Any]


_NETWORK = "http:https:ssh:git"


def clone(place: Json, target: str, *, local: bool) -> None:
    """Clone the repository of an input artifact's `git` into a new folder. PodFault says what git said.

    local: whether it may be one of this machine.
    """
    import subprocess  # not at the top: it brings threading, which makes every fork slower

    revision = str(place.get("revision") or "")
    if revision.startswith("-"):  # an option, with which git would read files of this machine
        raise PodFault(f"git: the revision {revision!r} is no name of a commit, branch or tag: correct it")
    command = ["git", "clone", "--quiet"]
    if place.get("depth"):
        command += ["--depth", str(place["depth"])]
    if place.get("branch"):
        command += ["--branch", str(place["branch"])]
    if place.get("singleBranch"):
        command.append("--single-branch")
    done = subprocess.run(
        [*command, "--", str(place.get("repo")), target],
        capture_output=True,
        text=True,
        check=False,
        env={"GIT_ALLOW_PROTOCOL": f"{_NETWORK}:file" if local else _NETWORK, **os.environ},
    )
    if done.returncode == 0 and revision:
        done = subprocess.run(
            ["git", "-C", target, "checkout", "--quiet", revision],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise PodFault(f"git: {done.stderr.strip() or 'failed'}")
