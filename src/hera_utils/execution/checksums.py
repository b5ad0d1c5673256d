"""The checksums of what a run read and wrote, of the files that its layout declares and this machine can see: for its manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hera_utils.digests import sha256_of
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.experiment.layout_paths import File
from hera_utils.experiment.points import Point
from hera_utils.provenance.manifest import KnownFile

MOST_FILES = 1000
MOST_BYTES = 512 * 1024 * 1024  # read at the end of a run: a second or so


def checksums(files: DeclaredFiles, points: Iterable[Point]) -> tuple[KnownFile, ...]:
    """Each file once, inputs first; folders, what is not there, and what is beyond the bounds are left out."""
    room = MOST_BYTES
    found: dict[str, KnownFile] = {}
    for file, written in _declared(files, points):
        path = files.where(file)
        if file.path in found or path is None or not path.is_file():
            continue
        if len(found) >= MOST_FILES or path.stat().st_size > room:
            break
        room -= path.stat().st_size
        found[file.path] = KnownFile(file.path, path.stat().st_size, sha256_of(path), written)
    return tuple(found.values())


def _declared(files: DeclaredFiles, points: Iterable[Point]) -> Iterator[tuple[File, bool]]:
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
