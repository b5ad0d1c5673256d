"""The folders in which this user's runs are recorded: a list in the state folder, so that a search finds runs of every script."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

FILE = "runs-folders"


def remember(state: Path, runs: Path) -> None:
    """Add a folder to the list. A list that cannot be written is no fault of the run: then a search is told where to look."""
    line = str(runs.absolute())
    if line in _lines(state):
        return
    with contextlib.suppress(OSError):
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(state / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with open(descriptor, "a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(f"{line}\n")


def known_folders(state: Path) -> list[Path]:
    """The folders of the list that are still there."""
    return [folder for line in _lines(state) if (folder := Path(line)).is_dir()]


def _lines(state: Path) -> list[str]:
    try:
        return list(dict.fromkeys((state / FILE).read_text(encoding="utf-8", errors="surrogateescape").splitlines()))
    except OSError:
        return []
