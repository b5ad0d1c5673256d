"""The catalogue of runs, for searches and comparisons: the facts, notes, inputs and outputs of each run.

A run with a record is read from the record's folder (run.json, notes.json, results.csv); a run without one, such as a plain Hera
script's, from the document of its workflow. The status of single tasks is not read: two hundred runs take a fraction of a second.
"""

from __future__ import annotations

import contextlib
import csv
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from hera_utils.argo.annotations import SCRIPT
from hera_utils.argo.phases import COMPLETED, phase_of, phase_or_pending
from hera_utils.argo.timestamps import read
from hera_utils.csv_files import csv_rows
from hera_utils.runs.measurements import COLUMNS as MEASUREMENTS
from hera_utils.runs.notes import RunNotes, read_notes
from hera_utils.runs.record import is_driven, moment, run_of
from hera_utils.runs.record_files import read_json, refuse_special
from hera_utils.runs.whole_run import WholeRun

Json = dict[str, Any]

NEEDED_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.creationTimestamp", "metadata.labels", "metadata.annotations",
    "spec.arguments", "status.phase", "status.startedAt", "status.finishedAt", "status.outputs", "status.progress",
)  # fmt: skip
"""The fields of a workflow's document that the catalogue needs."""
INPUT, OUTPUT = "inputs.", "outputs."
"""Prefixes that distinguish an input from an output of the same name; columns have them if another column has their name."""
NOT_SUBMITTED = "NotSubmitted"
"""The phase of a run whose process was killed before it submitted anything."""
_NO_OUTPUTS = (
    *("point", "workflow", "artifacts", "status", "started", "finished", "seconds", "attempts", "message"),
    *MEASUREMENTS,
)


@dataclass(frozen=True)
class CatalogueEntry:
    """A run. folder: of its record, None without one. facts: from run.json. constants, axes: name → value, values.

    outputs: name → value, of a run without a record.
    """

    name: str
    phase: str
    created: float
    ended: float | None
    facts: Json = field(default_factory=dict)
    folder: Path | None = None
    notes: RunNotes = RunNotes()
    constants: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """Seconds from its creation to its end, None while it runs."""
        return None if self.ended is None else round(self.ended - self.created, 3)

    @cached_property
    def points(self) -> tuple[Mapping[str, str], ...]:
        """The rows of results.csv, one for each point, with cells as texts and without empty cells; () while the run has no results."""
        if self.folder is None:
            return ()
        try:
            refuse_special(self.folder / "results.csv")
            with open(self.folder / "results.csv", encoding="utf-8", newline="") as file:
                rows = [{name: cell for name, cell in row.items() if name and cell} for row in csv_rows(file)]
        except (OSError, ValueError, csv.Error):
            return ()
        return tuple(rows) if not rows or "point" in rows[0] else ()

    @cached_property
    def axis_columns(self) -> dict[str, str]:
        """Axis → its column in `points`; {} while the run has no results."""
        return {name: INPUT + name if INPUT + name in self._columns else name for name in self.axes if self.points}

    @cached_property
    def output_columns(self) -> dict[str, str]:
        """Output of a point → its column in `points`, in the order of the columns."""
        others = {*_NO_OUTPUTS, *self.axis_columns.values()}
        return {name.removeprefix(OUTPUT): name for name in self._columns if name not in others}

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        """The outputs of the points, in the order of their columns, then the run's own outputs."""
        return tuple(dict.fromkeys((*self.output_columns, *self.outputs)))

    @cached_property
    def _columns(self) -> dict[str, None]:
        return dict.fromkeys(name for row in self.points for name in row)


def read_catalogue(
    folders: Iterable[Path], workflows: Sequence[Json] = (), platform: tuple[str, ...] | None = None
) -> list[CatalogueEntry]:
    """Every run once, the newest first. folders: those with records. workflows: all workflows of a platform (with NEEDED_FIELDS), also of
    runs without a record. platform: that platform (as `platform_of`); the phases of its recorded runs are taken from it.
    """
    by_name: dict[str, CatalogueEntry] = {}
    for runs in folders:
        for entry in recorded_runs(runs):
            by_name.setdefault(entry.name, entry)
    recorded = set(by_name)
    by_workflow = {str(document["metadata"].get("name", "")): document for document in workflows}
    for name, entry in by_name.items():
        if entry.ended is None and entry.phase != NOT_SUBMITTED and platform == platform_of(entry.facts):
            by_name[name] = _with_present_phase(entry, by_workflow)
    for document in workflows:
        name = str(document["metadata"].get("name", ""))
        if recorded.isdisjoint((name, run_of(document["metadata"]))):
            by_name.setdefault(name, _entry_of_workflow(document))
    return sorted(by_name.values(), key=lambda entry: (entry.created, entry.name), reverse=True)


def platform_of(facts: Json) -> tuple[str, ...]:
    """Identifies the platform of a record, and the namespace."""
    return tuple(str(facts.get(name) or "") for name in ("platform", "state", "namespace"))


def _with_present_phase(entry: CatalogueEntry, by_workflow: Mapping[str, Json]) -> CatalogueEntry:
    """An unfinished record with the phase that its workflows have on the platform."""
    names = [str(workflow.get("name")) for workflow in entry.facts.get("workflows") or ()]
    documents = tuple(by_workflow[name] for name in names if name in by_workflow)
    if not documents:
        return entry if entry.folder is None or is_driven(entry.folder) else replace(entry, phase="Deleted")
    deleted = frozenset(name for name in names if name not in by_workflow)
    whole = WholeRun(entry.name, "", documents, entry.folder, entry.facts, deleted=deleted)
    ends = [read((document.get("status") or {}).get("finishedAt")) for document in documents]
    ended = max((end for end in ends if end is not None), default=None) if whole.phase in COMPLETED else None
    return replace(entry, phase=whole.phase, ended=ended)


def recorded_runs(runs: Path) -> Iterator[CatalogueEntry]:
    """The runs with records in a folder, in no order. Records that cannot be read are left out."""
    with contextlib.suppress(OSError):
        for folder in runs.iterdir():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
                yield _entry_of_record(folder, read_json(folder / "run.json"))


def _entry_of_record(folder: Path, facts: Json) -> CatalogueEntry:
    inputs = facts.get("inputs") or {}
    created, ended = moment(facts["created"]), facts.get("ended")
    if created is None:
        raise ValueError("no time of a run")
    begun = facts.get("workflows") != [] or is_driven(folder)
    return CatalogueEntry(
        folder.name,
        str(facts.get("phase") or ("" if ended is not None else "Running" if begun else NOT_SUBMITTED)),
        created,
        moment(ended),
        facts,
        folder,
        read_notes(folder),
        dict(inputs.get("constants") or {}),
        {name: list(values) for name, values in (inputs.get("parameters") or {}).items()},
    )


def _entry_of_workflow(document: Json) -> CatalogueEntry:
    metadata, status = document["metadata"], document.get("status") or {}
    created = read(metadata.get("creationTimestamp")) or time.time()
    script = str((metadata.get("annotations") or {}).get(SCRIPT) or "")
    facts = {"script": script, "namespace": metadata.get("namespace") or ""}
    return CatalogueEntry(
        str(metadata.get("name", "")),
        phase_or_pending(document),
        created,
        read(status.get("finishedAt")) if phase_of(document) in COMPLETED else None,
        facts,
        constants=_parameters((document.get("spec") or {}).get("arguments")),
        outputs=_parameters(status.get("outputs")),
    )


def _parameters(holder: Json | None) -> dict[str, Any]:
    return {
        str(parameter["name"]): parameter.get("value")
        for parameter in (holder or {}).get("parameters") or ()
        if parameter.get("value") is not None
    }
