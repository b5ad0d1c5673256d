"""Whose task is it? A task belongs to the point of a sweep whose values it is given (decision 5). Pure.

An argument that bears an axis' name says it outright; so does such a name inside an argument that is a JSON object (a task that takes
its parameters as one mapping). Else the values say it:

- `owners_of` has all tasks of a document. Those that have arguments of the same names are the rows of a table, and a column whose
  values are all values of one axis, and not always the same one, gives that axis.
- `TaskOwner` has one task of a run at a time, as others may not have begun: an axis whose values occur once among what it is given.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hera_utils.experiment.values import text

Given = Mapping[str, str]
"""Argument → its text, as a task is given it."""
Points = Sequence[tuple[str, Mapping[str, Any]]]
"""(id, values) of points."""


class Axes:
    """The axes of a whole sweep as tasks are given them: name → the texts of all values. Made once, as a sweep may be long."""

    def __init__(self, axes: Mapping[str, Sequence[Any]]) -> None:
        self.texts = {axis: frozenset(map(text, values)) for axis, values in axes.items()}
        self.several = frozenset(axis for axis, values in axes.items() if len(values) > 1)


def opened(given: Given, axes: Mapping[str, object]) -> dict[str, str]:
    """What a task is given, and the values that bear an axis' name in its JSON objects, where these are of one mind."""
    inside: dict[str, set[str]] = {}
    for words in given.values():
        if not words.lstrip().startswith("{"):
            continue
        try:
            held = json.loads(words)
        except ValueError:
            continue  # a text that begins like an object, or a {{tag}}
        for name, value in _members(held):
            if name in axes and name not in given:
                inside.setdefault(name, set()).add(text(value))
    return {**given, **{name: words.pop() for name, words in inside.items() if len(words) == 1}}


def _members(held: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(held, Mapping):
        for name, value in held.items():
            yield str(name), value
            yield from _members(value)


def owners_of(rows: Sequence[Given], axes: Axes, points: Points) -> tuple[list[str | None], str]:
    """The id of the point of each task ("" for a task of no single point, None for a point that is not among `points`); and what could
    not be decided, "" for nothing.
    """
    tasks = [opened(given, axes.texts) for given in rows]
    columns, doubt = _columns(tasks, axes, points)
    if doubt:
        return [], doubt
    index = _Index(points, axes)
    return [index.owner({axis: given[name] for axis, name in columns[frozenset(given)].items()}) for given in tasks], ""


class TaskOwner:
    """Finds the point of a task of a run, by what it is given and what the templates around it are."""

    def __init__(self, points: Points) -> None:
        names = list(dict.fromkeys(name for _, values in points for name in values))
        self.axes = {name: {text(values.get(name)) for _, values in points} for name in names}
        self.ids = {tuple(text(values.get(name)) for name in names): point for point, values in points}

    def of(self, given: Given) -> str:
        """The id of the point; "" when none or several fit."""
        if not self.axes:
            return ""
        given = opened(given, self.axes)
        texts = set(given.values())
        key: list[str] = []
        for name, known in self.axes.items():
            if given.get(name) in known:
                key.append(given[name])
                continue
            found = texts & known if len(texts) < len(known) else known & texts
            if len(found) != 1:
                return ""
            key.append(found.pop())
        return self.ids.get(tuple(key), "")


Columns = dict[frozenset[str], dict[str, str]]
"""The arguments that a task has → axis → the argument that gives it."""


def _columns(rows: Sequence[dict[str, str]], axes: Axes, points: Points) -> tuple[Columns, str]:
    """Which argument gives which axis; and what could not be decided, "" for nothing."""
    known = axes.texts
    spread = {axis: len({text(point[axis]) for _, point in points if axis in point}) for axis in known}
    members: dict[frozenset[str], list[dict[str, str]]] = {}
    for given in rows:
        members.setdefault(frozenset(given), []).append(given)
    columns: Columns = {}
    for names, group in members.items():
        named = {axis: axis for axis in known if axis in names and any(given[axis] in known[axis] for given in group)}
        candidates: dict[str, dict[tuple[str, ...], str]] = {}
        for axis in known:
            if axis in named or axis not in axes.several:
                continue
            for name in sorted(names - set(known)):
                column = tuple(given[name] for given in group)
                different = set(column)
                if different <= known[axis] and len(different) >= min(2, spread[axis]):
                    candidates.setdefault(axis, {}).setdefault(column, name)
        chosen = _assignments(candidates)
        if len(chosen) > 1:
            told = ", ".join(f"`{name}`" for axis in candidates.values() for name in axis.values())
            axis = next(iter(candidates))
            return {}, (
                f"of the arguments {told} more than one could be the axis `{axis}`: name the parameter after the axis"
            )
        columns[names] = named | (chosen[0] if chosen else {})
    return columns, ""


def _assignments(candidates: Mapping[str, Mapping[tuple[str, ...], str]]) -> list[dict[str, str]]:
    """Every way to give each axis a column of its own; at most two, as more are as bad."""
    axes = list(candidates)
    found: list[dict[str, str]] = []
    for choice in itertools.product(*(candidates[axis].items() for axis in axes)):
        if len({column for column, _ in choice}) == len(axes):
            found.append({axis: name for axis, (_, name) in zip(axes, choice, strict=True)})
            if len(found) > 1:
                break
    return found


class _Index:
    """Finds the point that has some values."""

    def __init__(self, points: Points, axes: Axes) -> None:
        self._points = points
        self._known, self._several = axes.texts, axes.several
        self._by: dict[tuple[str, ...], dict[tuple[str, ...], str]] = {}

    def owner(self, values: dict[str, str]) -> str | None:
        """The id of the only point that fits; "" when several do, or nothing is given; None for a point of others."""
        values = {axis: value for axis, value in values.items() if value in self._known[axis]}
        if not self._several & set(values):
            return ""
        axes = tuple(sorted(values))
        if axes not in self._by:
            self._by[axes] = self._table(axes)
        return self._by[axes].get(tuple(values[axis] for axis in axes))

    def _table(self, axes: tuple[str, ...]) -> dict[tuple[str, ...], str]:
        exact: dict[tuple[str, ...], str] = {}
        table: dict[tuple[str, ...], str] = {}
        for point, given in self._points:
            if not all(axis in given for axis in axes):
                continue
            key = tuple(text(given[axis]) for axis in axes)
            if self._several & set(given) <= set(axes):
                exact[key] = point
            table[key] = "" if key in table else point
        return {**table, **exact}
