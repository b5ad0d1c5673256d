"""The files that an experiment's layout declares, where this machine can see them: what a point reads, and whether what it writes is
there. Files in a cluster's volume cannot be seen from here; `unseen` says so.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hera_utils.experiment.declarations import declared
from hera_utils.experiment.layout import Layout
from hera_utils.experiment.layout_paths import File
from hera_utils.experiment.points import Point

ABSENT = ""
_CHUNK = 1 << 20


class DeclaredFiles:
    """layout: the experiment's; anything but a Layout declares nothing. volume: the folder that stands for its volume, None where
    it cannot be seen. script: the folder of the experiment's script.
    """

    def __init__(self, layout: object, volume: Path | None, script: Path) -> None:
        self.layout = layout if isinstance(layout, Layout) else None
        self.volume, self.script = volume, script
        self.unseen = 0
        self._digests: dict[Path, str] = {}
        self._made = {file.path for file in self.layout.outputs_of_all()} if self.layout is not None else set()

    def read(self, point: Point) -> dict[str, str]:
        """Path → digest of each input of a point; "" for one that is not there. What the run itself writes is not among them."""
        if self.layout is None:
            return {}
        found = {}
        for file in self.layout.inputs_of(point):
            path = self._path(file)
            if path is None:
                self.unseen += 1
            elif file.path not in self._made:
                found[file.path] = self._digest(path)
        return found

    def missing(self, point: Point) -> list[str]:
        """The outputs of a point that are not there."""
        if self.layout is None:
            return []
        return [
            file.path for file in self._seen(self.layout.outputs(point)) if not os.path.lexists(self._path(file) or "/")
        ]

    def absent_local(self, points: Iterable[Point]) -> tuple[str, Path] | None:
        """(method, path) of a file beside the script that the layout says the workflow carries with it, and that is not there."""
        layout = self.layout
        local = [] if layout is None else [one for one in declared(type(layout), "reads") if one.local]
        if layout is None or not local:
            return None
        for point in points:
            for file in layout.inputs_of(point):
                path = self._path(file)
                if file.local and path is not None and not path.exists():
                    return file.method, path
            if not any(one.depends(point) for one in local):
                break
        return None

    def where(self, file: File) -> Path | None:
        """Where this machine has it, or would; None for what it cannot see."""
        return self._path(file)

    def _seen(self, files: Sequence[File]) -> list[File]:
        seen = [file for file in files if self._path(file) is not None]
        self.unseen += len(files) - len(seen)
        return seen

    def _path(self, file: File) -> Path | None:
        if file.local:
            return self.script / file.path
        return None if self.volume is None else self.volume / file.path

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = _digest_of(path)
        return self._digests[path]


def _digest_of(path: Path) -> str:
    """Of a file's bytes; of a folder's files and their paths."""
    made = hashlib.blake2b(digest_size=8)
    try:
        if path.is_dir():
            for one in sorted(path.rglob("*")):
                if one.is_file():
                    made.update(f"{one.relative_to(path)}\0".encode("utf-8", "surrogateescape"))
                    _feed(made, one)
            return made.hexdigest()
        _feed(made, path)
    except OSError:
        return ABSENT
    return made.hexdigest()


def _feed(made: hashlib.blake2b, path: Path) -> None:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            made.update(chunk)
