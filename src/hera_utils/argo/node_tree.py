"""The nodes of a workflow document as a tree of tasks, fan-outs and nested templates.

Argo stores the nodes of a run in a flat table. Three things determine the tree:

- `boundaryID`: the DAG or Steps node whose template a node is part of (empty: the entry template's own node, an exit handler);
- the node's name: `BOUNDARY.task` (DAG), `BOUNDARY[0].step` (Steps), followed by `(3:value)` for the fourth item of a fan-out
  and by `(1)` for the second attempt of a retried one (`nodeFlag.retried`);
- TaskGroup, StepGroup and Retry nodes, which represent their members.

`children` is the graph of successors, not the tree, so it is not used here. One pass, linear in the number of nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hera_utils.argo import phases, timestamps
from hera_utils.argo.annotations import RAN
from hera_utils.argo.phases import COMPLETED, ENDED, NEVER_RAN, UNSUCCESSFUL
from hera_utils.argo.template_calls import calls_of, depths, loop_count
from hera_utils.error_lines import with_error_line

Json = dict[str, Any]

_COMPOSITE = frozenset({"DAG", "Steps"})
_STRUCTURE = frozenset({"StepGroup", "Container"})  # a StepGroup only orders steps; a Container is part of its pod
_STEP = re.compile(r"^(?:\[\d+\])?\.?")
_ATTEMPT = re.compile(r"\(\d+\)$")


@dataclass(slots=True)
class Branch:
    """A task, a fan-out (its parts are the items) or a nested template (its parts are its tasks). It must not be changed.

    It is not frozen because each update of a run creates thousands, and creation would take five times as long.

    label: the task's name, or `(3:value)` for an item of a fan-out. phase: Argo's, "" if the run has not reached it yet.
    node: its node (a Retry for a retried task), None if not reached. attempts: of a retried task, oldest first.
    tasks: number of its single tasks, with expected ones, without skipped and omitted ones (as in Argo's progress).
    done, failed, running, retried: numbers of these tasks.
    """

    label: str
    phase: str = ""
    node: Json | None = None
    attempts: tuple[Json, ...] = ()
    parts: tuple[Branch, ...] = ()
    tasks: int = 1
    done: int = 0
    failed: int = 0
    running: int = 0
    retried: int = 0

    @property
    def fan_out(self) -> bool:
        return bool(self.parts) and self.parts[0].label.startswith("(")

    @property
    def message(self) -> str:
        """The message of the node, or of the last attempt, which says more than `No more retries left`."""
        last = self.attempts[-1] if self.attempts else self.node
        return str((last or {}).get("message") or (self.node or {}).get("message") or "")

    @property
    def why(self) -> str:
        """The reason for display: Argo's message with the error line of the task."""
        return with_error_line(self.message, self.error_line)

    @property
    def error_line(self) -> str:
        """The error line of a failed task's last attempt, if the local platform stored one."""
        last = self.attempts[-1] if self.attempts else self.node
        return str(((last or {}).get(RAN) or {}).get("errorLine") or "")

    def leaves(self) -> Iterator[Branch]:
        """The single tasks that the run has reached."""
        if self.parts:
            for part in self.parts:
                yield from part.leaves()
        elif self.node is not None:
            yield self


def tree(document: Json) -> tuple[Branch, ...]:
    """The run's entry template (one Branch, unless nothing has started), then its exit handlers and workflow-level hooks."""
    return _TreeReader(document).read()


def span(node: Json | None) -> tuple[str, str]:
    """(start, end) of a node, "" if not yet: on the local platform those of a pod's containers, else Argo's times of the node.

    A pod that waits for a place has not started.
    """
    if node is None:
        return "", ""
    ended = str(node.get("finishedAt") or "")
    if node.get("type") == "Pod" and node.get("phase") == "Pending":
        return "", ""
    ran = node.get(RAN) or {}
    start = str(ran.get("startedAt") or node.get("startedAt") or "")
    return start, ended and str(ran.get("finishedAt") or ended)


def seconds(node: Json | None) -> float | None:
    """The duration of a node; None if it has not ended or never started."""
    start, end = (timestamps.read(text) for text in span(node))
    return None if start is None or end is None else max(0.0, end - start)


class _TreeReader:
    def __init__(self, document: Json) -> None:
        status = document.get("status") or {}
        self.nodes: dict[str, Json] = status.get("nodes") or {}
        self.workflow = str(document["metadata"].get("name", ""))
        spec = status.get("storedWorkflowTemplateSpec") or document.get("spec") or {}
        self.templates: dict[str, Json] = {t["name"]: t for t in spec.get("templates") or () if "name" in t}
        for name, template in (status.get("storedTemplates") or {}).items():
            self.templates.setdefault(template.get("name", name), template)
        self.expectations: dict[str, int] = {}
        self.members: dict[str, list[Json]] = {}
        for node in self.nodes.values():
            boundary = node.get("boundaryID") or ""
            self.members.setdefault(boundary if boundary in self.nodes else "", []).append(node)

    def read(self) -> tuple[Branch, ...]:
        branches = self._collect(self.members.get("", ()), self.workflow, {}, over=True)
        return tuple(sorted(branches, key=lambda branch: branch.label != self.workflow))

    def _collect(self, members: Any, boundary: str, plan: dict[str, Json], *, over: bool) -> list[Branch]:
        """The branches of one template's invocation, in the order of its `plan` (task name → task), then of appearance.

        over: whether no further tasks of it are expected.
        """
        collected: dict[str, dict[str, list[Json]]] = {name: {} for name in plan}
        for node in members:
            if node.get("type") in _STRUCTURE:
                continue
            task, item = self._address(node, boundary)
            collected.setdefault(task, {}).setdefault(item, []).append(node)
        return [self._task(name, items, plan.get(name)) for name, items in collected.items() if items or not over]

    def _address(self, node: Json, boundary: str) -> tuple[str, str]:
        name = str(node.get("name", ""))
        if phases.is_attempt(node):
            name = _ATTEMPT.sub("", name)
        if name == boundary or not name.startswith(boundary):
            return name, ""
        task, bracket, item = _STEP.sub("", name[len(boundary) :], count=1).partition("(")
        return task, bracket + item

    def _task(self, name: str, items: dict[str, list[Json]], planned: Json | None) -> Branch:
        own = items.pop("", [])
        group = next((node for node in own if node.get("type") == "TaskGroup"), None)
        if not items and group is None:
            return self._single(name, own) if own else self._branch_of_unstarted_task(name, planned)
        parts = [self._single(label, items[label]) for label in sorted(items, key=_index)]
        missing = 0
        if group is not None and group.get("phase") not in ENDED:
            missing = max(0, ((loop_count(planned) or 0) if planned else 0) - len(parts)) * self._leaves_of(
                (planned or {}).get("template")
            )
        phase = str(group.get("phase", "")) if group is not None else _phase_of_parts(parts)
        return _with_counts_of_parts(Branch(label=name, phase=phase, node=group, parts=tuple(parts)), missing)

    def _single(self, label: str, nodes: list[Json]) -> Branch:
        if len(nodes) == 1 and nodes[0].get("type") not in _COMPOSITE and not phases.is_attempt(nodes[0]):
            return _leaf(label, nodes[0], ())
        attempts = tuple(node for node in nodes if phases.is_attempt(node))
        main = next((node for node in nodes if node not in attempts), attempts[-1] if attempts else nodes[-1])
        composites = [node for node in nodes if node.get("type") in _COMPOSITE]
        if composites:
            phase = str(main.get("phase", ""))
            # Only the last attempt of a retried template counts.
            inner = composites[-1]
            template = self.templates.get(inner.get("templateName") or "")
            plan = {} if template is None else _plan(template)
            members = self.members.get(str(inner.get("id")), ())
            parts = self._collect(members, str(inner.get("name", "")), plan, over=phase in ENDED)
            if parts:
                whole = _with_counts_of_parts(Branch(label, phase, main, attempts, tuple(parts)), 0)
                return replace(whole, retried=whole.retried + max(0, len(attempts) - 1))
        return _leaf(label, main, attempts)

    def _branch_of_unstarted_task(self, name: str, planned: Json | None) -> Branch:
        task = planned or {}
        count = loop_count(task) or 1
        return Branch(label=name, tasks=count * self._leaves_of(task.get("template")))

    def _leaves_of(self, template: str | None) -> int:
        """The expected number of single tasks of a template; 1 if it is not known in advance."""
        if not template or template not in self.templates:
            return 1
        if template not in self.expectations:
            self.expectations[template] = 1  # ends the recursion for a template that calls itself
            plan = _plan(self.templates[template])
            total = sum((loop_count(task) or 1) * self._leaves_of(task.get("template")) for task in plan.values())
            self.expectations[template] = total or 1
        return self.expectations[template]


def _leaf(label: str, node: Json, attempts: tuple[Json, ...]) -> Branch:
    """The branch of a single task with this node."""
    phase = str(node.get("phase", ""))
    tasks, done, failed = int(phase not in NEVER_RAN), int(phase in COMPLETED), int(phase in UNSUCCESSFUL)
    retried = max(0, len(attempts) - 1)
    return Branch(label, phase, node, attempts, (), tasks, done, failed, int(phase == "Running"), retried)


def _plan(template: Json) -> dict[str, Json]:
    """Task name → task of a DAG or Steps template, in the order of execution; empty for other templates."""
    if template.get("dag"):
        tasks = {str(task["name"]): task for task in template["dag"].get("tasks") or ()}
        depth = depths(list(tasks.values()))
        return dict(sorted(tasks.items(), key=lambda pair: depth[pair[0]]))
    return {step["name"]: step for step in calls_of(template)}


def _index(label: str) -> int:
    """The index 3 of `(3:value)`."""
    number = label[1:].partition(":")[0].rstrip(")")
    return int(number) if number.isdecimal() else 0


def _phase_of_parts(parts: list[Branch]) -> str:
    phases = {part.phase for part in parts}
    if phases <= ENDED:
        return next((phase for phase in ("Error", "Failed", "Succeeded") if phase in phases), "Skipped")
    return "Running" if phases - {"Pending", ""} else "Pending"


def _with_counts_of_parts(branch: Branch, missing: int) -> Branch:
    parts = branch.parts
    return replace(
        branch,
        tasks=sum(part.tasks for part in parts) + missing,
        done=sum(part.done for part in parts),
        failed=sum(part.failed for part in parts),
        running=sum(part.running for part in parts),
        retried=sum(part.retried for part in parts),
    )
