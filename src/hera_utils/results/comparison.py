"""The comparison of two runs: points (or tasks) are matched by their inputs, and their outputs are compared. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hera_utils.experiment.values import text
from hera_utils.results.columns import convert_cell, kind_of
from hera_utils.results.point_results import PointResult
from hera_utils.results.results import Results
from hera_utils.results.task_results import TaskResult

Json = dict[str, Any]
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Tolerance:
    """Two numbers are the same when they differ by at most `absolute`, or by `relative` times the larger one."""

    relative: float = 0.0
    absolute: float = 0.0

    def same(self, first: str | None, second: str | None) -> bool:
        if first == second or first is None or second is None:
            return first == second
        pair = _numbers(first, second)
        if pair is None:
            return False
        if math.isnan(pair[0]) or math.isnan(pair[1]):
            return math.isnan(pair[0]) and math.isnan(pair[1])
        return pair[0] == pair[1] or math.isclose(*pair, rel_tol=self.relative, abs_tol=self.absolute)


@dataclass(frozen=True)
class Difference:
    """One value that differs. name: an output, or `status`, `inputs.NAME`, `artifacts`. None: that run has no such value."""

    name: str
    before: str | None
    after: str | None

    @property
    def amount(self) -> float | None:
        """after - before of two numbers."""
        pair = _numbers(self.before, self.after)
        return None if pair is None or not all(map(math.isfinite, pair)) else pair[1] - pair[0]


@dataclass(frozen=True)
class DifferingRow:
    """A point or a task of both runs that differs. title: its name for people."""

    title: str
    changes: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """first, second: the runs' names. what: points or tasks. same: how many are equal. only_first, only_second: titles."""

    first: str
    second: str
    what: str
    same: int
    changed: tuple[DifferingRow, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]

    @property
    def equal(self) -> bool:
        return not (self.changed or self.only_first or self.only_second)

    def lines(self) -> list[str]:
        """The comparison as text, in the form of a diff."""
        text = [f"--- {self.first}", f"+++ {self.second}"] if not self.equal else []
        for row in self.changed:
            text.append(f"  {row.title}")
            for change in row.changes:
                amount = "" if change.amount is None else f"  ({change.amount:+.6g}{_relative(change)})"
                text.append(f"    {change.name}: {_shorten(change.before)} → {_shorten(change.after)}{amount}")
        text += [f"- {title}" for title in self.only_first] + [f"+ {title}" for title in self.only_second]
        what = self.what[:-1] if self.same == 1 else self.what
        text.append(
            f"{self.same} {what} alike, {len(self.changed)} differ{'s' if len(self.changed) == 1 else ''}, "
            f"{len(self.only_first)} only in {self.first}, {len(self.only_second)} only in {self.second}"
        )
        return text

    def as_json(self) -> Json:
        return {
            "first": self.first,
            "second": self.second,
            "what": self.what,
            "same": self.same,
            "changed": [
                {
                    "title": row.title,
                    "changes": [
                        {"name": c.name, "before": c.before, "after": c.after, "difference": c.amount}
                        for c in row.changes
                    ],
                }
                for row in self.changed
            ],
            "only_first": list(self.only_first),
            "only_second": list(self.only_second),
        }


def compare_results(first: Results, second: Results, tolerance: Tolerance | None = None) -> Comparison:
    """Points are matched by their values where both runs have points, else tasks by template and inputs.

    A task whose inputs changed (another task computed them) is matched by its path, and the inputs are reported as a change.
    Times, attempts and messages are not results and are not compared.
    """
    tolerance = tolerance or Tolerance()
    points = bool(first.points and second.points)
    ones, others = (_points(first), _points(second)) if points else (_tasks(first), _tasks(second))
    pairs = [(ones.pop(key), others.pop(key)) for key in list(ones) if key in others]
    if not points:
        pairs += _pair_by_path(ones, others)
    changed = [
        DifferingRow(_title(before), changes)
        for before, after in pairs
        if (changes := _changes(before, after, tolerance))
    ]
    return Comparison(
        first=first.name,
        second=second.name,
        what="points" if points else "tasks",
        same=len(pairs) - len(changed),
        changed=tuple(changed),
        only_first=tuple(_title(row) for row in ones.values()),
        only_second=tuple(_title(row) for row in others.values()),
    )


def _points(results: Results) -> dict[Key, Any]:
    return {
        tuple(sorted((name, text(value)) for name, value in point.values.items())): point for point in results.points
    }


def _tasks(results: Results) -> dict[Key, Any]:
    """The tasks by template and inputs; where two tasks have both in common, also by their path."""
    groups: dict[Key, list[TaskResult]] = {}
    for row in results.tasks:
        groups.setdefault((row.template, *sorted(row.inputs.items())), []).append(row)
    by_key: dict[Key, Any] = {}
    for key, members in groups.items():
        for row in members:
            by_key[key if len(members) == 1 else (*key, _path(row))] = row
    return by_key


def _path(row: TaskResult) -> str:
    """The task's path. The node of the entry template has the name of its run, which differs between runs."""
    return "" if row.task == row.workflow else row.task


def _pair_by_path(ones: dict[Key, Any], others: dict[Key, Any]) -> list[tuple[Any, Any]]:
    there = {(row.template, _path(row)): key for key, row in others.items()}
    pairs = []
    for key, row in list(ones.items()):
        partner = there.get((row.template, _path(row)))
        if partner is not None:
            pairs.append((ones.pop(key), others.pop(partner)))
    return pairs


def _changes(
    first: TaskResult | PointResult, second: TaskResult | PointResult, tolerance: Tolerance
) -> tuple[Difference, ...]:
    differences = []
    if first.status != second.status:
        differences.append(Difference("status", first.status, second.status))
    if isinstance(first, TaskResult) and isinstance(second, TaskResult):
        differences += [
            Difference(f"inputs.{name}", first.inputs.get(name), second.inputs.get(name))
            for name in _names(first.inputs, second.inputs)
            if first.inputs.get(name) != second.inputs.get(name)
        ]
    differences += [
        Difference(name, first.outputs.get(name), second.outputs.get(name))
        for name in _names(first.outputs, second.outputs)
        if not tolerance.same(first.outputs.get(name), second.outputs.get(name))
    ]
    if set(first.artifacts) != set(second.artifacts):
        differences.append(Difference("artifacts", " ".join(first.artifacts), " ".join(second.artifacts)))
    return tuple(differences)


def _names(first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterable[str]:
    return dict.fromkeys([*first, *second])


def _title(row: TaskResult | PointResult) -> str:
    if isinstance(row, PointResult):
        return ", ".join(f"{name}={text(value)}" for name, value in row.values.items()) or row.name or row.id
    inputs = ", ".join(f"{name}={_shorten(value)}" for name, value in row.inputs.items())
    return f"{row.task} ({inputs})" if inputs and "(" not in row.task else row.task


def _numbers(first: str | None, second: str | None) -> tuple[float, float] | None:
    if first is None or second is None or kind_of((first, second)) not in ("integer", "number"):
        return None
    return float(convert_cell(first, "number")), float(convert_cell(second, "number"))


def _relative(change: Difference) -> str:
    pair = _numbers(change.before, change.after)
    if pair is None or pair[0] == 0 or change.amount is None:
        return ""
    return f", {100 * change.amount / abs(pair[0]):+.3g} %"


def _shorten(value: str | None) -> str:
    if value is None:
        return "(none)"
    line = " ".join(value.split())
    return line if len(line) <= 60 else line[:59] + "…"
