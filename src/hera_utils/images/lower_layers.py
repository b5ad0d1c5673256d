"""What a container would see in a stack of layers, asked path by path. No link is followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from hera_utils.images import whiteouts

Names = tuple[str, ...]

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class LowerLayers:
    """layers: the layers' folders, the uppermost first."""

    def __init__(self, layers: Sequence[Path]) -> None:
        self._layers = layers

    def folder(self, names: Names) -> os.stat_result | None:
        """The status of the folder at that path; None when there is none."""
        status = self._entry(names)
        return status if status is not None and stat.S_ISDIR(status.st_mode) else None

    def has_entry(self, names: Names) -> bool:
        """Whether there is anything at that path."""
        return self._entry(names) is not None

    def _entry(self, names: Names) -> os.stat_result | None:
        for folder, is_last in self._folders(names[:-1]):
            try:
                status = os.stat(names[-1], dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                if is_last:
                    return None
                continue
            return None if whiteouts.is_whiteout(folder, names[-1], status) else status
        return None

    def names(self, names: Names) -> set[str]:
        """The names in the folder at that path."""
        present: set[str] = set()
        absent: set[str] = set()
        for folder, _ in self._folders(names):
            for name in _list_names(folder):
                if name not in present | absent:
                    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    (absent if whiteouts.is_whiteout(folder, name, status) else present).add(name)
        return present

    def _folders(self, names: Names) -> Iterator[tuple[int, bool]]:
        """The layers' folders whose union is the folder at that path: (descriptor, valid until the next; whether it hides lower ones)."""
        for layer in self._layers:
            here, hides = os.open(layer, _FOLDER), False
            try:
                for number, name in enumerate((*names, "")):
                    hides = hides or whiteouts.is_opaque(here)
                    if number == len(names):
                        yield here, hides
                        break
                    try:
                        following = os.open(name, _FOLDER, dir_fd=here)
                    except FileNotFoundError:
                        break
                    except NotADirectoryError:
                        return  # a file, a link or a whiteout hides what is below it
                    os.close(here)
                    here = following
            finally:
                os.close(here)
            if hides:
                return


def _list_names(folder: int) -> list[str]:
    reading = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        return os.listdir(reading)
    finally:
        os.close(reading)
