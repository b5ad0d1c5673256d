"""Determines the status of a run's points in one of its workflows from the nodes of the entry template. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hera_utils.argo.phases import (
    ERROR,
    FAILED,
    OMITTED,
    PENDING,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    UNSUCCESSFUL,
    is_unsuccessful,
    phase_of,
)
from hera_utils.argo.template_calls import dependency_words
from hera_utils.experiment.entry_tasks import entry_tasks
from hera_utils.experiment.task_ownership import TaskRef
from hera_utils.runs.record import PointRow

Json = dict[str, Any]
_WORST_FIRST = (ERROR, FAILED, OMITTED, RUNNING, PENDING, SUCCEEDED, SKIPPED)


def point_statuses(document: Json, rows: Iterable[PointRow]) -> dict[str, str]:
    """Point id → its status in a workflow: the worst phase of its tasks. A task that was needed and never began
    counts as "Omitted", a task whose own condition was not met as "Skipped".
    """
    nodes = entry_nodes(document)
    unneeded = _tasks_without_need(document, nodes)
    return {row.id: _worst_phase(_phase(nodes, ref, unneeded) for ref in row.tasks) for row in rows}


def statuses_of_ended(document: Json, rows: Iterable[PointRow], *, unit: bool) -> dict[str, str]:
    """Point id → its status in a workflow that has ended. unit: the workflow can only run whole. Then a point whose tasks are unknown has
    the status of the workflow, and if the workflow failed although every point succeeded, no point is done: all of it has to run again.
    """
    rows, phase = list(rows), phase_of(document)
    statuses = point_statuses(document, rows)
    if unit:
        statuses |= {row.id: phase for row in rows if not row.tasks}
        if phase != SUCCEEDED and set(statuses.values()) <= {SUCCEEDED}:
            return {row.id: phase for row in rows}
    return statuses


def count_failed_points(document: Json, rows: Iterable[PointRow]) -> int:
    """How many points have failed in a workflow that may still run. Only its name and its nodes are read."""
    nodes = entry_nodes(document)
    return sum(any(is_unsuccessful(nodes.get(ref) or {}) for ref in row.tasks) for row in rows)


def entry_nodes(document: Json) -> dict[TaskRef, Json]:
    """(task, item or None) → node, for the tasks of the entry template. The `tasks` of a point are keys of this mapping."""
    name = str(document["metadata"].get("name", ""))
    nodes_by_ref: dict[TaskRef, Json] = {}
    for node in ((document.get("status") or {}).get("nodes") or {}).values():
        if node.get("boundaryID") != name or (node.get("nodeFlag") or {}).get("retried"):
            continue
        path = str(node.get("name", ""))[len(name) :]
        if path.startswith("["):
            path = path.partition("]")[2]
        task, bracket, item = path.lstrip(".").partition("(")
        if not task:
            continue
        number = item.partition(":")[0].rstrip(")") if bracket else ""
        nodes_by_ref[task, int(number) if number.isdecimal() else None] = node
    return nodes_by_ref


def _phase(nodes: Mapping[TaskRef, Json], ref: TaskRef, unneeded: frozenset[str]) -> str:
    """The phase of a task. A loop that was omitted as a whole has no nodes for its items."""
    phase = str((nodes.get(ref) or {}).get("phase") or OMITTED)
    return SKIPPED if phase == OMITTED and ref[0] in unneeded else phase


def _worst_phase(phases: Iterable[str]) -> str:
    present = set(phases)
    return next((phase for phase in _WORST_FIRST if phase in present), SKIPPED)


def _tasks_without_need(document: Json, nodes: Mapping[TaskRef, Json]) -> frozenset[str]:
    """The omitted tasks whose own `depends` alone kept them from running, such as a task that runs only after a failure."""
    phases: dict[str, set[str]] = {}
    for (task, _), node in nodes.items():
        phases.setdefault(task, set()).add(str(node.get("phase") or ""))
    omitted = {task for task, task_phases in phases.items() if OMITTED in task_phases}
    if not omitted or phase_of(document) == SUCCEEDED:
        return frozenset(omitted)
    awaited = {task["name"]: set(dependency_words(task)) for task in entry_tasks(document)}
    names = set(awaited)
    blocked = {task for task in names if task not in phases or phases[task] & UNSUCCESSFUL}
    while more := {task for task in omitted - blocked if task not in names or awaited[task] & names & blocked}:
        blocked |= more
    return frozenset(omitted - blocked)
