"""Tables of results: a row per task, or a row per point of the sweep. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hera_utils.results.columns import Column, ResultTable, Role
from hera_utils.results.point_results import PointResult
from hera_utils.results.task_results import TaskResult
from hera_utils.runs.measurements import COLUMNS

MEASURES = ("status", "started", "finished", "seconds", "attempts", "message")
_KEYS = ("point", "task", "template", "workflow", "artifacts")


def task_table(tasks: Sequence[TaskResult], *, with_points: bool = False) -> ResultTable:
    """Every input, output and measure of every task, how Python started, what was measured. with_points: and the id of its point."""
    several = len({row.workflow for row in tasks}) > 1
    columns = [
        _column("task", "key", (row.task for row in tasks)),
        _column("template", "key", (row.template for row in tasks)),
    ]
    if several:
        columns.insert(0, _column("workflow", "key", (row.workflow for row in tasks)))
    if with_points:
        columns.insert(0, _column("point", "key", (row.point for row in tasks)))
    inputs, outputs = _names(row.inputs for row in tasks), _names(row.outputs for row in tasks)
    python = [_column("python", "measure", (row.python for row in tasks))] if any(row.python for row in tasks) else []
    used = _measured_columns(tasks)
    reserved = {*_KEYS, *MEASURES, *(column.name for column in (*python, *used))}
    columns += _spread("input", inputs, reserved, [row.inputs for row in tasks])
    columns += _spread("output", outputs, reserved | set(inputs), [row.outputs for row in tasks])
    if any(row.artifacts for row in tasks):
        columns.append(_column("artifacts", "artifact", (" ".join(row.artifacts) for row in tasks)))
    return ResultTable("tasks", (*columns, *python, *_measures(tasks, used)))


def point_table(points: Sequence[PointResult]) -> ResultTable:
    """The values of the axes, every output of a point's tasks, and measures."""
    axes, outputs = _names(point.values for point in points), _names(point.outputs for point in points)
    used = _measured_columns(points)
    reserved = {*_KEYS, *MEASURES, *(column.name for column in used)}
    columns = [_column("point", "key", (point.id for point in points))]
    if len({point.workflow for point in points if point.workflow}) > 1:
        columns.append(_column("workflow", "key", (point.workflow for point in points)))
    columns += _spread("input", axes, reserved, [point.values for point in points])
    columns += _spread("output", outputs, reserved | set(axes), [point.outputs for point in points])
    if any(point.artifacts for point in points):
        columns.append(_column("artifacts", "artifact", (" ".join(point.artifacts) for point in points)))
    return ResultTable("points", (*columns, *_measures(points, used)))


def _measures(rows: Sequence[TaskResult] | Sequence[PointResult], used: Sequence[Column]) -> list[Column]:
    """used: what was measured of the processes; it comes after the seconds."""
    *columns, attempts, message = (_column(name, "measure", (getattr(row, name) for row in rows)) for name in MEASURES)
    return [*columns, *used, attempts, *([message] if any(message.cells) else [])]


def _measured_columns(rows: Sequence[TaskResult] | Sequence[PointResult]) -> list[Column]:
    names = (name for name in COLUMNS if any(name in row.used for row in rows))
    return [_column(name, "measure", (row.used.get(name) for row in rows)) for name in names]


def _column(name: str, role: Role, cells: Iterable[Any]) -> Column:
    return Column(name, role, tuple(cells))


def _spread(role: Role, names: Sequence[str], reserved: set[str], groups: Sequence[Mapping[str, Any]]) -> list[Column]:
    """A column per name; where the name is reserved, `inputs.NAME` or `outputs.NAME`."""
    return [
        Column(
            f"{role}s.{name}" if name in reserved else name,
            role,
            tuple(group.get(name) for group in groups),
            frozenset(row for row, group in enumerate(groups) if name in group and group[name] is None),
        )
        for name in names
    ]


def _names(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every key, in the order of first appearance."""
    return list(dict.fromkeys(name for group in groups for name in group))
