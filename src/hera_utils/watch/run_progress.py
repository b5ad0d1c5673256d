"""The joint progress of several workflows that are one run, and following all of them to their end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.annotations import POINTS, RUN_POINTS, SEARCH
from hera_utils.argo.node_tree import Branch
from hera_utils.argo.phases import COMPLETED, UNSUCCESSFUL, phase_or_pending
from hera_utils.interpreter.progress import parse
from hera_utils.watch.deadline import NEVER, Deadline
from hera_utils.watch.display import Display
from hera_utils.watch.progress import Progress

Json = dict[str, Any]

FIELDS = ",".join(
    [
        f"metadata.{name}"
        for name in ("name", "namespace", "annotations", "labels", "creationTimestamp", "resourceVersion")
    ]
    + [f"status.{name}" for name in ("phase", "message", "progress", "startedAt", "finishedAt")]
)
"""The fields of a workflow that this module reads; its nodes, the largest part, are not among them."""
_STOPPED = "Stopped with strategy"
UNATTENDED = "Pending"
"""The phase of a run whose driving process is gone before it had submitted everything."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.2, 2.0  # seconds


@dataclass(frozen=True)
class Share:
    """One workflow of a run. points: how many it computes. done: the fraction that has ended, 0 to 1."""

    name: str
    phase: str
    points: int
    done: float


def share_of(workflow: Json) -> Share:
    """From a workflow's document; its nodes are not needed."""
    metadata, status = workflow["metadata"], workflow.get("status") or {}
    annotations = metadata.get("annotations") or {}
    points = str(annotations.get(POINTS) or "")
    phase = phase_or_pending(workflow)
    if annotations.get(SEARCH) and str(status.get("message") or "").startswith(_STOPPED):
        phase = "Succeeded"  # a search stops points that are not promising; that is no failure
    return Share(
        str(metadata["name"]),
        phase,
        int(points) if points.isdecimal() else 1,
        1.0 if phase in COMPLETED else fraction_done(workflow),
    )


def fraction_done(workflow: Json) -> float:
    """The fraction of its tasks that are done, from its progress (`3/5`): 0 to 1."""
    done, every = parse((workflow.get("status") or {}).get("progress")) or (0, 1)
    return done / every


def joint_progress(
    name: str, namespace: str, shares: Iterable[Share], *, total: int = 0, started: float | None
) -> Progress:
    """The progress of all workflows: a row for each, counted in points. total: the points of the run, if more are to be submitted."""
    rows = tuple(
        Branch(
            share.name,
            share.phase,
            tasks=share.points,
            done=int(share.done * share.points),
            failed=int(share.phase in UNSUCCESSFUL),
        )
        for share in shares
    )
    done, points = sum(row.done for row in rows), sum(row.tasks for row in rows)
    over = all(row.phase in COMPLETED for row in rows) and points >= total
    failed = sum(row.failed for row in rows)
    return Progress(
        name=name,
        namespace=namespace,
        phase="Running" if not over else "Failed" if failed else "Succeeded",
        message="",
        rows=rows,
        done=done,
        total=max(total, points),
        running=0,  # unknown: that is in the nodes
        failed=failed,
        retried=0,
        started=started,
        finished=None,
        unit="points",
    )


def follow_workflows(
    name: str,
    ask: Callable[[], list[Json]],
    display: Display | None = None,
    *,
    more: Callable[[list[Json]], str] = lambda workflows: "",
    reasons: Callable[[Sequence[Share]], dict[str, list[str]]] = lambda shares: {},
    deadline: Deadline = NEVER,
) -> Progress:
    """Poll the run's workflows until the run has ended or is UNATTENDED; returns the last state.

    more: returns the phase if all workflows have ended but more will follow (as in `progress_of_run`), else "". reasons: why they make
    no progress (stall.py). Raises WaitTimeout at the deadline; KeyboardInterrupt passes through.
    """
    pause = _SHORTEST_PAUSE
    try:
        while True:
            workflows = ask()
            state = progress_of_run(name, workflows, more(workflows))
            state = replace(state, waiting=reasons([*map(share_of, workflows)]))
            if display is not None:
                display.update(state)
            if state.is_over or state.phase == UNATTENDED:
                return state
            deadline.sleep(name, pause)
            pause = min(_LONGEST_PAUSE, pause * 1.3)
    finally:
        if display is not None:
            display.close()


def progress_of_run(name: str, workflows: Sequence[Json], more: str = "") -> Progress:
    """The progress of a run, from the documents of its workflows.

    more: the phase if all of these have ended but more will follow: Running if a process submits the rest, else UNATTENDED.
    """
    times = [timestamps.read((workflow.get("status") or {}).get("startedAt")) for workflow in workflows]
    ends = [timestamps.read((workflow.get("status") or {}).get("finishedAt")) for workflow in workflows]
    namespace = str(workflows[0]["metadata"].get("namespace", "")) if workflows else ""
    started = min((moment for moment in times if moment is not None), default=None)
    state = joint_progress(name, namespace, map(share_of, workflows), started=started)
    finished = max((moment for moment in ends if moment is not None), default=None)
    if more and state.is_over:
        state = replace(state, phase=more)
    notes = [str((workflow["metadata"].get("annotations") or {}).get(RUN_POINTS) or "") for workflow in workflows]
    total = max([state.total, *(int(note) for note in notes if note.isdecimal())])
    state = replace(state, total=total if not state.is_over else state.total)
    # All points but one of a failed workflow may be done; only its nodes would tell, so failures are counted in workflows.
    return replace(state, finished=None if state.phase == "Running" else finished, failed_unit="workflow")
