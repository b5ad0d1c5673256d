"""The variables of a task of a DAG: the inputs of the template and the outputs of the tasks before it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from hera_utils.interpreter import depends, outbound, outputs
from hera_utils.interpreter.frames import Frame
from hera_utils.interpreter.scope import Scope
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import plain_json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

_FEW = 40
_WORD = re.compile(r"[-\w]+")
_NOT_REFERRING = ("depends", "dependencies", "template", "templateRef")


class ScopeTask(Protocol):
    spec: Json
    needs: depends.Dependencies
    node_id: str


def of_task(context: Context, frame: Frame, tasks: Mapping[str, ScopeTask], spec: Json) -> Scope:
    """The scope in which a task is resolved (Argo: buildLocalScopeFromTask).

    In a large DAG only the tasks that it names are added: with all ancestors a chain of thousands would take quadratic time.
    """
    if len(tasks) > _FEW:
        named = _WORD.findall(plain_json({key: value for key, value in spec.items() if key not in _NOT_REFERRING}))
        return _scope_with(context, frame, tasks, [name for name in dict.fromkeys(named) if name in tasks])
    return _scope_with(context, frame, tasks, ancestors(tasks, spec["name"]))


def of_dag(context: Context, frame: Frame, tasks: Mapping[str, ScopeTask]) -> Scope:
    """The scope in which the DAG's own outputs are resolved: all its tasks. Outputs with a globalName are published.

    Raises Fault also if nothing uses the results of a loop: Argo makes one list of them, which must be JSON.
    """
    wanted = bool(frame.template.get("outputs"))
    scope = _scope_with(context, frame, tasks, list(tasks)) if wanted else _empty_scope(context, frame)
    for task in tasks.values():
        node = context.ledger.get(task.node_id)
        if node is not None:
            if node["type"] == "TaskGroup" and not wanted:
                outputs.check_results(context.ledger.children(node))
            outputs.publish(context, node.get("outputs"))
    return scope


def ancestors(tasks: Mapping[str, ScopeTask], name: str) -> list[str]:
    names: dict[str, None] = {}
    todo = list(tasks[name].needs.names)
    while todo:
        one = todo.pop()
        if one not in names:
            names[one] = None
            todo += tasks[one].needs.names
    return list(names)


def _empty_scope(context: Context, frame: Frame) -> Scope:
    return Scope(frame.template, context.variables.entropy)


def _scope_with(context: Context, frame: Frame, tasks: Mapping[str, ScopeTask], names: Iterable[str]) -> Scope:
    scope = _empty_scope(context, frame)
    scope.add_workflow_outputs(context.document["status"].get("outputs"))
    for name in names:
        task = tasks[name]
        node = context.ledger.get(task.node_id)
        if node is None:
            continue
        if node["type"] == "TaskGroup":
            outputs.add_aggregate(scope, "tasks", name, context.ledger.children(node))
        scope.add_node("tasks", name, outbound.last_attempt(context.ledger, node))
        scope.add_skipped(
            "tasks", name, node, outputs.template_of_skipped(context, task.spec, frame, node), artifacts=False
        )
    return scope
