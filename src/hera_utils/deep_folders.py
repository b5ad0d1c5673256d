"""Reads and removes folders of any depth: `shutil.rmtree` and `os.walk` recurse for each level and fail on very deep ones."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: str | Path, *, folders: bool = False) -> Iterator[str]:
    """The paths of all entries that are no folders; unreadable folders and those with too long a path are skipped.

    folders: also the folder itself, and those below it.
    """
    pending = [os.fspath(folder)]
    while pending:
        here = pending.pop()
        if folders:
            yield here
        with contextlib.suppress(OSError), os.scandir(here) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                else:
                    yield entry.path


def remove_tree(folder: str | Path) -> None:
    """Remove a folder with its content; entries that cannot be removed stay."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:
        with contextlib.suppress(OSError):
            _make_shallow(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _make_shallow(folder: str | Path) -> None:
    """Move each inner folder to the top, one after the other, and remove all other entries. No link is followed."""
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        names = (f".deep-{number}-{os.getpid()}" for number in itertools.count())
        pending = [entry.name for entry in os.scandir(top) if entry.is_dir(follow_symlinks=False)]
        while pending:
            name = pending.pop()
            with contextlib.suppress(OSError):
                pending += _move_to_top(top, name, names)
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)


def _move_to_top(top: int, name: str, names: Iterator[str]) -> list[str]:
    """Move the folder's own folders to the top and remove its other entries; returns the new names of the folders."""
    here = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
    lifted = []
    try:
        for entry in list(os.scandir(here)):
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    new = next(names)
                    os.rename(entry.name, new, src_dir_fd=here, dst_dir_fd=top)
                    lifted.append(new)
                else:
                    os.unlink(entry.name, dir_fd=here)
    finally:
        os.close(here)
    return lifted
