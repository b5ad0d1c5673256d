"""The requests of users to a running workflow: stop, terminate, suspend, resume, set."""

from __future__ import annotations

from hera_utils.argo import phases, selectors
from hera_utils.argo.faults import INTERNAL
from hera_utils.errors import Refused
from hera_utils.interpreter import events, finish, lock_requests, outputs, start, stop
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.nodes import leaves
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.walk import Walk

_GAVE_UP = "timed out waiting for the condition: "
"""The beginning of the message after Argo's server has retried in vain."""


def shutdown(walk: Walk, event: events.ShutdownRequested) -> None:
    """Stop or terminate: pods that may not continue are killed, nodes without a pod end at once."""
    if event.node_field_selector:
        values = events.SetRequested(event.at, event.seed, event.node_field_selector, phases.FAILED, event.message)
        set_node(walk, values)
        return
    walk.document["spec"]["shutdown"] = event.strategy
    walk.spec["shutdown"] = event.strategy
    if lock_requests.waits_for_locks(walk, ""):  # the workflow has never started
        if event.strategy == "Terminate":
            finish.close(walk, phases.FAILED, f"Stopped with strategy '{event.strategy}'")
        return
    stop.begin(walk, stop.SHUTDOWN)


def suspend(walk: Walk, event: events.SuspendRequested) -> None:
    """Suspend the workflow: nothing new starts until it is resumed."""
    walk.document["spec"]["suspend"] = True
    walk.spec["suspend"] = True


def resume(walk: Walk, event: events.ResumeRequested) -> None:
    """Resume the workflow itself and its suspend nodes (those of the selector).

    Raises Refused, with nothing changed, when an output that a user should have supplied has no value.
    """
    if event.node_field_selector:
        set_node(walk, events.SetRequested(event.at, event.seed, event.node_field_selector, phases.SUCCEEDED))
        return
    active = [node for node in walk.run.nodes.values() if phases.is_suspended(node)]
    try:
        filled = [leaves.with_defaults(node.get("outputs")) for node in active]
    except Fault as fault:
        raise Refused(INTERNAL, _GAVE_UP + fault.message) from None
    walk.document["spec"].pop("suspend", None)
    walk.spec.pop("suspend", None)
    for node, found in zip(active, filled, strict=True):
        if found is not None:
            walk.ledger.change(node, outputs=found)
        walk.ledger.mark(node, phases.SUCCEEDED)
    start.walk_again(walk)


def set_node(walk: Walk, event: events.SetRequested) -> None:
    """Set phase, message or outputs of the suspend nodes that the selector names. Raises Refused with Argo's message."""
    selector = selectors.node_field_selector(event.node_field_selector)
    chosen = [
        node for node in walk.run.nodes.values() if phases.is_suspended(node) and selectors.node_matches(selector, node)
    ]
    if not chosen or not (event.phase or event.message or event.output_parameters):
        raise Refused(INTERNAL, f"currently, set only targets suspend nodes: no suspend nodes matching nodeFieldSelector: "
                      f"{event.node_field_selector}")  # fmt: skip
    for node in chosen:
        if event.output_parameters:
            given = _with_values(node.get("outputs"), event.output_parameters)
            walk.ledger.change(node, outputs=given)
            mine = [parameter for parameter in given["parameters"] if parameter["name"] in event.output_parameters]
            outputs.publish(walk, {"parameters": mine})
        if event.message:
            walk.ledger.change(node, message=event.message)
        if event.phase:
            walk.ledger.mark(node, event.phase)
        walk.visit_ancestors(node["id"])


def _with_values(declared: Json | None, values: dict[str, str]) -> Json:
    if not declared:
        raise Refused(INTERNAL, "cannot set output parameters because node is not expecting any raw parameters")
    parameters = [dict(parameter) for parameter in declared.get("parameters") or ()]
    for name, value in values.items():
        parameter = next((candidate for candidate in parameters if candidate["name"] == name), None)
        if parameter is None:
            raise Refused(INTERNAL, f"node is not expecting output parameter '{name}'")
        if (parameter.get("valueFrom") or {}).get("supplied") is None:
            raise Refused(
                INTERNAL,
                f"cannot set output parameter '{name}' because it does not use valueFrom.raw or it was already set",
            )
        parameter["value"] = value
        del parameter["valueFrom"]
    return {**declared, "parameters": parameters}
