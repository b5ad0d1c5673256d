"""Draws the graph of a workflow's tasks as text; tasks that many points have in common are drawn once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hera_utils.experiment.entry_tasks import entry_tasks, items_of
from hera_utils.experiment.task_ownership import TaskOwnership
from hera_utils.preflight import task_counts

Json = dict[str, Any]


def draw_graph(document: Json, ownership: TaskOwnership, kind: str = "ascii") -> list[str]:
    """kind: `ascii` (a list, indented by dependencies), or `mermaid` (for a README or a notebook)."""
    boxes, arrows = _boxes(document, ownership)
    return _mermaid_of(boxes, arrows) if kind == "mermaid" else _draw_as_text(boxes, arrows)


def _boxes(document: Json, ownership: TaskOwnership) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """(template → number of tasks that run it, {(template, the template that it waits for)})."""
    tasks = {task["name"]: task for task in entry_tasks(document)}
    if not tasks:
        spec = document.get("spec") or {}
        return {str(spec.get("entrypoint") or "main"): task_counts.count_tasks(spec).count}, set()
    owners = {task for refs in ownership.tasks.values() for task, _ in refs}
    box = {name: _label(task, name in owners) for name, task in tasks.items()}
    counts: dict[str, int] = {}
    for name, task in tasks.items():
        items = items_of(task)
        counts[box[name]] = counts.get(box[name], 0) + (1 if items is None else len(items))
    arrows = {(box[name], box[before]) for name, waits in ownership.after.items() for before in waits}
    return counts, {(name, before) for name, before in arrows if name != before}


def _label(task: Json, owned: bool) -> str:
    template = str(task.get("template") or (task.get("templateRef") or {}).get("template") or task["name"])
    return template if owned or template == task["name"] else f"{task['name']} ({template})"


def _draw_as_text(boxes: Mapping[str, int], arrows: set[tuple[str, str]]) -> list[str]:
    lines, depths = [], _depths(boxes, arrows)
    for name in sorted(boxes, key=lambda box: (depths[box], list(boxes).index(box))):
        before = sorted(other for start, other in arrows if start == name)
        indent = "  " + ("   " * (depths[name] - 1) + "└▶ " if depths[name] else "")
        after = f"   after {', '.join(before)}" if len(before) > 1 else ""
        lines.append(f"{indent}{name}{_count_suffix(boxes[name])}{after}")
    return lines


def _count_suffix(count: int) -> str:
    return "" if count == 1 else f" ×{count}"


def _depths(boxes: Mapping[str, int], arrows: set[tuple[str, str]]) -> dict[str, int]:
    depths = dict.fromkeys(boxes, 0)
    for _ in boxes:
        changed = False
        for name, before in arrows:
            if depths[name] <= depths[before] < len(boxes):
                depths[name], changed = depths[before] + 1, True
        if not changed:
            break
    return depths


def _mermaid_of(boxes: Mapping[str, int], arrows: set[tuple[str, str]]) -> list[str]:
    ids = {name: f"t{number}" for number, name in enumerate(boxes)}
    lines = ["graph LR"]
    lines += [f'  {ids[name]}["{name}{_count_suffix(count)}"]' for name, count in boxes.items()]
    return lines + [f"  {ids[before]} --> {ids[name]}" for name, before in sorted(arrows)]
