"""Reads from the records of an experiment's earlier runs what they have computed. Sends nothing. decisions.py uses it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hera_utils.argo.phases import COMPLETED, UNSUCCESSFUL, phase_of
from hera_utils.errors import HeraUtilsError, ResourceError
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.execution.run_facts import identity
from hera_utils.experiment.checkpoints import checkpoint_name
from hera_utils.experiment.points import Point
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.runs.file_facts import FileFacts
from hera_utils.runs.point_status import statuses_of_ended
from hera_utils.runs.record import DONE, PointRow, RunRecord, records

Json = dict[str, Any]


@dataclass(frozen=True)
class LastResult:
    """The last result of a point. run: the folder of the record that has it. fingerprint: as JSON.

    computed: the run that computed it; workflow, tasks (as JSON): where in that run. outputs: path → the facts by which the file is
    recognized. checkpoint: the name of its folder of checkpoints.
    """

    status: str
    fingerprint: str
    run: Path
    computed: str
    workflow: str
    tasks: str
    outputs: Mapping[str, FileFacts] = field(default_factory=dict)
    checkpoint: str = ""

    def row_for_new_run(self, row: PointRow) -> PointRow:
        """The row of another run's record with this result."""
        return replace(
            row,
            fingerprint=json.loads(self.fingerprint),
            status=self.status,
            run=self.computed,
            workflow=self.workflow,
            tasks=tuple((str(task), item) for task, item in json.loads(self.tasks)),
        )


@dataclass(frozen=True)
class History:
    """The runs of one experiment on one platform. results: point id → its last result. in_flight: ids of the points that run now.

    fan_ins: fingerprint → whether the gather workflow (or the tasks after the points) succeeded, in the newest run that has workflows.
    outputs_of_all: path → the facts by which a file that was written after all points is recognized.
    """

    results: Mapping[str, LastResult] = field(default_factory=dict)
    in_flight: frozenset[str] = frozenset()
    fan_ins: Mapping[str, bool] = field(default_factory=dict)
    outputs_of_all: Mapping[str, FileFacts] = field(default_factory=dict)
    _texts: dict[Path, dict[str, str]] = field(default_factory=dict)

    def text(self, run: Path, digest: str) -> str:
        """The text that a digest in the fingerprints of a run stands for."""
        texts = self._texts.setdefault(run, {})
        if digest not in texts:
            with RunRecord.open(run) as record:
                texts[digest] = record.text(digest)
        return texts[digest]


def history_of(runs: Path, facts: Json) -> History:
    """The history of the experiment that `facts` describe, from the records of a folder. A record that cannot be read is left out."""
    results: dict[str, LastResult] = {}
    fan_ins: dict[str, bool] = {}
    of_all: Mapping[str, FileFacts] = {}
    for folder in records(runs):
        with contextlib.suppress(HeraUtilsError), RunRecord.open(folder) as record:
            if identity(record.facts) != identity(facts):
                continue
            workflows, outputs = record.workflows(), record.outputs()
            if workflows and not fan_ins:
                of_all = outputs.get("", {})
                fan_ins = {row.fingerprint: row.phase == "Succeeded" for row in workflows if row.fingerprint}
                fan_ins = fan_ins or {"": True}
            for point, status, fingerprint, workflow, run, tasks in record.results():
                if status and point not in results:
                    files = outputs.get(point, {})
                    computed, saved = run or record.name, checkpoint_name(record.facts, record.name, point)
                    results[point] = LastResult(status, fingerprint, folder, computed, workflow, tasks, files, saved)
    return History(results, fan_ins=fan_ins, outputs_of_all=of_all)


def newest_record(runs: Path, facts: Json | None = None) -> Path | None:
    """The folder of the newest recorded run (of the experiment that `facts` describe), None if there is none."""
    for folder in records(runs):
        with contextlib.suppress(HeraUtilsError), RunRecord.open(folder) as record:
            if facts is None or identity(record.facts) == identity(facts):
                return folder
    return None


def unfinished_run(runs: Path, facts: Json) -> Path | None:
    """The record of the newest run of the experiment that `facts` describe, if that run has not ended."""
    folder = newest_record(runs, facts)
    if folder is not None:
        with RunRecord.open(folder) as record:
            return None if record.facts.get("ended") else folder
    return None


def with_state_of_run(
    history: History, run: Path, client: ArgoClient, sweep: Iterable[Point], files: DeclaredFiles
) -> History:
    """The history with what the platform knows about a run and its record does not: which points run now, and how others have ended
    since a process followed it. For a plan, which changes no record.

    run: the folder of its record.
    """
    by_id = {point.id: point for point in sweep}
    results, fan_ins, in_flight = dict(history.results), dict(history.fan_ins), set(history.in_flight)
    with contextlib.suppress(HeraUtilsError), RunRecord.open(run) as record:
        for row in record.workflows():
            if row.phase and row.phase not in UNSUCCESSFUL:
                continue  # one that failed may have been retried
            with contextlib.suppress(HeraUtilsError):  # the workflow was deleted
                phase = phase_of(client.get(row.name, fields="status.phase"))
                points = list(record.points(workflow=row.name)) if phase != row.phase else []
                if phase not in COMPLETED:
                    in_flight |= {point.id for point in points}
                elif phase != row.phase:
                    statuses = statuses_of_ended(client.get(row.name), points, unit=row.role != "points")
                    for point in statuses.keys() & results.keys() & by_id.keys():
                        outputs = files.outputs(by_id[point]) if statuses[point] == DONE else {}
                        results[point] = replace(results[point], status=statuses[point], outputs=outputs)
                    if row.fingerprint in fan_ins:
                        fan_ins[row.fingerprint] = phase == DONE
    return replace(history, results=results, fan_ins=fan_ins, in_flight=frozenset(in_flight))


def newest_run(runs: Path, facts: Json | None = None) -> str:
    """The name of the newest recorded run (of the experiment that `facts` describe). Raises ResourceError if there is none."""
    folder = newest_record(runs, facts)
    if folder is None:
        raise ResourceError(f"no run is recorded in {runs}", fix="name the folder with --runs")
    return folder.name
