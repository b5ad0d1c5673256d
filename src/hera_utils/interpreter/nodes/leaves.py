"""Leaves: pods of every kind, agents' tasks (http, plugin) and suspend nodes. They open and then wait for an event."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from hera_utils.argo import phases, timestamps
from hera_utils.interpreter import limits, new_nodes, pods, progress
from hera_utils.interpreter.commands import LaunchPod
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.frames import Frame
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import text_of

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context


def open_pod(context: Context, frame: Frame, node: Json | None) -> None:
    """Launch a pod: the node is Pending until the pod runs."""
    if node is None:
        node = new_nodes.new_node(context, frame, "Pod", phases.PENDING)
    if frame.fresh:
        _launch(context, frame, node)


def open_agent_task(context: Context, frame: Frame, node: Json | None) -> None:
    """Start a task for an agent: http (there is no agent for plugin)."""
    kind = "HTTP" if frame.template.get("http") is not None else "Plugin"
    if node is None:
        node = new_nodes.new_node(context, frame, kind, phases.PENDING)
    if frame.fresh:
        if kind == "Plugin":
            raise Fault("plugin templates are not supported")
        _launch(context, frame, node)


def _launch(context: Context, frame: Frame, node: Json) -> None:
    if not limits.may_run(context, frame.on_exit):
        message = f"workflow shutdown with strategy: {limits.shutdown(context)}"
        context.ledger.mark(node, phases.FAILED, message)
        return
    if limits.is_deadline_passed(context) and not frame.on_exit:
        context.ledger.mark(node, phases.FAILED, "Step exceeded its deadline")
        return
    if node["type"] == "Pod" and not frame.on_exit and 0 < limits.workflow_deadline(context) < context.ledger.now + 1:
        return  # Argo creates no pod for less than a second; the node ends at the workflow's deadline
    limits.check_pending(context, frame.template, node)
    pod = pods.build(context, frame)
    context.ledger.change(node, progress=progress.initial_progress(pod["metadata"]))
    pods.open_containers(context, frame, node)
    included = pods.is_result_referenced(context, frame)
    template = pods.executor_template(context, frame, str(pod["metadata"]["name"]))
    context.say(LaunchPod(frame.node_id, pod, template, included))


def open_suspend(context: Context, frame: Frame, node: Json | None) -> None:
    """Suspend: the node runs until a user resumes it or its duration is over."""
    ledger = context.ledger
    if node is None:
        node = new_nodes.new_node(context, frame, "Suspend", phases.PENDING)
    if frame.fresh:
        outputs = _outputs_to_supply(frame.template)
        if outputs:
            ledger.change(node, outputs={"parameters": outputs})
        if node.get("inputs"):
            ledger.change(node, inputs=_with_choices(node["inputs"]))
    if frame.fresh or node["phase"] == phases.PENDING:  # a node of a memoized resubmission has its outputs already
        ledger.mark(node, phases.RUNNING)
        if reason := limits.reason_to_end(context, frame.on_exit):
            ledger.mark(node, phases.FAILED, reason)
            return
    wait = (frame.template.get("suspend") or {}).get("duration")
    if wait:
        context.timer(
            f"suspend:{frame.node_id}", timestamps.seconds(node["startedAt"]) + limits.duration(text_of(wait))
        )


def resume_suspended(context: Context, frame: Frame) -> None:
    """The duration of a suspend node is over (Argo: auto resuming)."""
    node = context.ledger.nodes[frame.node_id]
    wait = limits.duration(text_of(frame.template["suspend"].get("duration", "")))
    if node["phase"] != phases.RUNNING or context.ledger.now < timestamps.seconds(node["startedAt"]) + wait:
        return
    outputs = with_defaults(node.get("outputs"))
    if outputs is not None:
        context.ledger.change(node, outputs=outputs)
    context.ledger.mark(node, phases.SUCCEEDED)


def with_defaults(outputs: Json | None) -> Json | None:
    """The outputs that a user should have supplied, with their defaults. Raises Fault if one has no default."""
    if not outputs:
        return outputs
    filled = []
    for parameter in outputs.get("parameters") or ():
        source = parameter.get("valueFrom") or {}
        if source.get("supplied") is not None:
            if source.get("default") is None:
                raise Fault(
                    f"raw output parameter '{parameter['name']}' has not been set and does not have a default value"
                )
            parameter = {key: value for key, value in parameter.items() if key != "valueFrom"}
            parameter["value"] = text_of(source["default"])
        filled.append(parameter)
    return {**outputs, "parameters": filled}


def _outputs_to_supply(template: Json) -> list[Json]:
    """The outputs that a user will supply; their default may be the input of the same name."""
    inputs = {p["name"]: p for p in (template.get("inputs") or {}).get("parameters") or ()}
    supplied = []
    for parameter in (template.get("outputs") or {}).get("parameters") or ():
        source = parameter.get("valueFrom") or {}
        if source.get("supplied") is None:
            continue
        default = inputs.get(parameter["name"], {}).get("default")
        if source.get("default") is None and default is not None:
            parameter = {**parameter, "valueFrom": {**source, "default": default}}
        supplied.append(parameter)
    return supplied


def _with_choices(inputs: Json) -> Json:
    """The inputs; if the value of one is JSON with an `enum`, the input gets these choices, as in Argo."""
    parameters = []
    for parameter in inputs.get("parameters") or ():
        try:
            offered = json.loads(text_of(parameter.get("value")))
        except ValueError:
            offered = None
        choices = offered.get("enum") if isinstance(offered, dict) else None
        if isinstance(choices, list) and choices:
            parameter = {"default": text_of(choices[0]), **parameter, "enum": [text_of(choice) for choice in choices]}
        parameters.append(parameter)
    return {**inputs, "parameters": parameters}


OPENERS: dict[str, Callable[[Context, Frame, Json | None], None]] = {
    "container": open_pod,
    "containerSet": open_pod,
    "script": open_pod,
    "resource": open_pod,
    "data": open_pod,
    "http": open_agent_task,
    "plugin": open_agent_task,
    "suspend": open_suspend,
}
