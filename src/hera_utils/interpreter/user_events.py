"""The requests of users to a running workflow, and its deadlines: stop, terminate, suspend, resume, set."""

from __future__ import annotations

from hera_utils.argo import phases, selectors
from hera_utils.errors import Refused
from hera_utils.interpreter import events, finish, killed, limits, lock_requests, new_nodes, outbound, start
from hera_utils.interpreter.commands import KillPod
from hera_utils.interpreter.faults import Fault, TimedOut
from hera_utils.interpreter.frames import Frame
from hera_utils.interpreter.nodes import leaves
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.walk import Walk

INTERNAL = 13


def shutdown(walk: Walk, event: events.ShutdownRequested) -> None:
    """Stop or terminate: pods that may not continue are killed, nodes without a pod end at once."""
    if event.node_field_selector:
        values = events.SetRequested(event.at, event.seed, event.node_field_selector, phases.FAILED, event.message)
        set_node(walk, values)
        return
    walk.document["spec"]["shutdown"] = event.strategy
    walk.spec["shutdown"] = event.strategy
    stopped = f"Stopped with strategy '{event.strategy}'"
    if lock_requests.waits(walk, ""):  # it never started
        if event.strategy == "Terminate":
            finish.close(walk, phases.FAILED, stopped)
        return
    for node in list(walk.run.nodes.values()):
        if phases.ended(node) or limits.may_run(walk, outbound.in_exit_handler(walk.ledger, node)):
            continue
        waits = (node.get("synchronizationStatus") or {}).get("waiting")
        if node["type"] == "Pod" and not waits:
            killed.kill(walk, node, exit_code=True)
            _end(walk, node, f"workflow shutdown with strategy:  {event.strategy}")
        elif (
            node["type"] in ("HTTP", "Plugin")
            or waits
            or (node["type"] == "Suspend" and node["phase"] == phases.RUNNING)
        ):
            walk.ledger.mark(node, phases.FAILED, stopped)
    start.walk_again(walk)


def deadline(walk: Walk) -> None:
    """The workflow's activeDeadlineSeconds are over: all nodes except exit handlers end."""
    if not limits.deadline_passed(walk):
        walk.timer("deadline", limits.workflow_deadline(walk) + limits.AFTER)
        return
    for node in list(walk.run.nodes.values()):
        if phases.ended(node) or outbound.in_exit_handler(walk.ledger, node):
            continue
        if node["type"] == "Pod":
            killed.kill(walk, node, exit_code=False)
            _end(walk, node, "Step exceeded its deadline")
        elif node["phase"] == phases.PENDING or (node["type"] == "Suspend" and node["phase"] == phases.RUNNING):
            walk.ledger.mark(node, phases.FAILED, "Step exceeded its deadline")
    start.walk_again(walk)


def _end(walk: Walk, node: Json, message: str) -> None:
    """End a node and, of a container set, its containers (Argo: handleExecutionControlError)."""
    walk.ledger.change(node, daemoned=None)
    walk.ledger.mark(node, phases.FAILED, message)
    for child in walk.ledger.children(node):
        if child["type"] == "Container" and not phases.ended(child):
            _end(walk, child, message)


def pending_too_long(walk: Walk, frame: Frame, node: Json) -> None:
    """A node has not started within its `timeout` or `pendingTimeout`."""
    try:
        limits.check_pending(walk, frame.template, node)
    except TimedOut as over:
        walk.say(KillPod(node["id"], new_nodes.pod_name(walk, node), True))
        walk.ledger.mark(node, phases.FAILED, over.message)
        raise


def suspend(walk: Walk, event: events.SuspendRequested) -> None:
    """Nothing new starts until the workflow is resumed."""
    walk.document["spec"]["suspend"] = True
    walk.spec["suspend"] = True


def resume(walk: Walk, event: events.ResumeRequested) -> None:
    """Resume the workflow itself and its suspend nodes (those of the selector).

    Raises Refused, with nothing changed, when an output that a user should have supplied has no value.
    """
    if event.node_field_selector:
        set_node(walk, events.SetRequested(event.at, event.seed, event.node_field_selector, phases.SUCCEEDED))
        return
    active = [node for node in walk.run.nodes.values() if _suspended(node)]
    try:
        filled = [leaves.with_defaults(node.get("outputs")) for node in active]
    except Fault as fault:
        raise Refused(INTERNAL, fault.message) from None
    walk.document["spec"].pop("suspend", None)
    walk.spec.pop("suspend", None)
    for node, found in zip(active, filled, strict=True):
        if found is not None:
            walk.ledger.change(node, outputs=found)
        walk.ledger.mark(node, phases.SUCCEEDED)
    start.walk_again(walk)


def _suspended(node: Json) -> bool:
    return bool(node["type"] == "Suspend" and node["phase"] == phases.RUNNING)


def set_node(walk: Walk, event: events.SetRequested) -> None:
    """Set phase, message or outputs of the suspend nodes that the selector names. Raises Refused with Argo's message."""
    selector = selectors.field_selector(event.node_field_selector)
    chosen = [node for node in walk.run.nodes.values() if _suspended(node) and selectors.node_matches(selector, node)]
    if not chosen:
        raise Refused(INTERNAL, f"currently, set only targets suspend nodes: no suspend nodes matching nodeFieldSelector: "
                      f"{event.node_field_selector}")  # fmt: skip
    for node in chosen:
        if event.output_parameters:
            walk.ledger.change(node, outputs=_with_values(node.get("outputs"), event.output_parameters))
        if event.message:
            walk.ledger.change(node, message=event.message)
        if event.phase:
            walk.ledger.mark(node, event.phase)
        walk.rise(node["id"])


def _with_values(outputs: Json | None, values: dict[str, str]) -> Json:
    if not outputs:
        raise Refused(INTERNAL, "cannot set output parameters because node is not expecting any raw parameters")
    parameters = [dict(parameter) for parameter in outputs.get("parameters") or ()]
    for name, value in values.items():
        parameter = next((one for one in parameters if one["name"] == name), None)
        if parameter is None:
            raise Refused(INTERNAL, f"node is not expecting output parameter '{name}'")
        if (parameter.get("valueFrom") or {}).get("supplied") is None:
            raise Refused(
                INTERNAL,
                f"cannot set output parameter '{name}' because it does not use valueFrom.raw or it was already set",
            )
        parameter["value"] = value
        del parameter["valueFrom"]
    return {**outputs, "parameters": parameters}


def lock_answered(walk: Walk, event: events.LockAnswered) -> None:
    """A lock was granted, or its holder has to wait."""
    if not lock_requests.answered(walk, event):
        return
    if event.holder:
        walk.reopen(event.holder)
        walk.answers.pop(f"lock:{event.holder}", None)
        lock_requests.release_unused(walk, event.holder)
    elif event.granted:
        walk.answers.clear()
        start.go_on(walk)
    elif event.status.get("error"):
        finish.close(walk, phases.FAILED, f"Failed to acquire the synchronization lock. {event.status['error']}")
    elif walk.run.phase in ("", phases.PENDING):
        finish.set_phase(walk, phases.PENDING, event.message)


def object_read(walk: Walk, event: events.ObjectRead) -> None:
    """A config map has been read."""
    awaited = walk.run.memory.get("asked") or {}
    if awaited.pop(event.key, None) is None:
        return
    kind, _, node_id = event.key.partition(":")
    if kind == "repository":
        start.repository_read(walk, event)
    else:
        walk.answers[event.key] = event
        walk.reopen(node_id)
        walk.answers.pop(event.key, None)  # a node without room asks again later: the cache may have changed by then
