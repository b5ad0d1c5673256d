"""Counts the tasks of a workflow and its simultaneous pods, as far as the document determines them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hera_utils.argo.template_calls import depths, loop_count, step_groups

Json = dict[str, Any]

_SEVERAL = 2  # assumed length of a loop whose items are not known yet


@dataclass(frozen=True)
class Width:
    """A number. count: a lower bound. exact: whether it is the exact number (not for a loop over results)."""

    count: int
    exact: bool


def count_pods(spec: Json, which: Callable[[Json], bool] = lambda template: True) -> Width:
    """The number of simultaneous pods of the templates that `which` accepts. Tasks that depend on each other do not run at once, and
    `parallelism` limits the number.
    """

    def at_once(template: Json, groups: list[list[Width]]) -> Width:
        return _limit_width(_max_of_widths(map(_sum_of_widths, groups)), template.get("parallelism"))

    def is_pod(template: Json) -> bool:
        return "suspend" not in template and which(template)

    width = _count_through_calls(spec, is_pod, at_once, loop=_SEVERAL, circle=0)
    return _limit_width(width, spec.get("parallelism"))


def count_tasks(spec: Json) -> Width:
    """The number of tasks of a workflow. Loops over results and templates that call themselves count once, as only the run determines
    them. Conditions and retries are ignored.
    """

    def in_all(template: Json, groups: list[list[Width]]) -> Width:
        return _sum_of_widths(width for group in groups for width in group)

    return _count_through_calls(spec, lambda template: "suspend" not in template, in_all, loop=1, circle=1)


def _count_through_calls(
    spec: Json,
    counts: Callable[[Json], bool],
    combine: Callable[[Json, list[list[Width]]], Width],
    *,
    loop: int,
    circle: int,
) -> Width:
    """The width of the entrypoint, computed from the widths of its calls. counts: whether a template without calls counts.

    combine: a template's width from those of its calls, in groups that run one after the other. loop: the assumed length of a loop
    that only the run determines. circle: the width of a template within itself.
    """
    templates = {str(template.get("name")): template for template in spec.get("templates") or []}
    widths: dict[str, Width] = {}

    def of(template: Json | None, above: tuple[str, ...]) -> Width:
        if template is None:
            return Width(1, False)  # a template of a WorkflowTemplate is not in this document
        name = str(template.get("name") or "")
        if name in widths:
            return widths[name]
        if name in above:
            return Width(circle, False)
        inside = (*above, name) if name else above
        groups = _groups(template)
        if groups is None:
            width = Width(int(counts(template)), True)
        else:
            width = combine(template, [[of_call(call, inside) for call in group] for group in groups])
        if name:
            widths[name] = width
        return width

    def of_call(call: Json, above: tuple[str, ...]) -> Width:
        width = of(call.get("inline") or templates.get(str(call.get("template"))), above)
        often = loop_count(call)
        return Width(width.count * loop, False) if often is None else Width(width.count * often, width.exact)

    return of(templates.get(str(spec.get("entrypoint"))), ())


def _groups(template: Json) -> list[list[Json]] | None:
    """The calls of a template, in groups that run one after the other; None if it has none."""
    if template.get("steps"):
        return step_groups(template)
    tasks = (template.get("dag") or {}).get("tasks")
    return _layers(tasks) if tasks else None


def _layers(tasks: list[Json]) -> list[list[Json]]:
    """The tasks of a DAG, grouped by the length of the longest path to them."""
    depth, layers = depths(tasks), dict[int, list[Json]]()
    for task in tasks:
        layers.setdefault(depth[str(task.get("name"))], []).append(task)
    return list(layers.values())


def _sum_of_widths(widths: Iterable[Width]) -> Width:
    all_widths = list(widths)
    return Width(sum(width.count for width in all_widths), all(width.exact for width in all_widths))


def _max_of_widths(widths: Iterable[Width]) -> Width:
    all_widths = list(widths)
    return Width(max((width.count for width in all_widths), default=0), all(width.exact for width in all_widths))


def _limit_width(width: Width, parallelism: Any) -> Width:
    if isinstance(parallelism, int) and 0 < parallelism <= width.count:
        return Width(parallelism, True)
    return width
