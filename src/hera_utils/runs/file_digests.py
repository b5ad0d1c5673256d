"""Which files a run read and wrote, by their digests: `files.csv` in the folder of its record, for `hera-utils which`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from hera_utils.runs.catalogue import CatalogueEntry
from hera_utils.runs.record_files import read_file
from hera_utils.whole_files import write_whole

FILE = "files.csv"
READ, WRITTEN, PRESENT = "read", "written", "present"


@dataclass(frozen=True)
class FileUse:
    """A file that the layout declares, as it was when the run ended. point: the id of the point whose task has it, "" for what belongs to
    every point. use: READ, WRITTEN, or
    PRESENT: what this run did not write, or not to its end.
    """

    sha256: str
    size: int
    use: str
    point: str
    path: str


@dataclass(frozen=True)
class Trace:
    """A run that had a file. inputs: what the same point (or, of a file of all points, the run) read."""

    entry: CatalogueEntry
    use: FileUse
    inputs: tuple[FileUse, ...]

    @property
    def values(self) -> dict[str, str]:
        """The values of the point; {} for a file of all points."""
        row = next((row for row in self.entry.points if self.use.point and row.get("point") == self.use.point), {})
        return {name: row[column] for name, column in self.entry.axis_columns.items() if column in row}


def write_file_uses(folder: Path, uses: Iterable[FileUse]) -> None:
    """OSError when it cannot be written."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(one.name for one in fields(FileUse))
    writer.writerows(map(astuple, uses))
    write_whole(folder / FILE, text.getvalue().encode("utf-8", "surrogateescape"))


def traces(entries: Sequence[CatalogueEntry], sha256: str) -> list[Trace]:
    """Where a file of this digest was written or read, in the order of the entries."""
    trails = []
    for entry in entries:
        uses = _file_uses(entry, sha256)
        for use in uses:
            if use.sha256 == sha256:
                inputs = (one for one in uses if one.use == READ and one.point in ("", use.point) and one is not use)
                trails.append(Trace(entry, use, tuple(inputs)))
    return trails


def _file_uses(entry: CatalogueEntry, sha256: str) -> list[FileUse]:
    """What a run read and wrote; [] for a run that has no file of this digest."""
    return [] if entry.folder is None else read_file_uses(entry.folder, sha256)


def read_file_uses(folder: Path, sha256: str = "") -> list[FileUse]:
    """As `write_file_uses` wrote them; [] where none are recorded, or none has this digest."""
    try:
        content = read_file(folder / FILE)
    except OSError:
        return []
    if sha256.encode() not in content:
        return []
    rows = csv.DictReader(content.decode("utf-8", "surrogateescape").splitlines())
    return [
        FileUse(row["sha256"], int(row["size"]), row["use"], row["point"], row["path"])
        for row in rows
        if row.get("path") and (row.get("size") or "").isdecimal()
    ]
