"""Which task of a workflow document belongs to which point of a sweep; and the document without some points. Pure.

A task (an item of a loop) belongs to the point whose values it is given (experiment/task_ownership.py). A task to which several points
fit (or none) is shared.

What cannot be told makes the workflow one unit (`whole` says why); what can be told but not split has a `joint`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hera_utils.experiment.points import Point
from hera_utils.experiment.task_ownership import Axes, owners_of
from hera_utils.experiment.values import text

Json = dict[str, Any]
Piece = tuple[str, int | None]
"""A task of the entry template, or the item of that number of one."""

_ITEM = re.compile(r"\{\{\s*item(?:\.([\w.-]+))?\s*\}\}")
_REFERENCE = re.compile(r"\b(?:tasks|steps)(?:\.([\w-]+)\.|\[['\"]([\w-]+)['\"]\])")
_AWAITED = re.compile(r"([A-Za-z0-9_-]+)(?:\.([A-Za-z]+))?")


@dataclass(frozen=True)
class Belonging:
    """tasks: point id → its pieces; {} where it cannot be told. shared: tasks of no single point.

    foreign: pieces of points that were not asked for. after: task → the tasks that it waits for. whole: why the workflow is one unit,
    "" when it is not. joint: why it cannot be split into several workflows though its points can be left out one by one, "" when it can.
    """

    tasks: Mapping[str, tuple[Piece, ...]] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    foreign: frozenset[Piece] = frozenset()
    after: Mapping[str, frozenset[str]] = field(default_factory=dict)
    whole: str = ""
    joint: str = ""

    def ancestors(self, task: str) -> frozenset[str]:
        """Every task that must have ended before this one begins."""
        found: set[str] = set()
        waiting = list(self.after.get(task, ()))
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.after.get(name, ())
        return frozenset(found)


def belonging(document: Json, axes: Axes | Mapping[str, Sequence[Any]], points: Iterable[Point]) -> Belonging:
    """Who owns what. axes: every value of the whole sweep; points: those that the document was defined with."""
    wanted = list(points)
    axes = axes if isinstance(axes, Axes) else Axes(axes)
    if not axes.several:
        return Belonging(whole="there is one point only")
    tasks = entry_tasks(document)
    if not tasks:
        return Belonging(whole=f"its entrypoint `{_entrypoint(document)}` is no DAG and has no steps")
    rows = [row for task in tasks for row in _rows(task)]
    whose, doubt = owners_of([given for _, given in rows], axes, [(point.id, point) for point in wanted])
    if doubt:
        return Belonging(whole=doubt)
    owned: dict[str, list[Piece]] = {point.id: [] for point in wanted}
    foreign: set[Piece] = set()
    owners: dict[str, set[str]] = {}
    for ((task, item), _), owner in zip(rows, whose, strict=True):
        if owner is None:
            foreign.add((task, item))
            owners.setdefault(task, set()).add("")
        elif owner:
            owned[owner].append((task, item))
            owners.setdefault(task, set()).add(owner)
    found = Belonging(
        tasks={point: tuple(pieces) for point, pieces in owned.items()},
        shared=tuple(task["name"] for task in tasks if task["name"] not in owners),
        foreign=frozenset(foreign),
        after=_after(document, tasks),
    )
    return _judged(document, tasks, found, owners, wanted)


# --- reading the document ----------------------------------------------------------------------------------------------


def _entrypoint(document: Json) -> str:
    return str((document.get("spec") or {}).get("entrypoint") or "")


def entry_template(document: Json) -> Json:
    templates = (document.get("spec") or {}).get("templates") or ()
    return next((one for one in templates if one.get("name") == _entrypoint(document)), {})


def entry_tasks(document: Json) -> list[Json]:
    """The tasks of the entry template, a DAG's or those of every step; [] when it is neither."""
    template = entry_template(document)
    if template.get("dag"):
        return list(template["dag"].get("tasks") or ())
    return [step for group in template.get("steps") or () for step in _group(group)]


def _group(group: Any) -> list[Json]:
    return list(group if isinstance(group, list) else group.get("steps") or ())


def items_of(task: Json) -> list[Any] | None:
    """The items of a loop that are written in the document; None when there is no loop, or its items are not known yet."""
    if task.get("withItems") is not None:
        return list(task["withItems"])
    written = task.get("withParam")
    if isinstance(written, str) and "{{" not in written:
        try:
            listed = json.loads(written)
        except ValueError:
            return None
        return listed if isinstance(listed, list) else None
    return None


def given_to(task: Json, item: Any = None) -> dict[str, str]:
    """Argument → its text, with `{{item}}` put in."""
    given = {}
    for parameter in (task.get("arguments") or {}).get("parameters") or ():
        value = parameter.get("value")
        if value is None:
            continue
        words = text(value)
        given[str(parameter.get("name"))] = (
            _ITEM.sub(lambda found: _item_text(found, item), words) if "{{" in words else words
        )
    return given


def _item_text(found: re.Match[str], item: Any) -> str:
    key = found[1]
    if key is None:
        return found[0] if item is None else text(item)
    return text(item[key]) if isinstance(item, dict) and key in item else found[0]


def _rows(task: Json) -> Iterator[tuple[Piece, dict[str, str]]]:
    items = items_of(task)
    if items is None:
        yield (task["name"], None), given_to(task)
        return
    for number, item in enumerate(items):
        yield (task["name"], number), given_to(task, item)


# --- what hangs together -----------------------------------------------------------------------------------------------


def _after(document: Json, tasks: Sequence[Json]) -> dict[str, frozenset[str]]:
    names = {task["name"] for task in tasks}
    template = entry_template(document)
    if not template.get("dag"):
        before: frozenset[str] = frozenset()
        after: dict[str, frozenset[str]] = {}
        for group in template.get("steps") or ():
            here = [step["name"] for step in _group(group)]
            after |= dict.fromkeys(here, before)
            before = before | frozenset(here)
        return after
    return {
        task["name"]: frozenset(
            name
            for name in (
                *(found[1] for found in _AWAITED.finditer(task.get("depends") or "")),
                *(task.get("dependencies") or ()),
            )
            if name in names
        )
        for task in tasks
    }


def _judged(
    document: Json, tasks: Sequence[Json], found: Belonging, owners: Mapping[str, set[str]], points: Sequence[Point]
) -> Belonging:
    bare = next((point for point in points if not found.tasks[point.id]), None)
    if bare is not None:
        texts = {axis: text(value) for axis, value in bare.items()}
        twin = next((one for one in points if one != bare and {a: text(v) for a, v in one.items()} == texts), None)
        if twin is not None:
            return Belonging(whole=f"the values of the points {bare.name} and {twin.name} are the same text to a task")
        return Belonging(
            whole=f"no task is given the values of the point {bare.name}: give them as arguments (`point.arguments`)"
        )
    whole = _bound(document, tasks, owners)
    if whole:
        return Belonging(found.tasks, whole=whole)
    joint = ""
    if (document.get("spec") or {}).get("onExit"):
        joint = "its exit handler runs once, after all points: make it the experiment's `gather`"
    for task in tasks:
        name = task["name"]
        if joint:
            break
        own = owners.get(name)
        if own is None and not found.ancestors(name).isdisjoint(owners):
            joint = f"the task `{name}` comes after the points: make it the experiment's `gather`"
        elif own is not None:
            other = next((before for before in sorted(found.after[name]) if owners.get(before, own) != own), "")
            if other:
                joint = f"the task `{name}` of one point waits for `{other}` of another"
    return Belonging(found.tasks, found.shared, found.foreign, found.after, joint=joint)


def _bound(document: Json, tasks: Sequence[Json], owners: Mapping[str, set[str]]) -> str:
    """Why leaving a point out would change what another task means; "" when it would not."""
    looped = {
        task["name"]
        for task in tasks
        if any(task.get(key) is not None for key in ("withItems", "withParam", "withSequence"))
    }

    def same(one: str, other: str) -> bool:
        return (
            owners.get(one) == owners.get(other) and one not in looped and other not in looped and len(owners[one]) == 1
        )

    for task in tasks:
        name = task["name"]
        for read in _read(task):
            if read in owners and not same(name, read):
                return f"the task `{name}` reads what `{read}` answers"
        for awaited in _AWAITED.finditer(task.get("depends") or ""):
            if awaited[2] and awaited[1] in owners and not same(name, awaited[1]):
                return f"the task `{name}` waits for `{awaited[0]}`"
    for read in _read(entry_template(document).get("outputs") or {}):
        if read in owners:
            return f"the workflow answers what `{read}` does"
    return ""


def _read(part: Json) -> set[str]:
    """The tasks that a part of the document reads from."""
    return {found[1] or found[2] for found in _REFERENCE.finditer(json.dumps(part, default=str))}


# --- leaving points out ------------------------------------------------------------------------------------------------


def pruned(document: Json, found: Belonging, keep: Iterable[str]) -> tuple[Json, dict[str, tuple[Piece, ...]]]:
    """The document with the points `keep` alone, and their pieces as they are numbered in it.

    Items of the others are dropped. A whole task of them goes too, unless something that stays waits for it: then it is kept with
    `when: "false"`, as a skipped task satisfies what depends on it. So does a shared task that only dropped ones waited for.
    """
    kept = {piece for point in keep for piece in found.tasks[point]}
    dropped = {piece for pieces in found.tasks.values() for piece in pieces} - kept | found.foreign
    if not dropped:
        return document, {point: found.tasks[point] for point in keep}
    numbers: dict[Piece, Piece] = {}
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
    gone = _gone(document, found, skipped)
    pieces = {point: tuple(numbers.get(piece, piece) for piece in found.tasks[point]) for point in keep}
    return _rewritten(document, changed, gone), pieces


def _gone(document: Json, found: Belonging, skipped: set[str]) -> set[str]:
    """The skipped tasks, and shared ones that served them alone, which nothing that stays waits for."""
    template = entry_template(document)
    if (template.get("dag") or {}).get("target"):
        return set()
    if not template.get("dag"):
        return skipped
    waited_by: dict[str, set[str]] = {}
    for name, awaited in found.after.items():
        for one in awaited:
            waited_by.setdefault(one, set()).add(name)
    gone: set[str] = set()
    waiting = [name for name in skipped if not waited_by.get(name)]
    while waiting:
        name = waiting.pop()
        gone.add(name)
        for one in found.after.get(name, ()):
            if one not in gone and (one in skipped or one in found.shared) and waited_by[one] <= gone:
                waiting.append(one)
    return gone


def _rewritten(document: Json, changed: Mapping[str, Json], gone: set[str]) -> Json:
    def rewrite(tasks: Iterable[Json]) -> list[Json]:
        return [changed.get(task["name"], task) for task in tasks if task["name"] not in gone]

    old = entry_template(document)
    new = dict(old)
    if old.get("dag"):
        new["dag"] = {**old["dag"], "tasks": rewrite(old["dag"].get("tasks") or ())}
    else:
        new["steps"] = [group for group in (rewrite(_group(group)) for group in old.get("steps") or ()) if group]
    templates = [new if one is old else one for one in document["spec"]["templates"]]
    return {**document, "spec": {**document["spec"], "templates": templates}}


def without_foreign(document: Json, found: Belonging) -> tuple[Json, Mapping[str, tuple[Piece, ...]]]:
    """The document without the tasks of points that were not asked for."""
    return pruned(document, found, list(found.tasks)) if found.foreign else (document, found.tasks)
