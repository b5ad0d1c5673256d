"""What earlier runs have done of an experiment: which points are done, and why the others are not. Reads records, sends nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hera_utils.errors import HeraUtilsError
from hera_utils.execution.fingerprints import Print, changes
from hera_utils.runs.record import DONE, SUBMITTED, RunRecord, encoded, records

Json = dict[str, Any]


@dataclass(frozen=True)
class Past:
    """The last that is known of a point. run: the record that says so, computed: the run that computed it, in which workflow and tasks."""

    status: str
    print: str
    run: Path
    computed: str
    workflow: str
    tasks: str


@dataclass
class Earlier:
    """The runs of one experiment on one platform, the newest first.

    points: id → the last that is known. open: the newest run when it has not ended, None otherwise. flying: ids of points that run.
    ended: print → whether a gathering workflow (or the tasks after the points) of the newest run that ran anything succeeded.
    """

    points: dict[str, Past] = field(default_factory=dict)
    open: Path | None = None
    flying: frozenset[str] = frozenset()
    ended: dict[str, bool] = field(default_factory=dict)
    _texts: dict[Path, dict[str, str]] = field(default_factory=dict)

    def text(self, run: Path, digest: str) -> str:
        """What a digest of a run's prints stands for."""
        known = self._texts.setdefault(run, {})
        if digest not in known:
            with RunRecord.open(run) as record:
                known[digest] = record.text(digest)
        return known[digest]


def identity(facts: Json) -> tuple[str, ...]:
    """What runs must share to know each other's points."""
    return tuple(str(facts.get(name) or "") for name in ("key", "platform", "state", "namespace"))


def earlier(runs: Path, facts: Json) -> Earlier:
    """What the records of a folder know of the experiment that `facts` tell. A record that cannot be read counts as none."""
    found = Earlier()
    newest = True
    for folder in records(runs):
        with contextlib.suppress(HeraUtilsError), RunRecord.open(folder) as record:
            if identity(record.facts) != identity(facts):
                continue
            if newest and not record.facts.get("ended"):
                found.open = folder
            newest = False
            workflows = record.workflows()
            if workflows and not found.ended:
                found.ended = {row.print: row.phase == "Succeeded" for row in workflows if row.print} or {"": True}
            for point, status, printed, workflow, run, tasks in record.point_states():
                if status and point not in found.points:
                    found.points[point] = Past(status, printed, folder, run or record.name, workflow, tasks)
    return found


@dataclass
class Judge:
    """Says of each point why it runs; "" for one that is done.

    texts: of the present prints' digests. code_counts: whether what is done runs again when its code has changed. Whether its outputs
    are there is not asked here.
    """

    known: Earlier
    texts: Mapping[str, str]
    code_counts: bool = True

    def why(self, point: str, now: Print) -> str:
        past = self.known.points.get(point)
        if past is None:
            return "new"
        if past.status == SUBMITTED:
            return f"it was submitted in {past.computed} and its end is unknown"
        changed = self._changed(past, now)
        if changed:
            return changed
        if past.status != DONE:
            return f"it ended as {past.status} in {past.computed}"
        return ""

    def _changed(self, past: Past, now: Print) -> str:
        words = encoded(now)
        if words == past.print:
            return ""
        return ", ".join(
            changes(
                json.loads(past.print),
                now,
                lambda digest: self.known.text(past.run, digest),
                lambda digest: self.texts.get(digest, ""),
                code_counts=self.code_counts or past.status != DONE,
            )
        )
