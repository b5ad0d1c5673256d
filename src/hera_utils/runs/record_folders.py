"""Lists in the state folder, which only this user can write: the folders in which runs are recorded, so that a search finds the runs of
every script, and the Pythons that submitted them, which may be started to read their packages.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from hera_utils.private_folders import make_private

FOLDERS, PYTHONS = "runs-folders", "pythons"


def remember_run(state: Path, runs: Path, python: str) -> None:
    """Add a folder and an interpreter. An error is ignored: the run works without, and a search can be given the folder."""
    _add(state / FOLDERS, str(runs.absolute()))
    _add(state / PYTHONS, os.path.abspath(python))


def known_folders(state: Path) -> list[Path]:
    """The folders that still exist."""
    return [folder for line in _lines(state / FOLDERS) if (folder := Path(line)).is_dir()]


def known_pythons(state: Path) -> list[str]:
    """The interpreters that submitted runs. Others, which only a workflow names, might be a stranger's program and are never started."""
    return _lines(state / PYTHONS)


def _add(file: Path, line: str) -> None:
    if line in _lines(file):
        return
    with contextlib.suppress(OSError):
        make_private(file.parent)
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(descriptor, "a", encoding="utf-8", errors="surrogateescape") as lines:
            lines.write(f"{line}\n")


def _lines(file: Path) -> list[str]:
    try:
        return list(dict.fromkeys(file.read_text(encoding="utf-8", errors="surrogateescape").splitlines()))
    except OSError:
        return []
