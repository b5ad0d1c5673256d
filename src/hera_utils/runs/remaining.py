"""What of a run is still to be submitted: by the script's process while it drives the run, else by the same script with --resume.

The run's record says so. Without a record (on another machine, after its removal), the workflows' annotations say what follows, and that
is awaited for a minute, because it is unknown whether the script still runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.annotations import GATHER, POINTS, RUN_POINTS, SEARCH
from hera_utils.argo.phases import COMPLETED, UNSUCCESSFUL, phase_of, phase_or_pending
from hera_utils.errors import HeraUtilsError
from hera_utils.runs.record import RunRecord, is_driven
from hera_utils.wording import counted

Json = dict[str, Any]

NEXT_WORKFLOW_SECONDS = 60.0  # seconds to wait for the next workflow of a run without a record


@dataclass(frozen=True)
class Remaining:
    """what: in words, "" if nothing is missing. awaited: whether a process submits it, or may do so.

    ended: the phase of a run that has ended, if it differs from the joint phase of its workflows (a search's may).
    search: whether it is a search, so that a failed workflow does not mean that the run failed.
    """

    what: str = ""
    awaited: bool = False
    ended: str = ""
    search: bool = False

    @property
    def phase(self) -> str:
        """The phase of a run whose submitted workflows have all succeeded (or of a search, all ended); "" if nothing is missing."""
        return self.ended if not self.what else "Running" if self.awaited else "Pending"


NOTHING = Remaining()


def find_remaining(workflows: Sequence[Json], folder: Path | None, now: float) -> Remaining:
    """What is missing of a run. workflows: its documents (without nodes), in the order in which they were submitted. folder: of its
    record, None without one. now: seconds since 1970.
    """
    phases = [phase_or_pending(workflow) for workflow in workflows]
    failed = any(phase in UNSUCCESSFUL for phase in phases)
    if any(phase not in COMPLETED for phase in phases):
        return NOTHING
    if any((workflow["metadata"].get("annotations") or {}).get(SEARCH) for workflow in workflows):
        return _remaining_of_search(workflows, folder)
    if folder is not None:
        try:
            return _describe_by_record(folder, workflows, failed=failed)
        except HeraUtilsError:
            pass  # a record that cannot be read counts as none
    what = _describe_by_annotations(workflows, failed=failed)
    ends = [timestamps.read((workflow.get("status") or {}).get("finishedAt")) for workflow in workflows]
    last = max((end for end in ends if end is not None), default=0.0)
    return Remaining(what, bool(what) and now - last < NEXT_WORKFLOW_SECONDS)


def joint_phase(phases: Sequence[str], rest: Remaining) -> str:
    """The phase of a run: one running workflow outweighs failed ones. A failed workflow of a search says nothing about the run."""
    order = ["Running", "Pending"] if rest.search else ["Running", "Pending", "Error", "Failed"]
    return next((phase for phase in order if phase in phases), rest.phase or "Succeeded")


def _describe_by_record(folder: Path, workflows: Sequence[Json], *, failed: bool) -> Remaining:
    driven = is_driven(folder)
    with RunRecord.open(folder) as record:
        if record.facts.get("ended") and record.facts.get("phase") == "Succeeded":
            return NOTHING
        points, rows = record.counts_by_status().get("", 0), record.workflows()
        gathered = (rows and rows[-1].role == "gather") or _is_gather(workflows[-1])
        gather = bool(record.facts.get("gather")) and not gathered
    if failed and not (driven and points):
        return NOTHING  # after a failure only the remaining points of a running script follow
    what = _describe(points, gather=gather and not failed)
    return Remaining(what, bool(what) and driven)


def _remaining_of_search(workflows: Sequence[Json], folder: Path | None) -> Remaining:
    """The rest of a search, from its record; without one the search counts as ended, because the number of its points is unknown."""
    if folder is not None:
        try:
            driven = is_driven(folder)
            with RunRecord.open(folder) as record:
                if record.facts.get("ended"):
                    return Remaining(ended=str(record.facts.get("phase") or "Failed"), search=True)
            return Remaining("the rest of the search", driven, search=True)
        except HeraUtilsError:
            pass  # a record that cannot be read counts as none
    phases = [phase_of(workflow) for workflow in workflows]
    succeeded = phases[-1] == "Succeeded" if _is_gather(workflows[-1]) else "Succeeded" in phases
    return Remaining(ended="Succeeded" if succeeded else "Failed", search=True)


def _describe_by_annotations(workflows: Sequence[Json], *, failed: bool) -> str:
    notes = [workflow["metadata"].get("annotations") or {} for workflow in workflows]
    total = max((_number(note.get(RUN_POINTS)) for note in notes), default=0)
    counts = [_number(note.get(POINTS)) for note in notes]
    gather = any(note.get(GATHER) for note in notes) and not failed and not _is_gather(workflows[-1])
    return _describe(0 if failed else max(0, total - sum(counts)), gather=gather)


def _is_gather(workflow: Json) -> bool:
    return (workflow["metadata"].get("annotations") or {}).get(POINTS) == "0"


def _describe(points: int, *, gather: bool) -> str:
    what = [counted(points, "point")] if points else []
    return " and ".join(what + (["gather"] if gather else []))


def _number(text: Any) -> int:
    return int(text) if str(text or "").isdecimal() else 0
