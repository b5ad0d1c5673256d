"""Retries a finished run in place: decides which nodes are removed, reset or kept (Argo: FormulateRetryWorkflow).

Failed pods are removed, with their successors; the groups above them (DAG, Steps, TaskGroup, StepGroup, Retry) run again. With
`restart_successful` the nodes of a selector are removed, too. Exit handlers are always removed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hera_utils.argo import definitions, names, selectors, timestamps
from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT
from hera_utils.errors import Refused
from hera_utils.interpreter.commands import Command, DeletePod
from hera_utils.interpreter.events import RetryRequested
from hera_utils.interpreter.state import Run
from hera_utils.interpreter.submission import with_parameters

Json = dict[str, Any]

_GROUPS = frozenset({"DAG", "TaskGroup", "StepGroup", "Steps"})
_EXECUTED = frozenset({"Container", "Pod", "HTTP", "Plugin"})
_FAILED = frozenset({"Failed", "Error"})
_COMPLETED = "workflows.argoproj.io/completed"
_ARCHIVING = "workflows.argoproj.io/workflow-archiving-status"


def retry(run: Run, event: RetryRequested) -> list[Command]:
    """Remove and reset the nodes to run again. The caller opens the run again; `run.index` is dropped, so derived data are rebuilt.

    Raises Refused with Argo's message; then nothing has changed.
    """
    choice, arguments = _decide(run, event)
    pods = choice.pods()
    _apply_nodes(run, choice, event.at)
    _apply_header(run, event, arguments)
    run.index = None
    return [DeletePod(name) for name in pods]


def check(run: Run, event: RetryRequested) -> None:
    """Raise the error that `retry` would raise, without changing anything."""
    _decide(run, event)


def _decide(run: Run, event: RetryRequested) -> tuple[_RetryChoice, Json | None]:
    """(the nodes to run again, the new arguments if any were given)."""
    _check_phase(run, event)
    arguments = _arguments(run, event.parameters)
    choice = _RetryChoice(run.document, event)
    choice.make()
    return choice, arguments


def _check_phase(run: Run, event: RetryRequested) -> None:
    if run.phase in _FAILED:
        return
    if run.phase != "Succeeded":
        raise Refused(INVALID_ARGUMENT, f"Cannot retry a workflow in phase {run.phase}")
    if not event.restart_successful or not event.node_field_selector:
        raise Refused(
            INVALID_ARGUMENT,
            "To retry a succeeded workflow, set the options restartSuccessful and nodeFieldSelector",
        )


def _arguments(run: Run, parameters: tuple[str, ...]) -> Json | None:
    if not parameters:
        return None
    arguments = with_parameters(run.document["spec"].get("arguments"), parameters)
    faults = [
        fault for fault in definitions.faults({"spec": {"arguments": arguments}}, "Workflow") if "arguments" in fault
    ]
    if faults:
        raise Refused(INVALID_ARGUMENT, f'Workflow.argoproj.io "{run.name}" is invalid: {names.join_messages(faults)}')
    return arguments


# --- which nodes ----------------------------------------------------------------------------------------------------


class _RetryChoice:
    """The decision. reset: ids of nodes that begin again. deleted: ids of nodes that are removed."""

    def __init__(self, document: Json, event: RetryRequested) -> None:
        self.workflow = document["metadata"]["name"]
        self.version = names.pod_name_format(document)
        self.nodes: Mapping[str, Json] = (document.get("status") or {}).get("nodes") or {}
        self.event = event
        self.reset: set[str] = set()
        self.deleted: set[str] = set()
        self.parents = self._parents()

    def _parents(self) -> dict[str, str]:
        """Node → its parent. Of several parents the one with the greatest id counts, so that each retry gives the same result."""
        parents: dict[str, str] = {}
        for node_id in sorted(self.nodes):
            for child in self.nodes[node_id].get("children") or ():
                parents[child] = node_id
        for node_id, node in self.nodes.items():
            if node_id not in parents and node["name"] != self.workflow and not self._in_exit_handler(node):
                raise Refused(INTERNAL, f"couldn't find parent node for {node_id}")
            for child in node.get("children") or ():
                if child not in self.nodes:
                    raise Refused(INTERNAL, f"coudln't obtain child {child}")
        return parents

    def _in_exit_handler(self, node: Json) -> bool:
        return bool(node["name"].startswith(self.workflow + ".onExit"))

    def make(self) -> None:
        chosen = self._selected_nodes()
        chosen |= self._failed_nodes(chosen)
        for node_id in self._nodes_by_level():
            if node_id in chosen and node_id not in self.deleted:
                self._delete_with_successors(node_id)
        if self.event.parameters:
            # With other parameters a loop may have other items: it will be expanded again.
            for node_id in self.reset - self.deleted:
                if self.nodes[node_id]["type"] in ("TaskGroup", "StepGroup"):
                    self.deleted |= self._below(node_id)
        self.reset -= self.deleted

    def _selected_nodes(self) -> set[str]:
        text = self.event.node_field_selector
        if not self.event.restart_successful or not text:
            return set()
        selector = selectors.node_field_selector(text)
        return {node_id for node_id, node in self.nodes.items() if selectors.node_matches(selector, node)}

    def _failed_nodes(self, selected: set[str]) -> set[str]:
        """Failed pods, agents' tasks and suspend nodes, except those with a successful node after them."""
        retry_of = {
            child: node
            for node in self.nodes.values()
            if node["type"] == "Retry"
            for child in node.get("children") or ()
        }
        succeeded: dict[str, bool] = {}
        failed = set()
        for node_id, node in self.nodes.items():
            if node.get("phase") in _FAILED and node["type"] in _EXECUTED:
                judged = retry_of.get(node_id, node) if (node.get("nodeFlag") or {}).get("retried") else node
                if not self._success_below(judged, selected, succeeded):
                    failed.add(node_id)
        return failed

    def _success_below(self, node: Json, selected: set[str], memo: dict[str, bool]) -> bool:
        """Whether a node below it, not among the selected, has succeeded. Each node is asked once."""
        stack = [node["id"]]
        while stack:
            current = stack[-1]
            children = self.nodes[current].get("children") or ()
            if any(self.nodes[child].get("phase") == "Succeeded" and child not in selected for child in children):
                memo[current] = True
            waiting = [child for child in children if child not in memo and child not in stack]
            if memo.get(current) or not waiting:
                memo[current] = memo.get(current, False) or any(memo.get(child) for child in children)
                stack.pop()
            else:
                stack.append(waiting[0])
        return memo[node["id"]]

    def _nodes_by_level(self) -> list[str]:
        """Every node below the root, level by level. Exit handlers are not among them."""
        root = next((node_id for node_id, node in self.nodes.items() if node["name"] == self.workflow), None)
        if root is None:
            return []
        return [root, *self._walk(root)]

    def _below(self, node_id: str) -> set[str]:
        return set(self._walk(node_id))

    def _walk(self, node_id: str) -> Iterable[str]:
        seen, todo = {node_id}, deque([node_id])
        result = []
        while todo:
            for child in self.nodes[todo.popleft()].get("children") or ():
                if child not in seen:
                    seen.add(child)
                    result.append(child)
                    todo.append(child)
        return result

    def _delete_with_successors(self, start: str) -> None:
        """Delete a node and its successors; reset the groups above it."""
        self.deleted |= {start, *self._walk(start)}
        current: str | None = start
        if self.parents.get(start) is None:
            return
        while current is not None:
            node = self.nodes[current]
            if node["type"] in _GROUPS:
                self.reset.add(current)
                current = self._reset_boundaries(current)
                continue
            if node["type"] == "Retry" and node.get("phase") in _FAILED:
                self.reset.add(current)
            if node["type"] == "Container":
                current = self._reset_until(current, lambda node: node["type"] == "Pod")
                self.deleted |= {current, *self._walk(current)}
                continue_from = current
                current = self.parents.get(continue_from)
                continue
            current = self.parents.get(current)

    def _reset_boundaries(self, current: str) -> str | None:
        """Reset the boundaries up to the root, and the groups and retries around them."""
        while True:
            above = self.parents.get(current)
            if above is not None and self.nodes[above]["type"] == "Retry":
                self.reset.add(above)
                current = above
                above = self.parents.get(current)
            if above is not None and self.nodes[above]["type"] in ("StepGroup", "TaskGroup"):
                self.reset.add(above)
            boundary = self.nodes[current].get("boundaryID")
            if not boundary:
                return self.parents.get(current)
            current = self._reset_until(current, lambda node, wanted=boundary: node["id"] == wanted)  # type: ignore[misc]

    def _reset_until(self, start: str, accepts: Callable[[Json], bool]) -> str:
        current: str | None = start
        while current is not None:
            if accepts(self.nodes[current]):
                self.reset.add(current)
                return current
            current = self.parents.get(current)
        raise Refused(INTERNAL, "was seeking node but ran out of nodes to explore")

    # --- pods -------------------------------------------------------------------------------------------------------

    def exit_nodes(self) -> set[str]:
        return {node_id for node_id, node in self.nodes.items() if self._in_exit_handler(node)}

    def pods(self) -> list[str]:
        """The names of the pods whose nodes are deleted."""
        gone = self.deleted | self.exit_nodes()
        pods = (self.nodes[node_id] for node_id in sorted(gone) if self.nodes[node_id]["type"] == "Pod")
        return list(dict.fromkeys(self._pod_name(node) for node in pods))

    def _pod_name(self, node: Json) -> str:
        template = (node.get("templateRef") or {}).get("template") or node.get("templateName", "")
        return names.pod_name(self.workflow, node["name"], template, node["id"], version=self.version)


# --- the run --------------------------------------------------------------------------------------------------------


def _apply_nodes(run: Run, choice: _RetryChoice, at: float) -> None:
    removed = choice.deleted | choice.exit_nodes()
    for node_id in choice.reset - removed:
        _begin_again(run.nodes[node_id], at)
        run.changed.add(node_id)
    for node_id, node in run.nodes.items():
        if node_id in removed:
            continue
        for field in ("children", "outboundNodes"):
            ids = node.get(field)
            if ids and not choice.deleted.isdisjoint(ids):
                node[field] = [linked_id for linked_id in ids if linked_id not in choice.deleted]
                if not node[field]:
                    del node[field]
                run.changed.add(node_id)
    for node_id in removed:
        del run.nodes[node_id]
    run.changed -= removed
    run.removed |= removed


def _begin_again(node: Json, at: float) -> None:
    if node["type"] == "Suspend":
        parameters = (node.get("outputs") or {}).get("parameters")
        if parameters:
            supplied = [{"name": parameter["name"], "valueFrom": {"supplied": {}}} for parameter in parameters]
            node["outputs"] = {**node["outputs"], "parameters": supplied}
    if node.get("phase") != "Skipped":
        node["phase"] = "Running"
    node.pop("message", None)
    node["startedAt"] = timestamps.text(at)
    node["finishedAt"] = None


def _apply_header(run: Run, event: RetryRequested, arguments: Json | None) -> None:
    metadata, spec, status = run.document["metadata"], run.document["spec"], run.document["status"]
    for label in (_COMPLETED, _ARCHIVING):
        (metadata.get("labels") or {}).pop(label, None)
    stored = status.get("storedWorkflowTemplateSpec")
    for one in (spec, stored or {}):
        one.pop("shutdown", None)
    if spec.get("activeDeadlineSeconds") == 0:  # earlier versions of Argo terminated workflows in this way
        del spec["activeDeadlineSeconds"]
    if arguments is not None:
        spec["arguments"] = arguments
        if stored is not None:
            stored["arguments"] = {**(stored.get("arguments") or {}), "parameters": arguments["parameters"]}
    for field in ("phase", "message", "persistentVolumeClaims"):
        status.pop(field, None)
    status["startedAt"], status["finishedAt"] = timestamps.text(event.at), None
    others = [condition for condition in status.get("conditions") or () if condition.get("type") != "Completed"]
    status["conditions"] = [*others, {"type": "Completed", "status": "False"}]
