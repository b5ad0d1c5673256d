"""The workflow itself: its entry template, its hooks, its exit handler, and how it ended (Argo: operate)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import finish, hooks, limits, substitution, unopened
from hera_utils.interpreter.faults import Fault, Full
from hera_utils.interpreter.frames import Frame, Plan, TemplateCall
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context


def plan(context: Context, frame: Frame, dirty: dict[str, Fault | None]) -> Plan:
    """See to the entry node, then to hooks, then to the exit handler; at last close the run."""
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
    if not (yield from _lifecycle(context, frame, node, faults)):
        return
    if not phases.fulfilled(node):
        return
    handler: Json | None = None
    hook = hooks.exit_hook(context.spec, context.spec.get("arguments") or {})
    if hook is not None:
        handler_name = f"{name}.onExit"
        if unopened.is_begun(context, handler_name) or limits.may_run(context, on_exit=True):
            try:
                handler_id = context.ledger.id_of(handler_name)
                if handler_id in faults:
                    raise faults[handler_id]
                finish.duration_variable(context)
                handler = yield _handler(frame, handler_name, hook)
            except Full:
                return
            except Fault as fault:
                finish.fail(context, f"error in exit template execution : {fault.message}")
                return
            if handler is None or not phases.fulfilled(handler):
                return
    finish.conclude(context, node, handler)


def _handler(frame: Frame, name: str, hook: Json) -> TemplateCall:
    holder = {key: hook[key] for key in ("template", "templateRef") if hook.get(key)}
    return TemplateCall(name, holder, frame.home, hook.get("arguments") or {}, on_exit=True, hooked=True)


def _lifecycle(
    context: Context, frame: Frame, node: Json, faults: dict[str, Fault]
) -> Generator[TemplateCall, Json | None, bool]:
    """The workflow's own hooks; answers whether all that were opened are over."""
    done = True
    for hook_name, hook in (context.spec.get("hooks") or {}).items():
        if hook_name == hooks.EXIT:
            continue
        name = f"{context.run.name}.hooks.{hook_name}"
        try:
            if not hook.get("expression"):
                raise Fault(f"Expression required for hook {name}")
            if context.ledger.id_of(name) in faults:
                raise faults[context.ledger.id_of(name)]
            if not unopened.is_begun(context, name) and not substitution.true(hook["expression"], context.variables):
                continue
            holder = {key: hook[key] for key in ("template", "templateRef") if hook.get(key)}
            opened = yield TemplateCall(name, holder, frame.home, hook.get("arguments") or {}, hooked=True)
        except Full:
            done = False
            continue
        except Fault as fault:
            context.ledger.mark(node, phases.ERROR, fault.message)
            return True
        if opened is not None:
            context.ledger.adopt(node, context.ledger.id_of(name))
        done = done and opened is not None and phases.fulfilled(opened)
    return done
