"""The single tasks of a run, a row each: inputs, outputs, status and times. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hera_utils.argo.annotations import RAN
from hera_utils.argo.names import pod_name, pod_name_format, short_name
from hera_utils.argo.node_tree import Branch, seconds, span, tree
from hera_utils.argo.phases import COMPLETED, RUNNING
from hera_utils.runs.measurements import measurements_of
from hera_utils.runs.outcome import values

Json = dict[str, Any]

_BEGUN = COMPLETED | {RUNNING}
_LONGEST = 40  # characters of a value in a one-line text


@dataclass(frozen=True, repr=False)
class TaskResult:
    """A task that the run has reached.

    task: its path in the run (`A.collect(3:value)`). outputs: its output parameters, and `result` for what a script printed. artifacts:
    names of its output artifacts. seconds: of its last attempt, None while it runs. started, finished: RFC 3339 in UTC, "" before
    (argo.node_tree.span says what is timed). usage: Argo's resourcesDuration, resource → seconds times its base unit. pod: of the last
    attempt, "" where it needs none. point: the id of its point, "" for none. python: how the interpreter of a task in Python started on
    this machine (argo.annotations.RAN), "" for others. used: what was measured of its last attempt, by
    column (runs/measurements.py). log: the last lines of a failed task's log. message: Argo's, and
    the line in which the task said what was wrong, where that is known.
    """

    task: str
    template: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    status: str
    seconds: float | None
    attempts: int
    message: str = ""
    artifacts: tuple[str, ...] = ()
    started: str = ""
    finished: str = ""
    workflow: str = ""
    node_id: str = ""
    pod: str = ""
    point: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    python: str = ""
    used: dict[str, float] = field(default_factory=dict)
    log: tuple[str, ...] = ()

    @property
    def began(self) -> bool:
        """Whether the row is a task that began, not a workflow that failed before its first task."""
        return self.status in _BEGUN and (bool(self.pod) or self.node_id != self.workflow)

    def __repr__(self) -> str:
        took = None if self.seconds is None else f"{self.seconds:g} s"
        parts = filter(None, (self.status, self.message, pairs(self.outputs), took))
        return f"<{' '.join(filter(None, ('task', self.task, pairs(self.inputs))))}: {', '.join(parts)}>"


def pairs(values: Mapping[str, Any]) -> str:
    """Inputs as `a=1 b=svm`; long values are cut."""
    texts = ((name, " ".join(str(value).split())) for name, value in values.items())
    return " ".join(f"{name}={text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}" for name, text in texts)


def task_results(document: Json) -> tuple[TaskResult, ...]:
    """The single tasks of a run in the order of its tree, of fan-outs in the order of their items."""
    metadata = document["metadata"]
    workflow = str(metadata.get("name", ""))
    version = pod_name_format(document)
    return tuple(_task_result(leaf, workflow, version) for branch in tree(document) for leaf in branch.leaves())


def _task_result(leaf: Branch, workflow: str, version: str) -> TaskResult:
    node = leaf.node or {}
    last = leaf.attempts[-1] if leaf.attempts else node
    outputs = {**(last.get("outputs") or {}), **(node.get("outputs") or {})}
    parameters = values(node.get("outputs")) or values(last.get("outputs"))
    if outputs.get("result") is not None:
        parameters["result"] = str(outputs["result"])
    template = str(node.get("templateName") or (node.get("templateRef") or {}).get("template") or "")
    pod = ""
    if last.get("type") == "Pod":
        pod = pod_name(workflow, str(last.get("name", "")), template, str(last.get("id", "")), version=version)
    took = seconds(last)
    started = next((text for text, _ in map(span, leaf.attempts or (node,)) if text), "")
    finished = span(last)[1] if node.get("finishedAt") else ""
    return TaskResult(
        task=short_name(str(node.get("name", "")), workflow),
        template=template,
        inputs=values(node.get("inputs") or last.get("inputs")),
        outputs=parameters,
        status=str(node.get("phase", "")),
        seconds=None if took is None else round(took, 3),
        attempts=max(1, len(leaf.attempts)),
        message=leaf.why,
        artifacts=tuple(str(a["name"]) for a in outputs.get("artifacts") or ()),
        started=_milliseconds(started),
        finished=_milliseconds(finished),
        workflow=workflow,
        node_id=str(last.get("id", "")),
        pod=pod,
        usage=usage(leaf.attempts or (node,)),
        python=str((last.get(RAN) or {}).get("python") or ""),
        used=measurements_of(last),
    )


def _milliseconds(text: str) -> str:
    """A time with microseconds as `2026-11-23T09:00:00.250Z`; a time of whole seconds stays as it is."""
    head, point, rest = text.partition(".")
    return f"{head}.{rest[:3]}Z" if point else text


def usage(nodes: tuple[Json, ...]) -> dict[str, int]:
    """The resources that all attempts requested, summed over time."""
    total: dict[str, int] = {}
    for node in nodes:
        for name, amount in (node.get("resourcesDuration") or {}).items():
            total[name] = total.get(name, 0) + int(amount)
    return total
