"""The workflow itself: its entry template, its own hooks, its exit handler (`onExit`), and its final phase (Argo: operate)."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import finish, killed, limits, node_hooks, substitution, unopened
from hera_utils.interpreter.faults import Fault, Full
from hera_utils.interpreter.frames import Frame, Opened, Plan, TemplateCall
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context


_TELL_FAILURES = ("hooks", "onExit", "metrics")
"""The parts that may use `workflow.failures`, which is computed only for them, as it is long for thousands of failed nodes."""


def plan(context: Context, frame: Frame, dirty: dict[str, Fault | None]) -> Plan:
    """Open the entry node, then hooks, then the exit handler; finally close the run."""
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
    if phases.is_fulfilled(node) and any(context.spec.get(field) for field in _TELL_FAILURES):
        context.variables["workflow.failures"] = finish.failures(context)
    hooks_are_over = yield from _hooks(context, frame, node, faults)
    if (
        not hooks_are_over
        or not phases.is_fulfilled(node)
        or (node["type"] == "Pod" and killed.awaits_outputs(context, node))
    ):
        return
    try:
        over, handler = yield from _exit_handler(context, frame, faults)
    except Full:
        return
    except Fault as fault:
        finish.fail(context, f"error in exit template execution : {fault.message}")
        return
    if over:
        finish.conclude(context, node, handler)


def _hooks(context: Context, frame: Frame, node: Json, faults: Mapping[str, Fault]) -> Opened:
    """Open the workflow's own hooks whose expression is true; returns whether all opened hooks are over.

    node: the entry node, which becomes an Error if a hook cannot be opened. faults: node id → fault of nodes that could not be opened.
    """
    done = True
    for hook_name, hook in (context.spec.get("hooks") or {}).items():
        if hook_name == node_hooks.EXIT:
            continue
        name = f"{context.run.name}.hooks.{hook_name}"
        if context.later and not unopened.is_begun(context, name):
            done = False  # the rest of the run opens first, as a failed hook ends the run
            continue
        try:
            if not hook.get("expression"):
                raise Fault(f"Expression required for hook {name}")
            if context.ledger.id_of(name) in faults:
                raise faults[context.ledger.id_of(name)]
            if not unopened.is_begun(context, name) and not substitution.evaluate_boolean(
                hook["expression"], context.variables
            ):
                continue
            opened = yield TemplateCall(
                name, node_hooks.callee(hook), frame.home, hook.get("arguments") or {}, hooked=True
            )
        except Full:
            done = False
            continue
        except Fault as fault:
            context.ledger.mark(node, phases.ERROR, fault.message)
            return True
        if opened is not None:
            context.ledger.adopt(node, context.ledger.id_of(name))
        done = done and opened is not None and phases.is_fulfilled(opened)
    return done


def _exit_handler(
    context: Context, frame: Frame, faults: Mapping[str, Fault]
) -> Generator[TemplateCall, Json | None, tuple[bool, Json | None]]:
    """Open the workflow's exit handler; returns (whether there is none or it is over, the handler's node if there is one)."""
    hook = node_hooks.exit_hook(context.spec, context.spec.get("arguments") or {})
    name = f"{context.run.name}.onExit"
    if hook is None or not (unopened.is_begun(context, name) or limits.may_run(context, on_exit=True)):
        return True, None
    handler_id = context.ledger.id_of(name)
    if handler_id in faults:
        raise faults[handler_id]
    finish.duration_variable(context)
    arguments = hook.get("arguments") or {}
    node = yield TemplateCall(name, node_hooks.callee(hook), frame.home, arguments, on_exit=True, hooked=True)
    return node is not None and phases.is_fulfilled(node), node
