"""The files that an experiment's layout declares, as far as this machine sees them: which ones a point reads, and whether its outputs
are still as it wrote them. Files in a cluster's volume cannot be seen from here; `unseen` counts them.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hera_utils.digests import sha256_of, short_digest_of
from hera_utils.experiment.declarations import declarations_of_kind
from hera_utils.experiment.layout import Layout
from hera_utils.experiment.layout_paths import File
from hera_utils.experiment.points import Point
from hera_utils.runs.file_digests import PRESENT, READ, WRITTEN, FileUse
from hera_utils.runs.file_facts import FileFacts, difference, facts_of
from hera_utils.runs.record import DONE, RunRecord
from hera_utils.wording import first_of

ABSENT = ""
MOST_FILES = 1000
MOST_BYTES_OF_OUTPUTS = 4 << 30  # bytes of one run's outputs that are hashed
MOST_BYTES = 512 * 1024 * 1024  # bytes that are hashed at the end of a run, which takes about a second


class DeclaredFiles:
    """layout: the experiment's; anything but a Layout declares nothing. volume: the folder that stands for its volume, None where
    it cannot be seen. script: the folder of the experiment's script.
    """

    def __init__(self, layout: object, volume: Path | None, script: Path) -> None:
        self.layout = layout if isinstance(layout, Layout) else None
        self.volume, self.script = volume, script
        self.unseen = 0
        self._digests: dict[Path, str] = {}
        self._room = MOST_BYTES_OF_OUTPUTS
        self._outputs = {file.path for file in self.layout.outputs_of_all()} if self.layout is not None else set()

    def read(self, point: Point) -> dict[str, str]:
        """Path → digest of each input of a point; "" for one that does not exist. Files that the run itself writes are left out."""
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

    def outputs(self, point: Point | None) -> dict[str, FileFacts]:
        """Path → the facts by which an output of a point is recognized later. None: the outputs that are written after all points."""
        outputs_of_points = {}
        for file in self._outputs_of(point):
            facts = self._facts(self.path(file) or Path("/"))
            if facts is not None:
                outputs_of_points[file.path] = facts
        return outputs_of_points

    def undone(self, point: Point | None, before: Mapping[str, FileFacts]) -> tuple[str, dict[str, FileFacts]]:
        """(why the outputs of a point are no longer those that it wrote, "" if they are; the facts by which they are recognized now).

        point: None for the outputs that are written after all points. before: what `outputs` gave when the point was done. An output
        that is not in it must only exist; one that is written after all points is then not checked at all.
        """
        wrong: list[str] = []
        present: dict[str, FileFacts] = {}
        for file in self._outputs_of(point):
            path, facts = self.path(file) or Path("/"), before.get(file.path)
            if facts is None:
                now = None if point is None else self._facts(path)
                how = "missing" if now is None and point is not None else ""
            else:
                how, now = difference(path, facts)
            if how:
                what, _, more = how.partition(" ")
                wrong.append(f"output {what.rstrip(',')}: {file.path}{f' {more}' if more else ''}")
            elif now is not None:
                present[file.path] = now
        return (first_of(wrong) if wrong else ""), present

    def missing(self, point: Point, written: Container[str]) -> list[str]:
        """The paths of a point's declared outputs that are not among what it wrote."""
        return [file.path for file in self._outputs_of(point) if file.path not in written]

    @property
    def sees_outputs(self) -> bool:
        """Whether there may be outputs that this machine can see."""
        return (
            self.layout is not None
            and self.volume is not None
            and bool(declarations_of_kind(type(self.layout), "writes"))
        )

    def _facts(self, path: Path) -> FileFacts | None:
        facts = facts_of(path, self._room)
        self._room -= facts.size if facts is not None and facts.digest else 0
        return facts

    def _outputs_of(self, point: Point | None) -> list[File]:
        if self.layout is None:
            return []
        return self._visible(self.layout.outputs_of_all() if point is None else self.layout.outputs(point))

    def absent_local(self, points: Iterable[Point]) -> tuple[str, Path] | None:
        """(method, path) of the first file that the layout declares as local, beside the script, and that does not exist."""
        layout = self.layout
        local = (
            [] if layout is None else [reads for reads in declarations_of_kind(type(layout), "reads") if reads.local]
        )
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

    def leads_outside(self, file: File) -> bool:
        """Whether a link that a task left there leads out of the volume: then its target is no output of the run."""
        path = self.path(file)
        if file.local or path is None or self.volume is None:
            return False
        return not path.resolve().is_relative_to(self.volume.resolve())

    def path(self, file: File) -> Path | None:
        """The path of the file on this machine, whether or not it exists; None for a file that this machine cannot see."""
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


def file_uses(
    files: DeclaredFiles, points: Iterable[Point], wrote: Callable[[str], bool] = lambda point: True
) -> tuple[FileUse, ...]:
    """The files that a run read and wrote, inputs first: one entry for each point that has the file, or one for all points. Folders,
    missing files and files beyond the bounds are left out.

    wrote: whether the run computed a point (by its id; "": the outputs after all points); else its outputs only count as present.
    """
    room = MOST_BYTES
    digests: dict[Path, tuple[str, int]] = {}
    uses: dict[tuple[str, str], FileUse] = {}
    for file, use, point in _uses(files, points):
        path = files.path(file)
        if (file.path, point) in uses or path is None or not path.is_file():
            continue
        if use == WRITTEN and files.leads_outside(file):
            continue
        if path not in digests:
            size = path.stat().st_size
            if len(digests) >= MOST_FILES or size > room:
                break
            room -= size
            digests[path] = sha256_of(path), size
        use = PRESENT if use == WRITTEN and not wrote(point) else use
        uses[file.path, point] = FileUse(*digests[path], use, point, file.path)
    return tuple(uses.values())


def files_written_by(record: Path) -> Callable[[str], bool]:
    """The function `wrote` of `file_uses`, for the run with this record folder."""
    with RunRecord.open(record) as opened:
        computed = {row.id for row in opened.points(status=DONE) if not row.run}
        computed |= {""} if opened.facts.get("phase") == DONE else set()
    return computed.__contains__


def _uses(files: DeclaredFiles, points: Iterable[Point]) -> Iterator[tuple[File, str, str]]:
    """(file, read or written, id of the point, "" for all of them)."""
    layout = files.layout
    if layout is None:
        return
    every = {file.path for file in layout.outputs_of_all()}
    shared = {file.path for file in layout.inputs_of_all()}
    yield from ((file, READ, "") for file in layout.inputs_of_all() if file.path not in every)
    yield from ((file, WRITTEN, "") for file in layout.outputs_of_all())
    for point in points:
        yield from (
            (file, READ, point.id)
            for file in layout.inputs_of(point)
            if file.path not in every and file.path not in shared
        )
        yield from ((file, WRITTEN, point.id) for file in layout.outputs(point))
