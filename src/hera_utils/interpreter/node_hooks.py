"""Lifecycle hooks and exit handlers of steps and tasks (Argo: hooks.go, exit_handler.go); the workflow's own: nodes/workflow.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hera_utils.argo import phases
from hera_utils.interpreter import limits, outbound, substitution, unopened
from hera_utils.interpreter.faults import Fault, Full
from hera_utils.interpreter.frames import Frame, Opened, TemplateCall
from hera_utils.interpreter.scope import Scope
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

EXIT = "exit"


def has_hooks(step: Mapping[str, Any]) -> bool:
    """Whether it has hooks other than an exit handler."""
    return any(name != EXIT for name in step.get("hooks") or ())


def exit_hook(owner: Mapping[str, Any], arguments: Json) -> Json | None:
    """The exit handler of a step, a task or a workflow; one without arguments gets the workflow's."""
    if owner.get("onExit"):
        return {"template": owner["onExit"], "arguments": arguments}
    hook = (owner.get("hooks") or {}).get(EXIT)
    if hook is None:
        return None
    own = hook.get("arguments") or {}
    return dict(hook) if own.get("parameters") or own.get("artifacts") else {**hook, "arguments": arguments}


class HookOwner:
    """The step or task whose hooks these are: a node of `frame`, called `prefix.name` within `scope`.

    blocked: whether a limit prevents a hook from opening; it is tried again when there is room.
    """

    def __init__(self, frame: Frame, scope: Scope, prefix: str, name: str) -> None:
        self.frame = frame
        self.scope = scope
        self.prefix = prefix
        self.name = name
        self.blocked = False


def open_hooks(context: Context, owner: HookOwner, hooks: Json | None, node: Json) -> Opened:
    """Open the hooks whose expression is true; returns whether all opened hooks are over."""
    done = True
    for hook_name, hook in (hooks or {}).items():
        if hook_name == EXIT:
            continue
        name = f"{node['name']}.hooks.{hook_name}"
        owner.scope.at(context.entropy_of("arguments", name, context.ledger.node_named(name)))
        if not hook.get("expression"):
            raise Fault(f"Expression required for hook {name}")
        variables = owner.scope.parameters(context.variables)
        if not unopened.is_begun(context, name) and not substitution.evaluate_boolean(hook["expression"], variables):
            continue
        arguments = hook.get("arguments") or {}
        outputs = outbound.last_attempt(context.ledger, node).get("outputs")
        if arguments and outputs:
            arguments = fill_arguments(context, owner, arguments, outputs)
        try:
            hook_node = yield _call(owner, name, hook, arguments, on_exit=False)
        except Full:
            owner.blocked, done = True, False
            continue
        if hook_node is not None:
            context.ledger.adopt(node, context.ledger.id_of(name))
        done = done and hook_node is not None and phases.is_fulfilled(hook_node)
    return done


def open_exit_handler(context: Context, owner: HookOwner, step: Mapping[str, Any], node: Json) -> Opened:
    """Open the exit handler of a node that completed; returns whether there is none or it is over."""
    hook = exit_hook(step, context.spec.get("arguments") or {})
    if hook is None or not limits.may_run(context, on_exit=True):
        return True
    name = f"{node['name']}.onExit"
    owner.scope.at(context.entropy_of("arguments", name, context.ledger.node_named(name)))
    variables = owner.scope.parameters(context.variables)
    if hook.get("expression") and not substitution.evaluate_boolean(hook["expression"], variables):
        return True
    arguments = hook.get("arguments") or {}
    if arguments:
        outputs = outbound.last_attempt(context.ledger, node).get("outputs")
        arguments = fill_arguments(context, owner, arguments, outputs)
    try:
        hook_node = yield _call(owner, name, hook, arguments, on_exit=True)
    except Full:
        owner.blocked = True
        return False
    except Fault:
        context.ledger.adopt(node, context.ledger.id_of(name))
        raise
    if hook_node is not None:
        context.ledger.adopt(node, context.ledger.id_of(name))
    return hook_node is not None and phases.is_fulfilled(hook_node)


def _call(owner: HookOwner, name: str, hook: Json, arguments: Json, *, on_exit: bool) -> TemplateCall:
    frame = owner.frame
    return TemplateCall(name, callee(hook), frame.home, arguments, boundary=frame.node_id, on_exit=on_exit, hooked=True)


def callee(hook: Json) -> Json:
    """The part of a hook that says which template it calls."""
    return {key: hook[key] for key in ("template", "templateRef") if hook.get(key)}


def fill_arguments(context: Context, owner: HookOwner, arguments: Json, outputs: Json | None) -> Json:
    """A hook's arguments, with the outputs of its owner and the variables in scope filled in."""
    scope = owner.scope
    key = f"{owner.prefix}.{owner.name}.outputs."
    for parameter in (outputs or {}).get("parameters") or ():
        scope.set(f"{key}parameters.{parameter['name']}", str(parameter.get("value") or ""))
    for artifact in (outputs or {}).get("artifacts") or ():
        scope.set(f"{key}artifacts.{artifact['name']}", artifact)
    filled: Json = substitution.replace(
        scope.mark_absent(arguments), scope.parameters(context.variables), unresolved=True
    )
    return (
        {**filled, "artifacts": resolve_artifacts(filled.get("artifacts"), scope)}
        if filled.get("artifacts")
        else filled
    )


def resolve_artifacts(artifacts: list[Json] | None, scope: Scope) -> list[Json]:
    """Artifact arguments with `from` and `fromExpression` resolved; an optional one that does not exist is left out."""
    resolved = []
    for artifact in artifacts or ():
        if not artifact.get("from") and not artifact.get("fromExpression"):
            resolved.append(artifact)
            continue
        try:
            source = scope.artifact(artifact)
        except Fault:
            if artifact.get("optional"):
                continue
            raise
        resolved.append({**source, "name": artifact["name"]})
    return resolved
