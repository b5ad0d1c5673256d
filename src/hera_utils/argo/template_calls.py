"""Reads the steps and tasks by which a template calls other templates: their order, and how often each runs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

Json = dict[str, Any]

_WORD = re.compile(r"[A-Za-z0-9_-]+")


def calls_of(template: Json) -> list[Json]:
    """The tasks of a DAG, or the steps of all groups; [] for a template of another type."""
    return [
        *((template.get("dag") or {}).get("tasks") or ()),
        *(step for group in step_groups(template) for step in group),
    ]


def calls_with_hooks(template: Json) -> Iterator[Json]:
    """The steps and tasks of a template, the exit handler of each, and its hooks."""
    for call in calls_of(template):
        yield call
        if call.get("onExit"):
            yield {"template": call["onExit"]}
        yield from hooks_of(call)


def hooks_of(holder: Json) -> Iterator[Json]:
    """The hooks of a step, a task or a workflow's spec."""
    return (hook for hook in (holder.get("hooks") or {}).values() if isinstance(hook, dict))


def step_groups(template: Json) -> list[list[Json]]:
    """The groups of steps. In a document a group is a list, or a mapping with `steps` as in Argo's own types, or null if it is empty."""
    groups = template.get("steps") or ()
    return [list((group.get("steps") if isinstance(group, dict) else group) or ()) for group in groups]


def depths(tasks: Sequence[Json]) -> dict[str, int]:
    """Task of a DAG → the length of the longest chain of tasks before it. Tasks of a cycle, which Argo refuses, have 0."""
    names = {str(task.get("name")) for task in tasks}
    before = {str(task.get("name")): names.intersection(dependency_words(task)) for task in tasks}
    after: dict[str, list[str]] = {}
    for name, others in before.items():
        for other in others:
            after.setdefault(other, []).append(name)
    pending_counts = {name: len(others) for name, others in before.items()}
    depth = dict.fromkeys(before, 0)
    ready = [name for name, count in pending_counts.items() if not count]
    for name in ready:
        for later in after.get(name, ()):
            depth[later] = max(depth[later], depth[name] + 1)
            pending_counts[later] -= 1
            if not pending_counts[later]:
                ready.append(later)
    return depth


def dependency_words(task: Json) -> list[str]:
    """The names of the tasks that a task depends on, and the other words of its `depends`, such as Succeeded."""
    return [*(task.get("dependencies") or []), *_WORD.findall(str(task.get("depends") or ""))]


def is_loop(call: Json) -> bool:
    """Whether a step or task runs once for each item, even if its list is empty."""
    return any(call.get(kind) is not None for kind in ("withItems", "withParam", "withSequence"))


def loop_count(call: Json) -> int | None:
    """How often a step or task runs: once for each item of its loop, 1 without a loop; None if the number is known only during the run."""
    if call.get("withItems") is not None:
        return len(call["withItems"])
    sequence = call.get("withSequence") or {}
    if str(sequence.get("count", "")).isdecimal():
        return int(sequence["count"])
    return None if call.get("withParam") or sequence else 1
