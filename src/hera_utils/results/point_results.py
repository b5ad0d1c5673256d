"""The points of a sweep and the tasks that each of them had: one row a point. Pure.

Which tasks a point has, its run's record says. Where it does not, a task belongs to the point whose values it is given (decision 5):
by an argument that bears the axis' name, else by its values where only one point fits; what a task is not given itself, the
templates it is part of may have been.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hera_utils.experiment.task_ownership import TaskOwner
from hera_utils.results.task_results import Row, pairs
from hera_utils.runs.outcome import values
from hera_utils.runs.record import SUBMITTED, PointRow, entry_nodes

Json = dict[str, Any]

_WORST = ("Error", "Failed", "Running", "Pending", "Succeeded", "Skipped", "Omitted", "")
WAITING = "Waiting"
"""The status of a point of which nothing has started."""


@dataclass(frozen=True, repr=False)
class PointResult:
    """A point and how it went.

    status: the worst of its tasks'. seconds: of its tasks together. attempts: of the task that needed most. outputs: of its tasks,
    called `TASK.NAME` where two of them bear one name. artifacts: `TASK/NAME`, as `hera-utils cp artifact:RUN/TASK/NAME` takes them.
    run: the earlier run that computed it, "" for this one.
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
    tasks: tuple[Row, ...] = ()

    def __repr__(self) -> str:
        took = None if self.seconds is None else f"{self.seconds:g} s"
        given, said = pairs(self.values), filter(None, (self.status, pairs(self.outputs), took))
        return f"<point {given or self.name}: {', '.join(said)}>"


def belonging(document: Json, rows: Iterable[Row], points: Sequence[PointRow]) -> dict[str, str]:
    """node id → id of the point it belongs to, for the rows of a workflow that belong to one."""
    nodes: dict[str, Json] = (document.get("status") or {}).get("nodes") or {}
    workflow = str(document["metadata"].get("name", ""))
    recorded = _recorded(document, [point for point in points if point.tasks and point.workflow == workflow])
    find = None if recorded else TaskOwner([(point.id, point.values) for point in points])
    above: dict[str, dict[str, str]] = {}

    def around(boundary: str) -> dict[str, str]:
        """What a template and those around it were given; the innermost wins."""
        chain = []
        while boundary in nodes and boundary not in above:
            chain.append(boundary)
            boundary = str(nodes[boundary].get("boundaryID") or "")
        given = above.get(boundary, {})
        for one in reversed(chain):
            above[one] = given = {**given, **values(nodes[one].get("inputs"))}
        return given

    found = {}
    for row in rows:
        node = nodes.get(row.node_id, {})
        if find is None:
            point = _of_ancestor(node, nodes, recorded, workflow)
        else:
            given = around(str(node.get("boundaryID") or ""))
            point = find.of(row.inputs) or (find.of({**given, **row.inputs}) if given else "")
        if point:
            found[row.node_id] = point
    return found


def _recorded(document: Json, points: Sequence[PointRow]) -> dict[str, str]:
    """id of a node of the entry template → the point that the record says it is of."""
    if not points:
        return {}
    entries = entry_nodes(document)
    owners = {piece: point.id for point in points for piece in point.tasks}
    # a task that is wholly a point's own may be a fan-out inside the point
    return {
        str(node["id"]): owner
        for (task, item), node in entries.items()
        if (owner := owners.get((task, item)) or owners.get((task, None)))
    }


def _of_ancestor(node: Json, nodes: Mapping[str, Json], recorded: Mapping[str, str], workflow: str) -> str:
    """The point of a node, or of the task of the entry template that it is a part of. An attempt is a part of what is retried."""
    while node:
        if node.get("id") in recorded:
            return recorded[node["id"]]
        boundary = str(node.get("boundaryID") or "")
        if (node.get("nodeFlag") or {}).get("retried") and boundary in ("", workflow):
            name = str(node.get("name", "")).rpartition("(")[0]
            return next((recorded[i] for i in recorded if nodes[i].get("name") == name), "")
        node = nodes.get(boundary, {})
    return ""


def point_rows(points: Sequence[PointRow], rows: Iterable[Row]) -> tuple[PointResult, ...]:
    """One row a point, in the order of the sweep. rows: with their `point`."""
    tasks: dict[str, list[Row]] = {}
    for row in rows:
        if row.point:
            tasks.setdefault(row.point, []).append(row)
    return tuple(_point_row(point, tasks.get(point.id, [])) for point in points)


def _point_row(point: PointRow, tasks: list[Row]) -> PointResult:
    if not tasks or (point.run and all(row.status in ("Skipped", "Omitted") for row in tasks)):
        status = WAITING if point.status in ("", SUBMITTED) else point.status
        return PointResult(
            point.id, point.name, point.values, status, workflow=point.workflow, run=point.run, tasks=tuple(tasks)
        )
    status = min((row.status for row in tasks), key=lambda one: _WORST.index(one) if one in _WORST else 0)
    took = [row.seconds for row in tasks if row.seconds is not None]
    return PointResult(
        id=point.id,
        name=point.name,
        values=point.values,
        status=status,
        seconds=round(sum(took), 3) if took else None,
        attempts=max(row.attempts for row in tasks),
        outputs=_joined(tasks),
        artifacts=tuple(f"{row.task}/{name}" for row in tasks for name in row.artifacts),
        started=min((row.started for row in tasks if row.started), default=""),
        finished="" if status in ("Running", "Pending", "") else max(row.finished for row in tasks),
        message=next((row.message for row in tasks if row.status in ("Failed", "Error") and row.message), ""),
        workflow=tasks[0].workflow or point.workflow,
        run=point.run,
        tasks=tuple(tasks),
    )


def _joined(tasks: list[Row]) -> dict[str, str]:
    """The outputs of a point's tasks. A name that several tasks of different templates answer is told apart by the template."""
    answered: dict[str, list[Row]] = {}
    for row in tasks:
        for name, value in row.outputs.items():
            if name == "result" and not value:
                continue  # it printed nothing
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
