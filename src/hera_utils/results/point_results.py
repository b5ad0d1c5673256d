"""The points of a sweep with the results of their tasks: one row per point. Pure.

The record of the run says which tasks belong to a point. Without a record, the workflow's document says it, as for the plan
(experiment/task_ownership.py). Where the document does not, a task belongs to the only point that matches its arguments, or those of
the templates around it (experiment/point_matching.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hera_utils.experiment.point_matching import PointMatcher, axes_of
from hera_utils.experiment.points import Point
from hera_utils.experiment.task_ownership import TaskRef, task_ownership
from hera_utils.results.task_results import TaskResult, pairs
from hera_utils.runs.measurements import sum_measurements
from hera_utils.runs.outcome import values
from hera_utils.runs.point_status import entry_nodes
from hera_utils.runs.record import PRUNED, SUBMITTED, PointRow

Json = dict[str, Any]

_WORST = ("Error", "Failed", "Running", "Pending", "Succeeded", "Skipped", "Omitted", "")
WAITING = "Waiting"
"""The status of a point whose tasks have not started."""


@dataclass(frozen=True, repr=False)
class PointResult:
    """A point and its results.

    status: the worst of its tasks; Pruned when a search stopped it. seconds: the sum of its tasks. attempts: of the task that needed most.
    outputs: of its tasks, called `TASK.NAME` where two tasks have an output of the same name. artifacts: `TASK/NAME`, as in `hera-utils cp
    artifact:RUN/TASK/NAME`. run: the earlier run that computed it, "" for this one. used: what was measured, by
    column.
    """

    id: str
    name: str
    values: Mapping[str, Any]
    status: str
    seconds: float | None = None
    attempts: int = 0
    outputs: Mapping[str, str] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    started: str = ""
    finished: str = ""
    message: str = ""
    workflow: str = ""
    run: str = ""
    used: Mapping[str, float] = field(default_factory=dict)
    tasks: tuple[TaskResult, ...] = ()

    def __repr__(self) -> str:
        took = None if self.seconds is None else f"{self.seconds:g} s"
        point, parts = pairs(self.values), filter(None, (self.status, pairs(self.outputs), took))
        return f"<point {point or self.name}: {', '.join(parts)}>"


def points_of_nodes(document: Json, rows: Iterable[TaskResult], points: Sequence[PointRow]) -> dict[str, str]:
    """node id → id of its point, for the rows of a workflow that belong to one. points: of the whole sweep."""
    nodes: dict[str, Json] = (document.get("status") or {}).get("nodes") or {}
    workflow = str(document["metadata"].get("name", ""))
    candidates = [point for point in points if point.workflow in ("", workflow)]
    recorded = [point for point in candidates if point.tasks and point.workflow]
    tasks = {ref: point.id for point in recorded for ref in point.tasks} or _points_by_ownership(
        document, points, candidates
    )
    if tasks:
        entries = _entries(document, tasks)
        owners = {row.node_id: _point_of_node(nodes.get(row.node_id, {}), nodes, entries, workflow) for row in rows}
    else:
        owners = _points_by_arguments(nodes, rows, PointMatcher([(point.id, point.values) for point in candidates]))
    return {node: point for node, point in owners.items() if point}


def _points_by_ownership(
    document: Json, points: Sequence[PointRow], candidates: Iterable[PointRow]
) -> dict[TaskRef, str]:
    """task → point, as the document says; {} where it does not say."""
    ids = {Point(point.values).id: point.id for point in candidates}
    axes = axes_of([(point.id, point.values) for point in points])
    ownership = task_ownership(document, axes, [Point(point.values) for point in candidates])
    return {ref: ids[point] for point, refs in ownership.tasks.items() for ref in refs}


def _points_by_arguments(
    nodes: Mapping[str, Json], rows: Iterable[TaskResult], matcher: PointMatcher
) -> dict[str, str]:
    """node id → point, by the arguments of each task and of the templates around it."""
    around: dict[str, dict[str, str]] = {}

    def arguments_around(boundary: str) -> dict[str, str]:
        """The inputs of a template and of those around it; the innermost wins."""
        chain = []
        while boundary in nodes and boundary not in around:
            chain.append(boundary)
            boundary = str(nodes[boundary].get("boundaryID") or "")
        arguments = around.get(boundary, {})
        for template in reversed(chain):
            around[template] = arguments = {**arguments, **values(nodes[template].get("inputs"))}
        return arguments

    owners = {}
    for row in rows:
        outer = arguments_around(str(nodes.get(row.node_id, {}).get("boundaryID") or ""))
        owners[row.node_id] = matcher.point_of(row.inputs) or (
            matcher.point_of({**outer, **row.inputs}) if outer else ""
        )
    return owners


def _entries(document: Json, tasks: Mapping[TaskRef, str]) -> dict[str, str]:
    """id of a node of the entry template → its point."""
    # a task that belongs to one point only may be a fan-out within the point
    return {
        str(node["id"]): owner
        for (task, item), node in entry_nodes(document).items()
        if (owner := tasks.get((task, item)) or tasks.get((task, None)))
    }


def _point_of_node(node: Json, nodes: Mapping[str, Json], entries: Mapping[str, str], workflow: str) -> str:
    """The point of a node, else of the task of the entry template that contains it. A retried node contains its attempts."""
    while node:
        if node.get("id") in entries:
            return entries[node["id"]]
        boundary = str(node.get("boundaryID") or "")
        if (node.get("nodeFlag") or {}).get("retried") and boundary in ("", workflow):
            name = str(node.get("name", "")).rpartition("(")[0]
            return next((entries[i] for i in entries if nodes[i].get("name") == name), "")
        node = nodes.get(boundary, {})
    return ""


def point_results(points: Sequence[PointRow], rows: Iterable[TaskResult]) -> tuple[PointResult, ...]:
    """One row per point, in the order of the sweep. rows: of the tasks, with their `point`."""
    tasks: dict[str, list[TaskResult]] = {}
    for row in rows:
        if row.point:
            tasks.setdefault(row.point, []).append(row)
    return tuple(_point_result(point, tasks.get(point.id, [])) for point in points)


def _point_result(point: PointRow, tasks: list[TaskResult]) -> PointResult:
    if not tasks or (point.run and all(row.status in ("Skipped", "Omitted") for row in tasks)):
        status = WAITING if point.status in ("", SUBMITTED) else point.status
        return PointResult(
            point.id, point.name, point.values, status, workflow=point.workflow, run=point.run, tasks=tuple(tasks)
        )
    status = PRUNED if point.status == PRUNED else min((row.status for row in tasks), key=_rank_of_status)
    failures = [] if status == PRUNED else [row for row in tasks if row.status in ("Failed", "Error")]
    took = [row.seconds for row in tasks if row.seconds is not None]
    return PointResult(
        id=point.id,
        name=point.name,
        values=point.values,
        status=status,
        seconds=round(sum(took), 3) if took else None,
        attempts=max(row.attempts for row in tasks),
        outputs=_join_outputs(tasks),
        artifacts=tuple(f"{row.task}/{name}" for row in tasks for name in row.artifacts),
        started=min((row.started for row in tasks if row.started), default=""),
        finished="" if status in ("Running", "Pending", "") else max(row.finished for row in tasks),
        message=next((row.message for row in failures if row.message), ""),
        workflow=tasks[0].workflow or point.workflow,
        run=point.run,
        used=sum_measurements(row.used for row in tasks),
        tasks=tuple(tasks),
    )


def _rank_of_status(status: str) -> int:
    return _WORST.index(status) if status in _WORST else 0


def _join_outputs(tasks: list[TaskResult]) -> dict[str, str]:
    """The outputs of a point's tasks. Where tasks of different templates have an output of the same name, its template is put before it."""
    answered: dict[str, list[TaskResult]] = {}
    for row in tasks:
        for name, value in row.outputs.items():
            if name == "result" and not value:
                continue  # the task printed nothing
            answered.setdefault(name, []).append(row)
    joined = {}
    for name, by in answered.items():
        if len(by) == 1:
            joined[name] = by[0].outputs[name]
            continue
        templates = [row.template for row in by]
        for row in by:
            alone = templates.count(row.template) == 1
            joined[f"{row.template if alone else row.task}.{name}"] = row.outputs[name]
    return joined
