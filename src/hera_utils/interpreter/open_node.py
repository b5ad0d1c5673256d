"""Opens a node: finds its template and values, checks whether it may start now, and creates the node (Argo: executeTemplate)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import arguments, cache, limits, lock_requests, metrics, new_nodes, unopened
from hera_utils.interpreter.close_node import close
from hera_utils.interpreter.document import with_template_defaults
from hera_utils.interpreter.faults import Fault, Full, TimedOut, TooDeep
from hera_utils.interpreter.frames import Frame, TemplateCall
from hera_utils.interpreter.nodes.leaves import OPENERS
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.substitution import Variables
from hera_utils.interpreter.templates import POD_KINDS, TemplateHolder, kind_of

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

MAX_DEPTH = 100
_TOO_DEEP = "Maximum recursion depth exceeded. See https://argo-workflows.readthedocs.io/en/latest/scaling/#maximum-recursion-depth"
_DISPLAY_NAME = "workflows.argoproj.io/display-name"
_DISPLAY_RULE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-.]{0,61}[a-zA-Z0-9]\Z")


def open_call(context: Context, call: TemplateCall, parent: Frame) -> Frame | None:
    """Open the node of a call, or find it again after a restore; None while it waits for a lock or a cache.

    Raises Full, TooDeep, TimedOut; a Fault creates a node in phase Error if there was none.
    """
    node = context.ledger.node_named(call.name)
    if call.attempt is not None:
        return _dispatch(context, _frame(context, call, parent, call.attempt, call.home), node)
    if node is None and not lock_requests.awaits_answer(context, context.ledger.id_of(call.name)):
        _check_room(context, call, parent)
    try:
        if parent.depth + 1 >= MAX_DEPTH:
            raise TooDeep(_TOO_DEEP)
        home, template = context.templates.resolve(call.holder, call.home)
        template = with_template_defaults(template, context.spec.get("templateDefaults"))
        processed = arguments.resolve_inputs(
            template, call.arguments, context.variables, _node_variables(context, call, template), context.config_maps
        )
    except Fault as fault:
        _error_node(context, call, node, fault.message)
        raise
    frame = _frame(context, call, parent, processed, home)
    if node is not None:
        _check_pending(context, frame, node)
        _check_pods(context, node)
    try:
        if not lock_requests.acquire(context, frame, node) or not cache.look_up(
            context, frame, context.ledger.node_named(call.name)
        ):
            context.held[frame.node_id] = frame
            unopened.note(context, frame)
            return None
    except Fault as fault:
        unopened.forget(context, frame.node_id)
        _error_node(context, call, context.ledger.node_named(call.name), fault.message)
        raise
    return _dispatch(context, frame, context.ledger.node_named(call.name))


def _check_room(context: Context, call: TemplateCall, parent: Frame) -> None:
    """Raise Full if a limit leaves no room for the node, or if this event has no time; the caller continues in a later one."""
    try:
        # A hook is never postponed, because it opens for the present state of its owner.
        new = not call.hooked and not unopened.waits(context.run, context.ledger.id_of(call.name))
        if new and (not context.opens or context.has_no_time()):
            context.later[parent.node_id] = parent
            raise Full(limits.FULL)
        limits.check_open(context, call.boundary)
        context.opened += 1
    except Full:
        lock_requests.release_without_room(context, context.ledger.id_of(call.name))
        raise


def _check_pods(context: Context, node: Json) -> None:
    """Raise Full if the workflow's parallelism is reached and the node waits for a lock, as Argo then asks for none."""
    if not (node.get("synchronizationStatus") or {}).get("waiting"):
        return  # the node had room when it got its lock, and is counted
    if limits.is_workflow_full(context) and not lock_requests.awaits_answer(context, node["id"]):
        lock_requests.release_without_room(context, node["id"])
        raise Full(limits.FULL)


def _frame(context: Context, call: TemplateCall, parent: Frame, template: Json, home: TemplateHolder) -> Frame:
    return Frame(call, context.ledger.id_of(call.name), "", template, home, parent, parent.depth + 1)


def _node_variables(context: Context, call: TemplateCall, template: Json) -> Variables:
    """The variables of this node only: its names, with its time and randomness."""
    name = str(call.holder.get("name") or "")
    local = {"node.name": call.name, ("tasks.name" if call.task else "steps.name"): name}
    if kind_of(template) in POD_KINDS and new_nodes.retry_strategy(context, template) is None:
        local["pod.name"] = new_nodes.pod_name_of(context, call.name, str(template.get("name") or ""))
    return Variables(local, context.entropy_of("template", call.name, context.ledger.node_named(call.name)))


def _check_pending(context: Context, frame: Frame, node: Json) -> None:
    try:
        limits.check_pending(context, frame.template, node)
    except TimedOut as over:
        context.ledger.mark(node, phases.FAILED, over.message)
        raise


def _dispatch(context: Context, frame: Frame, node: Json | None) -> Frame | None:
    """Create the node for the template's kind and start it."""
    waited = unopened.forget(context, frame.node_id)
    if node is not None and phases.has_ended(node):  # the outputs came from the cache
        lock_requests.release(context, frame.node_id)
        return None
    fresh = node is None
    frame.fresh = fresh or waited
    kind = kind_of(frame.template)
    template = frame.template
    if frame.call.attempt is None and new_nodes.retry_strategy(context, template) is not None:
        frame.kind = "Retry"
        if node is None:
            node = new_nodes.new_node(context, frame, "Retry", phases.RUNNING)
    elif kind in ("steps", "dag"):
        frame.kind = new_nodes.NODE_TYPES[kind]
        if node is None:
            node = new_nodes.new_node(context, frame, frame.kind, phases.RUNNING)
    context.frames[frame.node_id] = frame
    if frame.kind:
        if node is not None and node["phase"] == phases.PENDING:  # it waited for a lock
            context.ledger.mark(node, phases.RUNNING)
        _set_display_name(context, frame)
        _emit_metrics(context, frame, fresh)
        return frame
    try:
        OPENERS[kind](context, frame, node)
    except Fault as fault:
        opened = context.ledger.nodes[frame.node_id]
        context.ledger.mark(opened, phases.ERROR, fault.message)
        close(context, frame)
        raise
    _set_display_name(context, frame)
    _emit_metrics(context, frame, fresh)
    opened = context.ledger.nodes[frame.node_id]
    if phases.has_ended(opened):
        close(context, frame)
    return frame


def _emit_metrics(context: Context, frame: Frame, fresh: bool) -> None:
    """Emit the real-time metrics, which begin with their node."""
    if fresh and frame.call.attempt is None and frame.template.get("metrics"):
        metrics.emit_node_metrics(context, frame.template, context.ledger.nodes[frame.node_id], only_realtime=True)


def _set_display_name(context: Context, frame: Frame) -> None:
    """Set the display name from the template."""
    display_name = ((frame.template.get("annotations")) or {}).get(_DISPLAY_NAME)
    if display_name and _DISPLAY_RULE.match(display_name):
        context.ledger.change(context.ledger.nodes[frame.node_id], displayName=display_name)


def _error_node(context: Context, call: TemplateCall, node: Json | None, message: str) -> None:
    """Create the node of a call that could not be opened: type Skipped, phase Error (Argo: initializeNodeOrMarkError)."""
    if node is None:
        new_nodes.add_node(context, call, "Skipped", phases.ERROR, message)
    elif not phases.has_ended(node):
        context.ledger.mark(node, phases.ERROR, message)
