"""Finds which task of a workflow document belongs to which point of a sweep, and removes points from a document. Pure.

A task (or an item of a loop) belongs to the point whose values are its arguments (point_matching.py). A task that fits several points, or
none, is shared.

If ownership is not clear, the workflow is one unit (`whole` says why); if it is clear but the workflow cannot be split,
`unsplittable` says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hera_utils.argo.template_calls import is_loop, step_groups
from hera_utils.experiment.entry_tasks import (
    arguments_of,
    entry_tasks,
    entry_template,
    entrypoint_of,
    items_of,
    replace_entry_tasks,
)
from hera_utils.experiment.point_matching import Axes, match_tasks
from hera_utils.experiment.points import Point
from hera_utils.experiment.values import text

Json = dict[str, Any]
TaskRef = tuple[str, int | None]
"""(name of a task of the entry template, number of the item in its loop); None for a task without items."""

_REFERENCE = re.compile(r"\b(?:tasks|steps)(?:\.([\w-]+)\.|\[['\"]([\w-]+)['\"]\])")
_AWAITED = re.compile(r"([A-Za-z0-9_-]+)(?:\.([A-Za-z]+))?")


@dataclass(frozen=True)
class TaskOwnership:
    """tasks: point id → its tasks; {} if that is not clear. shared: names of the tasks that belong to no single point.

    unrequested: tasks of points for which the document was not defined. after: task → the tasks that it waits for. unit_reason: why
    the workflow is one unit, "" if it is not. unsplittable: why it cannot become several workflows although single points can be left out,
    "" if it can.
    """

    tasks: Mapping[str, tuple[TaskRef, ...]] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    unrequested: frozenset[TaskRef] = frozenset()
    after: Mapping[str, frozenset[str]] = field(default_factory=dict)
    unit_reason: str = ""
    unsplittable: str = ""

    def ancestors(self, task: str) -> frozenset[str]:
        """Every task that must end before this one begins."""
        ancestors: set[str] = set()
        waiting = list(self.after.get(task, ()))
        while waiting:
            name = waiting.pop()
            if name not in ancestors:
                ancestors.add(name)
                waiting += self.after.get(name, ())
        return frozenset(ancestors)


def task_ownership(document: Json, axes: Axes | Mapping[str, Sequence[Any]], points: Iterable[Point]) -> TaskOwnership:
    """The ownership of a document's tasks. axes: every value of the whole sweep; points: those for which the document was defined."""
    requested = list(points)
    axes = axes if isinstance(axes, Axes) else Axes(axes)
    if not axes.several:
        return TaskOwnership(unit_reason="there is only one point")
    tasks = entry_tasks(document)
    if not tasks:
        return TaskOwnership(unit_reason=f"its entrypoint `{entrypoint_of(document)}` is not a DAG and has no steps")
    rows = [row for task in tasks for row in _rows(task)]
    matches, ambiguity = match_tasks(
        [arguments for _, arguments in rows], axes, [(point.id, point) for point in requested]
    )
    if ambiguity:
        return TaskOwnership(unit_reason=ambiguity)
    owned: dict[str, list[TaskRef]] = {point.id: [] for point in requested}
    unrequested: set[TaskRef] = set()
    owners: dict[str, set[str]] = {}
    for ((task, item), _), owner in zip(rows, matches, strict=True):
        if owner is None:
            unrequested.add((task, item))
            owners.setdefault(task, set()).add("")
        elif owner:
            owned[owner].append((task, item))
            owners.setdefault(task, set()).add(owner)
    ownership = TaskOwnership(
        tasks={point: tuple(refs) for point, refs in owned.items()},
        shared=tuple(task["name"] for task in tasks if task["name"] not in owners),
        unrequested=frozenset(unrequested),
        after=_tasks_after_points(document, tasks),
    )
    if reason := _ownerless_point(ownership, requested):
        return TaskOwnership(unit_reason=reason)
    if reason := _bound_together(document, tasks, owners):
        return TaskOwnership(ownership.tasks, unit_reason=reason)
    unsplittable = _unsplittable(document, tasks, ownership, owners)
    return TaskOwnership(
        ownership.tasks, ownership.shared, ownership.unrequested, ownership.after, unsplittable=unsplittable
    )


def _rows(task: Json) -> Iterator[tuple[TaskRef, dict[str, str]]]:
    items = items_of(task)
    if items is None:
        yield (task["name"], None), arguments_of(task)
        return
    for number, item in enumerate(items):
        yield (task["name"], number), arguments_of(task, item)


# --- why a workflow is one unit, or cannot be split ----------------------------------------------------------------------


def _tasks_after_points(document: Json, tasks: Sequence[Json]) -> dict[str, frozenset[str]]:
    names = {task["name"] for task in tasks}
    template = entry_template(document)
    if not template.get("dag"):
        before: frozenset[str] = frozenset()
        after: dict[str, frozenset[str]] = {}
        for group in step_groups(template):
            steps = [step["name"] for step in group]
            after |= dict.fromkeys(steps, before)
            before = before | frozenset(steps)
        return after
    return {
        task["name"]: frozenset(
            name
            for name in (
                *(match[1] for match in _AWAITED.finditer(task.get("depends") or "")),
                *(task.get("dependencies") or ()),
            )
            if name in names
        )
        for task in tasks
    }


def _ownerless_point(ownership: TaskOwnership, points: Sequence[Point]) -> str:
    """Why a point has no task of its own; "" if every point has one."""
    bare = next((point for point in points if not ownership.tasks[point.id]), None)
    if bare is None:
        return ""
    texts = {axis: text(value) for axis, value in bare.items()}
    twin = next((point for point in points if point != bare and {a: text(v) for a, v in point.items()} == texts), None)
    if twin is not None:
        return f"the values of the points {bare.name} and {twin.name} are the same text for a task"
    return f"no task gets the values of the point {bare.name}: give them as arguments (`point.arguments`)"


def _unsplittable(
    document: Json, tasks: Sequence[Json], ownership: TaskOwnership, owners: Mapping[str, set[str]]
) -> str:
    if (document.get("spec") or {}).get("onExit"):
        return "its exit handler runs once, after all points: make it the experiment's `gather`"
    for task in tasks:
        name = task["name"]
        own = owners.get(name)
        if own is None and not ownership.ancestors(name).isdisjoint(owners):
            return f"the task `{name}` comes after the points: make it the experiment's `gather`"
        if own is not None:
            other = next((before for before in sorted(ownership.after[name]) if owners.get(before, own) != own), "")
            if other:
                return f"the task `{name}` of one point waits for `{other}` of another"
    return ""


def _bound_together(document: Json, tasks: Sequence[Json], owners: Mapping[str, set[str]]) -> str:
    """Why leaving out a point would change what another task does; "" if it would not."""
    looped = {task["name"] for task in tasks if is_loop(task)}

    def of_one_point(task: str, other: str) -> bool:
        return (
            owners.get(task) == owners.get(other)
            and task not in looped
            and other not in looped
            and len(owners[task]) == 1
        )

    for task in tasks:
        name = task["name"]
        for read in _read(task):
            if read in owners and not of_one_point(name, read):
                return f"the task `{name}` reads the output of `{read}`"
        for awaited in _AWAITED.finditer(task.get("depends") or ""):
            if awaited[2] and awaited[1] in owners and not of_one_point(name, awaited[1]):
                return f"the task `{name}` waits for `{awaited[0]}`"
    for read in _read(entry_template(document).get("outputs") or {}):
        if read in owners:
            return f"the workflow answers what `{read}` does"
    return ""


def _read(part: Json) -> set[str]:
    """The tasks whose outputs a part of the document reads."""
    return {match[1] or match[2] for match in _REFERENCE.finditer(json.dumps(part, default=str))}


# --- leaving points out ------------------------------------------------------------------------------------------------


def prune(
    document: Json, ownership: TaskOwnership, points: Iterable[str]
) -> tuple[Json, dict[str, tuple[TaskRef, ...]]]:
    """(the document with only these points (by id), the points' tasks as they are numbered in it).

    Items of other points are dropped. A whole task of other points is dropped too, unless a remaining task waits for it: then it stays
    with `when: "false"`, because a skipped task satisfies its dependents. A shared task that only dropped tasks waited for is dropped as
    well.
    """
    points = list(points)
    staying = {ref for point in points for ref in ownership.tasks[point]}
    dropped = {ref for refs in ownership.tasks.values() for ref in refs} - staying | ownership.unrequested
    if not dropped:
        return document, {point: ownership.tasks[point] for point in points}
    numbers: dict[TaskRef, TaskRef] = {}
    changed: dict[str, Json] = {}
    skipped: set[str] = set()
    for task in entry_tasks(document):
        name, items = task["name"], items_of(task)
        if items is None:
            if (name, None) in dropped:
                skipped.add(name)
                changed[name] = {**task, "when": "false"}
            continue
        stay = [number for number in range(len(items)) if (name, number) not in dropped]
        numbers |= {(name, number): (name, place) for place, number in enumerate(stay)}
        if len(stay) == len(items):
            continue
        if not stay:
            skipped.add(name)
        rest = [items[number] for number in stay] or items[:1]
        looped = {"withItems": rest} if task.get("withItems") is not None else {"withParam": json.dumps(rest)}
        changed[name] = {**task, **looped, **({} if stay else {"when": "false"})}
    refs = {point: tuple(numbers.get(ref, ref) for ref in ownership.tasks[point]) for point in points}
    return replace_entry_tasks(document, changed, _removable(document, ownership, skipped)), refs


def _removable(document: Json, ownership: TaskOwnership, skipped: set[str]) -> set[str]:
    """The tasks that can be removed because no remaining task waits for them: skipped ones, and shared ones that only served them."""
    template = entry_template(document)
    if (template.get("dag") or {}).get("target"):
        return set()
    if not template.get("dag"):
        return skipped
    waited_by: dict[str, set[str]] = {}
    for name, awaited in ownership.after.items():
        for other in awaited:
            waited_by.setdefault(other, set()).add(name)
    removable: set[str] = set()
    waiting = [name for name in skipped if not waited_by.get(name)]
    while waiting:
        name = waiting.pop()
        removable.add(name)
        for other in ownership.after.get(name, ()):
            serves = other in skipped or other in ownership.shared
            if serves and other not in removable and waited_by[other] <= removable:
                waiting.append(other)
    return removable
