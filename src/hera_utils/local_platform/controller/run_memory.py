"""How the journal stores a run's memory beside its document: after each event only the changes are written.

Some parts never change, such as the templates that were read (FIXED). Some have an entry for each of thousands of nodes, such as the
locks that they wait for (NOTED): their entries are rows of their own. The rest is small and written each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from hera_utils.local_platform.storage.journal import encode
from hera_utils.local_platform.storage.records import RunUpdate

Json = dict[str, Any]
FIXED = ("templates", "config_maps", "durations")
NOTED = ("locks", "full_locks", "unopened", "asked")


class Notes(dict[str, Any]):
    """A part of a run's memory that records which of its entries changed since they were written."""

    def __init__(self, entries: Mapping[str, Any], changed: Iterable[str]) -> None:
        super().__init__(entries)
        self.changed = set(changed)

    def __setitem__(self, entry: str, value: Any) -> None:
        self.changed.add(entry)
        super().__setitem__(entry, value)

    def __delitem__(self, entry: str) -> None:
        self.changed.add(entry)
        super().__delitem__(entry)

    def pop(self, entry: str, *default: Any) -> Any:
        self.changed.add(entry)
        return super().pop(entry, *default)

    def clear(self) -> None:
        self.changed.update(self)
        super().clear()

    def _refused(self, *_: Any, **__: Any) -> Any:
        raise TypeError("entries of notes are set one by one")

    setdefault = update = popitem = __ior__ = _refused


def header(memory: Json) -> str:
    """The part that is written each time; of the NOTED parts it has only the names."""
    return encode({part: {} if part in NOTED else value for part, value in memory.items() if part not in FIXED})


def fixed(memory: Json) -> str:
    return encode({part: memory[part] for part in FIXED if part in memory})


def note_changes(memory: Json, written: dict[str, Notes], update: RunUpdate) -> None:
    """Add the changes of the NOTED parts to the update, and make these parts Notes. written: part → its state in the journal."""
    for part in NOTED:
        value, notes = memory.get(part), written.get(part)
        if notes is not None and value is not notes:
            del written[part]
            update.dropped_parts.append(part)
            notes = None
        if notes is None and value is not None:
            notes = memory[part] = written[part] = Notes(value, value)
        if notes is not None:
            update.notes += [(part, entry, encode(notes[entry]) if entry in notes else None) for entry in notes.changed]
            notes.changed.clear()


def restore_memory(
    header_text: str, fixed_text: str, rows: Iterable[tuple[Any, ...]]
) -> tuple[Json, dict[str, Notes], bool]:
    """(the memory, the state of its NOTED parts in the journal, whether an older version wrote it, with everything in the header)."""
    memory: Json = json.loads(header_text)
    older = any(part in memory for part in FIXED) or any(memory.get(part) for part in NOTED)
    memory |= json.loads(fixed_text)
    entries: dict[str, Json] = {part: {} for part in NOTED if part in memory}
    for part, entry, text in rows:
        entries.setdefault(part, {})[entry] = json.loads(text)
    written = {} if older else {part: Notes(notes, ()) for part, notes in entries.items()}
    return memory | written, written, older
