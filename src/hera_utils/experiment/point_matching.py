"""Finds the point of a sweep from the arguments of a task (decision 5). Pure.

An argument with the name of an axis has the value of that axis; so has such a name inside an argument that is a JSON object (a task that
takes its parameters as one mapping). Otherwise the values decide:

- `match_tasks` knows all tasks of a document. Tasks whose arguments have the same names are the rows of a table, and a column whose
  values are all values of one axis, and not all equal, gives that axis.
- `PointMatcher` knows one task of a run at a time, because others may not have begun: an axis is given if exactly one of its values occurs
  among the task's arguments.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hera_utils.experiment.values import text

Arguments = Mapping[str, str]
"""Argument of a task → its text."""
Points = Sequence[tuple[str, Mapping[str, Any]]]
"""(id, values) of points."""


class Axes:
    """The axes of a whole sweep as in the arguments of tasks: name → the texts of all values. Built once, because a sweep may be long.

    open_ended: whether more values may follow (in a search), so that every axis counts as one of several values.
    """

    def __init__(self, axes: Mapping[str, Sequence[Any]], *, open_ended: bool = False) -> None:
        self.texts = {axis: frozenset(map(text, values)) for axis, values in axes.items()}
        self.several = frozenset(axis for axis, values in axes.items() if open_ended or len(values) > 1)


def axes_of(points: Points) -> Axes:
    """The axes of a sweep with these points."""
    values: dict[str, dict[str, None]] = {}
    for _, point in points:
        for axis, value in point.items():
            values.setdefault(axis, {})[text(value)] = None
    return Axes({axis: list(texts) for axis, texts in values.items()})


def unfold_json_arguments(arguments: Arguments, axes: Mapping[str, object]) -> dict[str, str]:
    """The arguments of a task, and the values with an axis' name in its JSON objects, if these agree."""
    inside: dict[str, set[str]] = {}
    for words in arguments.values():
        if not words.lstrip().startswith("{"):
            continue
        try:
            value = json.loads(words)
        except ValueError:
            continue  # a text that begins like an object, or a {{tag}}
        for name, member in _members_of_json(value):
            if name in axes and name not in arguments:
                inside.setdefault(name, set()).add(text(member))
    return {**arguments, **{name: words.pop() for name, words in inside.items() if len(words) == 1}}


def _members_of_json(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield str(name), member
            yield from _members_of_json(member)


def match_tasks(rows: Sequence[Arguments], axes: Axes, points: Points) -> tuple[list[str | None], str]:
    """(the id of the point of each task: "" for a task of no single point, None for a point that is not among `points`; a sentence if the
    points cannot be decided, else "").
    """
    tasks = [unfold_json_arguments(arguments, axes.texts) for arguments in rows]
    columns, ambiguity = _columns(tasks, axes, points)
    if ambiguity:
        return [], ambiguity
    index = _Index(points, axes)
    return [
        index.owner({axis: arguments[name] for axis, name in columns[frozenset(arguments)].items()})
        for arguments in tasks
    ], ""


class PointMatcher:
    """Finds the point of a task of a run, from its own arguments and those of the enclosing templates."""

    def __init__(self, points: Points) -> None:
        names = list(dict.fromkeys(name for _, values in points for name in values))
        self.axes = {name: {text(values.get(name)) for _, values in points} for name in names}
        self.ids = {tuple(text(values.get(name)) for name in names): point for point, values in points}

    def point_of(self, arguments: Arguments) -> str:
        """The id of the point; "" if none or several fit."""
        if not self.axes:
            return ""
        arguments = unfold_json_arguments(arguments, self.axes)
        texts = set(arguments.values())
        key: list[str] = []
        for name, values in self.axes.items():
            if arguments.get(name) in values:
                key.append(arguments[name])
                continue
            common = texts & values if len(texts) < len(values) else values & texts
            if len(common) != 1:
                return ""
            key.append(common.pop())
        return self.ids.get(tuple(key), "")


Columns = dict[frozenset[str], dict[str, str]]
"""The names of a task's arguments → axis → the argument that gives it."""


def _columns(rows: Sequence[dict[str, str]], axes: Axes, points: Points) -> tuple[Columns, str]:
    """(which argument gives which axis, a sentence if that cannot be decided, else "")."""
    texts = axes.texts
    spread = {axis: len({text(point[axis]) for _, point in points if axis in point}) for axis in texts}
    tables: dict[frozenset[str], list[dict[str, str]]] = {}
    for arguments in rows:
        tables.setdefault(frozenset(arguments), []).append(arguments)
    columns: Columns = {}
    for names, table in tables.items():
        by_name = {axis: axis for axis in texts if axis in names and any(row[axis] in texts[axis] for row in table)}
        candidates: dict[str, dict[tuple[str, ...], str]] = {}
        for axis in texts:
            if axis in by_name or axis not in axes.several:
                continue
            for name in sorted(names - set(texts)):
                column = tuple(row[name] for row in table)
                different = set(column)
                if different <= texts[axis] and len(different) >= min(2, spread[axis]):
                    candidates.setdefault(axis, {}).setdefault(column, name)
        chosen = _assignments(candidates)
        if len(chosen) > 1:
            several = ", ".join(f"`{name}`" for axis in candidates.values() for name in axis.values())
            axis = next(iter(candidates))
            return {}, (
                f"several of the arguments {several} could be the axis `{axis}`: name the parameter after the axis"
            )
        columns[names] = by_name | (chosen[0] if chosen else {})
    return columns, ""


def _assignments(candidates: Mapping[str, Mapping[tuple[str, ...], str]]) -> list[dict[str, str]]:
    """The ways to give each axis a different column; at most two, because two are already ambiguous."""
    axes = list(candidates)
    assignments: list[dict[str, str]] = []
    for choice in itertools.product(*(candidates[axis].items() for axis in axes)):
        if len({column for column, _ in choice}) == len(axes):
            assignments.append({axis: name for axis, (_, name) in zip(axes, choice, strict=True)})
            if len(assignments) > 1:
                break
    return assignments


class _Index:
    """Finds a point by some of its values."""

    def __init__(self, points: Points, axes: Axes) -> None:
        self._points = points
        self._texts, self._several = axes.texts, axes.several
        self._by: dict[tuple[str, ...], dict[tuple[str, ...], str]] = {}

    def owner(self, values: dict[str, str]) -> str | None:
        """The id of the only point with these values; "" if several have them, or there are no values; None if no point has them."""
        values = {axis: value for axis, value in values.items() if value in self._texts[axis]}
        if not self._several & set(values):
            return ""
        axes = tuple(sorted(values))
        if axes not in self._by:
            self._by[axes] = self._table(axes)
        return self._by[axes].get(tuple(values[axis] for axis in axes))

    def _table(self, axes: tuple[str, ...]) -> dict[tuple[str, ...], str]:
        exact: dict[tuple[str, ...], str] = {}
        table: dict[tuple[str, ...], str] = {}
        for point, values in self._points:
            if not all(axis in values for axis in axes):
                continue
            key = tuple(text(values[axis]) for axis in axes)
            if self._several & set(values) <= set(axes):
                exact[key] = point
            table[key] = "" if key in table else point
        return {**table, **exact}
