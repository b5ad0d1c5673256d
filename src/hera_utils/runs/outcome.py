"""Reads from a workflow's document how a run ended: what failed first, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.names import short_name
from hera_utils.argo.node_tree import Branch, tree
from hera_utils.argo.phases import UNSUCCESSFUL, phase_or_pending
from hera_utils.error_lines import with_error_line

Json = dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A task that failed.

    task: its path in the run (`A.collect(3:value)`). node_id: of the attempt that failed last. phase: Failed or Error.
    message: Argo's. error_line: the line of its log that says what was wrong, "" if unknown.
    exit_code: None if no process ended (a pod that was evicted, an expression that cannot be parsed).
    workflow: the name of its workflow, in a run of several.
    """

    task: str
    node_id: str
    node_name: str
    template: str
    phase: str
    message: str
    exit_code: int | None
    attempts: int
    inputs: dict[str, str]
    workflow: str = ""
    error_line: str = ""

    @property
    def why(self) -> str:
        return with_error_line(self.message, self.error_line) or self.phase


@dataclass(frozen=True)
class Outcome:
    """How a run ended (or its present state). seconds: None while it runs. failures: in the order in which they ended."""

    name: str
    namespace: str
    phase: str
    message: str
    seconds: float | None
    failures: tuple[Failure, ...]

    @property
    def succeeded(self) -> bool:
        return self.phase == "Succeeded"

    @property
    def why(self) -> str:
        """Argo's message of the run, with the task's error line if the message is that of a task."""
        lines = (failure.error_line for failure in self.failures if failure.message == self.message)
        return with_error_line(self.message, next(lines, ""))


def phase_as_verb(phase: str) -> str:
    """A phase as a verb: `failed`, `ended with an error`."""
    return "ended with an error" if phase == "Error" else phase.lower()


def outcome(document: Json) -> Outcome:
    metadata, status = document["metadata"], document.get("status") or {}
    start, end = timestamps.read(status.get("startedAt")), timestamps.read(status.get("finishedAt"))
    failed = [leaf for branch in tree(document) for leaf in branch.leaves() if leaf.phase in UNSUCCESSFUL]
    failed.sort(key=lambda leaf: str(_last_message(leaf).get("finishedAt") or ""))
    workflow = str(metadata.get("name", ""))
    return Outcome(
        name=workflow,
        namespace=str(metadata.get("namespace", "")),
        phase=phase_or_pending(document),
        message=str(status.get("message") or ""),
        seconds=None if start is None or end is None else end - start,
        failures=tuple(_failure(leaf, workflow) for leaf in failed),
    )


def _last_message(leaf: Branch) -> Json:
    return leaf.attempts[-1] if leaf.attempts else leaf.node or {}


def _failure(leaf: Branch, workflow: str) -> Failure:
    last, node = _last_message(leaf), leaf.node or {}
    code = str((last.get("outputs") or {}).get("exitCode", ""))
    return Failure(
        task=short_name(str(node.get("name", "")), workflow),
        node_id=str(last.get("id", "")),
        node_name=str(last.get("name", "")),
        template=str(last.get("templateName") or (last.get("templateRef") or {}).get("template") or ""),
        phase=leaf.phase,
        message=leaf.message,
        exit_code=int(code) if code.lstrip("-").isdecimal() else None,
        attempts=max(1, len(leaf.attempts)),
        inputs=values(node.get("inputs") or last.get("inputs")),
        workflow=workflow,
        error_line=leaf.error_line,
    )


def values(slot: Json | None) -> dict[str, str]:
    """The parameters of a node's inputs or outputs as name → value."""
    parameters = (slot or {}).get("parameters") or ()
    return {str(p["name"]): str(p["value"]) for p in parameters if p.get("value") is not None}
