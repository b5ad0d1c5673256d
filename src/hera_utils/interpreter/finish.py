"""Ends a run: its phase, message and times (Argo: markWorkflowPhase). gc.py removes its objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import names, phases, timestamps
from hera_utils.interpreter import gc, killed, limits, lock_requests, metrics
from hera_utils.interpreter.close_node import kill_daemons
from hera_utils.interpreter.commands import EmitEvent, Finish, LaunchPod
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import go_json, plain_json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

_PHASE_LABEL = "workflows.argoproj.io/phase"
_COMPLETED_LABEL = "workflows.argoproj.io/completed"
_PODS = "PodRunning"


def conclude(context: Context, node: Json, handler: Json | None) -> None:
    """The entry node and the exit handler are over: close the run, unless killed pods have not ended yet."""
    if killed.is_awaiting_pods(context.run) or _has_running_pods(context):
        return
    killed.end_retries(context)
    ready = phases.is_fulfilled(node) and not phases.has_ended(node)  # a daemon, which ends now
    phase = phases.SUCCEEDED if ready else phases.WORKFLOW_PHASES[node["phase"]]
    message = node.get("message") or ""
    if phases.is_unsuccessful(node) and limits.shutdown(context):
        message = f"Stopped with strategy '{limits.shutdown(context)}'"
    if phase == phases.SUCCEEDED:
        message = ""
        if handler is not None and phases.is_unsuccessful(handler):
            phase, message = handler["phase"], handler.get("message") or ""
    close(context, phase, message)


def _has_running_pods(context: Context) -> bool:
    """Whether a pod still runs that a failed template left behind. Argo waits for its outputs (checkTaskResultsInProgress).

    Argo does not wait for a pod that has not started, nor for a daemon that is ready.
    """
    if not context.ledger.running_pods:
        return False
    running = (node for node in context.run.nodes.values() if node["type"] == "Pod" and node["phase"] == phases.RUNNING)
    return any(not pod.get("daemoned") for pod in running)


def fail(context: Context, message: str) -> None:
    """End a run that cannot continue as Error (Argo: markWorkflowError)."""
    close(context, phases.ERROR, message)


def set_phase(context: Context, phase: str, message: str = "") -> None:
    """Set the phase that users see, and its label."""
    status = context.document["status"]
    labels = context.document["metadata"].setdefault("labels", {})
    if status.get("phase") != phase:
        status["phase"] = phase
        labels[_PHASE_LABEL] = phase
        labels.setdefault(_COMPLETED_LABEL, "false")
        _emit_event(context, phase, message)
    if not status.get("startedAt") and phase != phases.PENDING:
        status["startedAt"] = timestamps.text(context.ledger.now)
    if message:
        status["message"] = message
    else:
        status.pop("message", None)


def _emit_event(context: Context, phase: str, message: str) -> None:
    """Emit the Kubernetes event of a new phase."""
    if phase == phases.RUNNING:
        context.say(EmitEvent("WorkflowRunning", "Workflow Running", "Normal"))
    elif phase == phases.SUCCEEDED:
        context.say(EmitEvent("WorkflowSucceeded", "Workflow completed", "Normal"))
    elif phase in phases.UNSUCCESSFUL:
        context.say(EmitEvent("WorkflowFailed", message, "Warning"))


def close(context: Context, phase: str, message: str) -> None:
    kill_daemons(context, None)
    set_phase(context, phase, message)
    status = context.document["status"]
    if phase == phases.ERROR:
        entry = context.ledger.node_named(context.run.name)
        if entry is not None and entry["phase"] == phases.RUNNING:
            context.ledger.change(entry, phase=phases.ERROR, message="Workflow operation error")
    status["finishedAt"] = timestamps.text(context.ledger.now)
    context.document["metadata"]["labels"][_COMPLETED_LABEL] = "true"
    conditions = [condition for condition in status.get("conditions") or () if condition.get("type") != "Completed"]
    status["conditions"] = [*conditions, {"type": "Completed", "status": "True"}]
    duration_variable(context)
    context.frames.clear()
    context.waiting.clear()
    context.held.clear()
    context.later.clear()
    killed.forget(context.run)
    context.variables["workflow.status"] = phase
    metrics.emit_workflow_metrics(context, ended=True)
    lock_requests.release_all(context)
    gc.run_ended(context)
    note_totals(context)
    context.say(Finish(gc.seconds_to_live(context.spec, phase)))


def note_totals(context: Context) -> None:
    """Set the workflow's progress, its use of resources, and the condition whether a pod runs."""
    whole = context.ledger.tally.whole
    context.document["status"]["progress"] = whole.text()
    context.document["status"].pop("resourcesDuration", None)
    if whole.usage:
        context.document["status"]["resourcesDuration"] = dict(whole.usage)
    if any(isinstance(command, LaunchPod) for command in context.commands):
        note_pods(context)
    else:
        _set_pods_condition(context)


def note_pods(context: Context) -> None:
    """The condition PodRunning, also of a run without pods. Argo sets it whenever it looks at a workflow, except for the first time."""
    conditions = context.document["status"].setdefault("conditions", [])
    if not any(condition["type"] == _PODS for condition in conditions):
        conditions.insert(0, {"type": _PODS, "status": "False"})
    _set_pods_condition(context)


def _set_pods_condition(context: Context) -> None:
    for condition in context.document["status"].get("conditions") or ():
        if condition["type"] == _PODS:
            condition["status"] = "True" if context.ledger.running_pods else "False"


def duration_variable(context: Context) -> None:
    """Set `workflow.duration`, the seconds in Go's format %f."""
    status = context.document["status"]
    started = timestamps.seconds(status.get("startedAt"))
    ended = timestamps.seconds(status.get("finishedAt")) or context.ledger.now
    context.variables["workflow.duration"] = f"{max(ended - started, 0.0) if started else 0.0:.6f}"


def failures(context: Context) -> str:
    """`workflow.failures`: the failed nodes as JSON, quoted once more as Argo does (strconv.Quote)."""
    messages = []
    for node in context.run.nodes.values():
        if phases.is_unsuccessful(node):
            template = node.get("templateName") or (node.get("templateRef") or {}).get("template") or ""
            fields = {
                "displayName": node["displayName"], "message": node.get("message") or "", "templateName": template,
                "phase": node["phase"], "podName": names.pod_name(context.run.name, node["name"], template, node["id"]),
                "finishedAt": node.get("finishedAt"),
            }  # fmt: skip
            messages.append("{" + ",".join(f'"{key}":{go_json(value)}' for key, value in fields.items()) + "}")
    text = "[" + ",".join(messages) + "]" if messages else "null"
    return plain_json(text)
