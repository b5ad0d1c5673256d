"""The files that a run read and wrote, with their digests: `files.csv` in the folder of its record, for `hera-utils which`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from hera_utils.csv_files import csv_rows
from hera_utils.runs.catalogue import CatalogueEntry
from hera_utils.runs.record_files import read_file
from hera_utils.whole_files import write_atomically

FILE = "files.csv"
READ, WRITTEN, PRESENT = "read", "written", "present"


@dataclass(frozen=True)
class FileUse:
    """A file that the layout declares, as it was when the run ended. point: the id of the point to which it belongs, "" for all points.
    use: READ, WRITTEN, or PRESENT for an output that this run did not write, or did not finish.
    """

    sha256: str
    size: int
    use: str
    point: str
    path: str


@dataclass(frozen=True)
class Trace:
    """A run that read or wrote a file. inputs: the files that the same point read (or the run, for a file of all points)."""

    entry: CatalogueEntry
    use: FileUse
    inputs: tuple[FileUse, ...]

    @property
    def values(self) -> dict[str, str]:
        """The values of the point; {} for a file of all points."""
        row = next((row for row in self.entry.points if self.use.point and row.get("point") == self.use.point), {})
        return {name: row[column] for name, column in self.entry.axis_columns.items() if column in row}


def write_file_uses(folder: Path, uses: Iterable[FileUse]) -> None:
    """Write files.csv. Raises OSError if it cannot be written."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(FileUse))
    writer.writerows(map(astuple, uses))
    write_atomically(folder / FILE, text.getvalue().encode("utf-8", "surrogateescape"))


def traces(entries: Sequence[CatalogueEntry], sha256: str) -> list[Trace]:
    """The runs that wrote or read a file with this digest, in the order of the entries."""
    trails = []
    for entry in entries:
        uses = _file_uses(entry, sha256)
        for use in uses:
            if use.sha256 == sha256:
                inputs = (one for one in uses if one.use == READ and one.point in ("", use.point) and one is not use)
                trails.append(Trace(entry, use, tuple(inputs)))
    return trails


def _file_uses(entry: CatalogueEntry, sha256: str) -> list[FileUse]:
    """The files of a run; [] if none has this digest."""
    return [] if entry.folder is None else read_file_uses(entry.folder, sha256)


def read_file_uses(folder: Path, sha256: str = "") -> list[FileUse]:
    """The files that `write_file_uses` wrote; [] if none are recorded, or if none has this digest."""
    try:
        content = read_file(folder / FILE)
    except OSError:
        return []
    if sha256.encode() not in content:
        return []
    rows = csv_rows(content.decode("utf-8", "surrogateescape").splitlines())
    return [
        FileUse(row["sha256"], int(row["size"]), row["use"], row["point"], row["path"])
        for row in rows
        if row.get("path") and (row.get("size") or "").isdecimal()
    ]
