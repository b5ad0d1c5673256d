"""Estimates what the points of a plan will cost from earlier runs of the same code. Without such a run there is no estimate."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hera_utils.csv_files import csv_rows
from hera_utils.errors import HeraUtilsError
from hera_utils.execution.fingerprints import Fingerprint
from hera_utils.execution.run_facts import identity
from hera_utils.machine_size import cores
from hera_utils.runs.record import DONE, RunRecord, records
from hera_utils.runs.record_files import refuse_special
from hera_utils.spans import processor_time, rough_span
from hera_utils.wording import counted

Json = dict[str, Any]

_MOST_POINTS = 10_000  # points that are read of one earlier run


@dataclass(frozen=True)
class Cost:
    """cpu, seconds: the mean of one point, all its tasks together. base: the number of points that were measured, in the run `run`."""

    cpu: float
    seconds: float
    base: int
    run: str

    def line(self, points: int) -> str:
        took = rough_span(points * self.seconds / cores())
        like = counted(self.base, "point")
        return (
            f"about {processor_time(points * self.cpu)}, {took} on {counted(cores(), 'core')} "
            f"(as {like} of {self.run} with the same code)"
        )

    def as_json(self, points: int) -> Json:
        total = {"cpu_seconds": round(points * self.cpu, 3), "seconds": round(points * self.seconds, 3)}
        return {**total, "known_points": self.base, "run": self.run}


def earlier_cost(runs: Path, facts: Json, fingerprint: Fingerprint) -> Cost | None:
    """The cost in the newest run of the experiment (`facts` describe it) that measured points with the same code and images."""
    for folder in records(runs):
        with contextlib.suppress(HeraUtilsError), RunRecord.open(folder) as record:
            if identity(record.facts) != identity(facts):
                continue
            alike = {
                point
                for point, status, earlier, *_ in record.results()
                if status == DONE and _is_same_code(json.loads(earlier or "{}"), fingerprint)
            }
            figures_of_points = [
                figures for point, figures in _read_measurements(folder / "results.csv") if point in alike
            ]
            if figures_of_points:
                cpu, seconds = (sum(column) / len(figures_of_points) for column in zip(*figures_of_points, strict=True))
                return Cost(cpu, seconds, len(figures_of_points), record.name)
    return None


def _is_same_code(earlier: Json, fingerprint: Fingerprint) -> bool:
    return bool(earlier) and all(earlier.get(part) == fingerprint.get(part) for part in ("code", "image"))


def _read_measurements(table: Path) -> Iterator[tuple[str, tuple[float, float]]]:
    """(point, (processor time, duration)) of each point that was measured, in seconds."""
    try:
        refuse_special(table)
        with table.open(encoding="utf-8", newline="") as file:
            for _, row in zip(range(_MOST_POINTS), csv_rows(file), strict=False):
                with contextlib.suppress(KeyError, ValueError):
                    yield row["point"], (float(row["cpu_seconds"]), float(row["seconds"]))
    except (OSError, UnicodeError, csv.Error):
        return
