"""The workflow itself: its entry template, then its hooks and its exit handler (hooks.py), and how it ended (Argo: operate)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import finish, hooks
from hera_utils.interpreter.faults import Fault, Full
from hera_utils.interpreter.frames import Frame, Plan, TemplateCall

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context


def plan(context: Context, frame: Frame, dirty: dict[str, Fault | None]) -> Plan:
    """Open the entry node, then hooks, then the exit handler; at last close the run."""
    if context.run.finished or context.run.phase in ("", phases.PENDING):
        return
    name = context.run.name
    faults = {child: fault for child, fault in dirty.items() if fault is not None}
    try:
        if name in faults:
            raise faults[name]
        node = yield TemplateCall(
            name, {"template": context.spec.get("entrypoint", "")}, frame.home, context.spec.get("arguments") or {}
        )
    except Full:
        return
    except Fault as fault:
        finish.fail(context, f"error in entry template execution: {fault.message}")
        return
    if node is None:
        return
    context.variables["workflow.status"] = phases.WORKFLOW_PHASES[node["phase"]]
    if phases.fulfilled(node):
        context.variables["workflow.failures"] = finish.failures(context)
    hooks_are_over = yield from hooks.lifecycle_of_workflow(context, frame, node, faults)
    if not hooks_are_over or not phases.fulfilled(node):
        return
    try:
        over, handler = yield from hooks.on_exit_of_workflow(context, frame, faults)
    except Full:
        return
    except Fault as fault:
        finish.fail(context, f"error in exit template execution : {fault.message}")
        return
    if over:
        finish.conclude(context, node, handler)
