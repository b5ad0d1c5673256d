"""Reads and writes the trials of a search in the record of a run (`trials`), with the outputs of tasks as numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hera_utils.execution.history import LastResult
from hera_utils.experiment.points import Point
from hera_utils.experiment.search_design import DONE, FAILED, SearchDesign, Trial
from hera_utils.runs.record import PointRow, RunRecord

Json = dict[str, Any]


def trial_as_json(trial: Trial) -> Json:
    """The JSON of a trial. One that counts as failed only because of its outputs (nan…) is written as done, with these outputs."""
    steps = {str(step): value for step, value in trial.steps.items()}
    return {"status": DONE if trial.outputs else trial.status, "outputs": dict(trial.outputs), "steps": steps}


def trial_of(point: Point, row: Json) -> Trial:
    """The trial of a record's row. Its objectives are checked later, when the sampler gets it."""
    steps = {int(step): float(value) for step, value in (row.get("steps") or {}).items()}
    return Trial(point, str(row.get("status") or FAILED), row.get("outputs") or {}, steps=steps)


def outputs_of(texts: Mapping[str, str]) -> dict[str, Any]:
    """The outputs of tasks, with numbers and booleans converted."""
    return {name: _number(text) for name, text in texts.items()}


def _number(text: str) -> Any:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool) else text


class RecordedTrials:
    """Finds the trials of points in the records of a folder."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self._by_record: dict[Path, dict[str, Json]] = {}

    def find_trial(self, point: Point, last: LastResult) -> Trial | None:
        for folder in (last.run, self.runs / last.computed):
            if folder not in self._by_record:
                self._by_record[folder] = {}
                if (folder / "run.json").is_file():
                    with RunRecord.open(folder) as record:
                        self._by_record[folder] = record.trials()
            trial = self._by_record[folder].get(point.id)
            # A failure does not count if a retry has succeeded since.
            if trial is not None and not (trial.get("status") == FAILED and last.status == DONE):
                return trial_of(point, trial)
        return None


def read_trials(folder: Path) -> tuple[SearchDesign | None, tuple[Trial, ...]]:
    """The design of a recorded search (its objectives), and its trials in the order in which they were chosen; None, () for no search."""
    with RunRecord.open(folder) as record:
        recorded, rows = record.trials(), list(record.points())
        search = (record.facts.get("inputs") or {}).get("search")
    if search is None:
        return None, ()
    design = SearchDesign(search["points"], {}, minimize=tuple(search["minimize"]), maximize=tuple(search["maximize"]))
    trials = (trial_of(point_of(row), recorded[row.id]) for row in rows if row.id in recorded)
    return design, tuple(design.with_objective_values(trial) for trial in trials)


def point_of(row: PointRow) -> Point:
    """The point of a recorded row: with the values as JSON gives them, and the recorded id, which was computed from the original values."""
    point = Point(row.values)
    point._id = row.id
    return point
