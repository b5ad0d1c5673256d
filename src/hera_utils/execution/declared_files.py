"""The files that an experiment's layout declares, where this machine can see them: what a point reads, and whether what it writes is
there. Files in a cluster's volume cannot be seen from here; `unseen` says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hera_utils.digests import sha256_of, short_digest_of
from hera_utils.experiment.declarations import declared
from hera_utils.experiment.layout import Layout
from hera_utils.experiment.layout_paths import File
from hera_utils.experiment.points import Point
from hera_utils.provenance.manifest import KnownFile

ABSENT = ""
MOST_FILES = 1000
MOST_BYTES = 512 * 1024 * 1024  # read at the end of a run: a second or so


class DeclaredFiles:
    """layout: the experiment's; anything but a Layout declares nothing. volume: the folder that stands for its volume, None where
    it cannot be seen. script: the folder of the experiment's script.
    """

    def __init__(self, layout: object, volume: Path | None, script: Path) -> None:
        self.layout = layout if isinstance(layout, Layout) else None
        self.volume, self.script = volume, script
        self.unseen = 0
        self._digests: dict[Path, str] = {}
        self._outputs = {file.path for file in self.layout.outputs_of_all()} if self.layout is not None else set()

    def read(self, point: Point) -> dict[str, str]:
        """Path → digest of each input of a point; "" for one that is not there. What the run itself writes is not among them."""
        if self.layout is None:
            return {}
        digests = {}
        for file in self.layout.inputs_of(point):
            path = self.path(file)
            if path is None:
                self.unseen += 1
            elif file.path not in self._outputs:
                digests[file.path] = self._digest(path)
        return digests

    def missing(self, point: Point) -> list[str]:
        """The outputs of a point that are not there."""
        if self.layout is None:
            return []
        outputs = self._visible(self.layout.outputs(point))
        return [file.path for file in outputs if not os.path.lexists(self.path(file) or "/")]

    def absent_local(self, points: Iterable[Point]) -> tuple[str, Path] | None:
        """(method, path) of a file beside the script that the layout says the workflow carries with it, and that is not there."""
        layout = self.layout
        local = [] if layout is None else [reads for reads in declared(type(layout), "reads") if reads.local]
        if layout is None or not local:
            return None
        for point in points:
            for file in layout.inputs_of(point):
                path = self.path(file)
                if file.local and path is not None and not path.exists():
                    return file.method, path
            if not any(reads.depends(point) for reads in local):
                break
        return None

    def _visible(self, files: Sequence[File]) -> list[File]:
        visible = [file for file in files if self.path(file) is not None]
        self.unseen += len(files) - len(visible)
        return visible

    def path(self, file: File) -> Path | None:
        """Where this machine has it, or would; None for what it cannot see."""
        if file.local:
            return self.script / file.path
        return None if self.volume is None else self.volume / file.path

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            self._digests[path] = _digest_of(path)
        return self._digests[path]


def _digest_of(path: Path) -> str:
    try:
        return short_digest_of(path)
    except OSError:
        return ABSENT


def checksums(files: DeclaredFiles, points: Iterable[Point]) -> tuple[KnownFile, ...]:
    """Of what a run read and wrote, for its manifest: each file once, inputs first. Folders, what is not there, and what is beyond the
    bounds are left out.
    """
    room = MOST_BYTES
    by_path: dict[str, KnownFile] = {}
    for file, written in _inputs_and_outputs(files, points):
        path = files.path(file)
        if file.path in by_path or path is None or not path.is_file():
            continue
        if len(by_path) >= MOST_FILES or path.stat().st_size > room:
            break
        room -= path.stat().st_size
        by_path[file.path] = KnownFile(file.path, path.stat().st_size, sha256_of(path), written)
    return tuple(by_path.values())


def _inputs_and_outputs(files: DeclaredFiles, points: Iterable[Point]) -> Iterator[tuple[File, bool]]:
    """(file, whether the run wrote it)."""
    layout = files.layout
    if layout is None:
        return
    every = {file.path for file in layout.outputs_of_all()}
    yield from ((file, False) for file in layout.inputs_of_all() if file.path not in every)
    yield from ((file, True) for file in layout.outputs_of_all())
    for point in points:
        yield from ((file, False) for file in layout.inputs_of(point) if file.path not in every)
        yield from ((file, True) for file in layout.outputs(point))
