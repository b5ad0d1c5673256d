"""The commit of the folder of an experiment, as git reports it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_NO_PROGRAMS = {
    "GIT_OPTIONAL_LOCKS": "0",  # without it git may write the index, which calls a hook
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "",  # prevents the fetching of missing objects in git before 2.39.4
}
_KNOWN_FILTERS = ("", "true", "git-lfs clean -- %f", "git-lfs smudge -- %f", "git-lfs filter-process")


@dataclass(frozen=True)
class Commit:
    """The state of the script's repository. changed: number of files that differ from the commit. remote: URL without credentials.

    author: the configured name of the user (`user.name`).
    """

    commit: str
    branch: str = ""
    changed: int = 0
    remote: str = ""
    author: str = ""


def commit_of(folder: Path) -> Commit | None:
    """The commit of a folder; None outside a git repository, or without git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    status = _status(folder)
    return Commit(
        commit=commit,
        branch=_git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
        changed=len(status.splitlines()),
        remote=remove_credentials(_git(folder, "config", "--get", "remote.origin.url")),
        author=name_of_user(folder),
    )


def _status(folder: Path) -> str:
    """The lines of `git status`; "" if that would run a program that the repository's own git settings name.

    A folder that was copied, not cloned, brings its own settings. A filter in them is a command, and so is an extension of git-lfs, whose
    filter is a known one.
    """
    listed = _git(folder, "config", "--show-scope", "--includes", "--null", "--list").split("\0")
    own = [text for scope, text in zip(listed[::2], listed[1::2], strict=False) if scope in ("local", "worktree")]
    if any(map(_names_a_program, own)):
        return ""
    return _git(folder, "status", "--porcelain", "--untracked-files=normal", "--ignore-submodules=all")


def _names_a_program(setting: str) -> bool:
    name, _, value = setting.partition("\n")
    return name.lower().startswith("lfs.extension.") or (
        name.lower().startswith("filter.") and value not in _KNOWN_FILTERS
    )


def name_of_user(folder: Path) -> str:
    """The user's name in git's settings (`user.name`), "" if there is none."""
    return _git(folder, "config", "--get", "user.name")


def remove_credentials(url: str) -> str:
    """`https://user:token@host/x` without user and token; `git@host:x` stays as it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if not parts.scheme or "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            # A folder that was copied, not cloned, brings its own git settings and hooks, which could name a program to run.
            ["git", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "-C", str(folder), *words],
            env=os.environ | _NO_PROGRAMS,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
