"""The user's notes on a run: a name, a note, tags. They are in `notes.json` of the record's folder, not in run.json, because the process
that drives the run rewrites that file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hera_utils.errors import ResourceError, SettingsError
from hera_utils.runs.record_files import read_json
from hera_utils.whole_files import write_atomically
from hera_utils.wording import system_reason

FILE = "notes.json"
_LONGEST_NAME = 100
_TAG = re.compile(r"[^\s,=<>!~]+")


@dataclass(frozen=True)
class RunNotes:
    """name: an additional name of the run. tags: words without blanks, sorted."""

    name: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()

    def with_tags(self, add: Iterable[str] = (), remove: Iterable[str] = ()) -> RunNotes:
        """The notes with some tags added and others removed. Raises SettingsError for what cannot be a tag."""
        added, removed = list(add), set(remove)
        for tag in added:
            if not _TAG.fullmatch(tag):
                raise SettingsError(
                    f"'{tag}' cannot be a tag", fix="give a word without blanks, commas and the signs = < > ! ~"
                )
        return replace(self, tags=tuple(sorted({*self.tags, *added} - removed)))

    def with_name(self, name: str) -> RunNotes:
        """The notes with another name. Raises SettingsError if the name is too long for a table, or not printable."""
        if len(name) > _LONGEST_NAME or not name.isprintable():
            raise SettingsError(
                f"the name of a run is one line of at most {_LONGEST_NAME} characters, and this has {len(name)}",
                fix="give a short name, and say more with --note",
            )
        return replace(self, name=name)


def read_notes(folder: Path) -> RunNotes:
    """The notes of a run; empty if there are none, or if they cannot be read."""
    try:
        raw = read_json(folder / FILE)
        return RunNotes(str(raw.get("name") or ""), str(raw.get("note") or ""), tuple(map(str, raw.get("tags") or ())))
    except (OSError, ValueError, AttributeError, TypeError):
        return RunNotes()


def write_notes(folder: Path, notes: RunNotes) -> None:
    """Write the notes of a run. Raises ResourceError if they cannot be written."""
    target = folder / FILE
    try:
        write_atomically(target, f"{json.dumps(asdict(notes), indent=1, ensure_ascii=False)}\n".encode())
    except OSError as error:
        raise ResourceError(
            f"{target} cannot be written ({system_reason(error)})", fix="check free space and permissions"
        ) from None


def named_runs(runs: Path, name: str) -> list[Path]:
    """The records in a folder to which a user gave this name."""
    return [file.parent for file in runs.glob(f"*/{FILE}") if read_notes(file.parent).name == name]
