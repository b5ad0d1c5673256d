"""How a run ends: its phase, message and times, what is cleaned up (Argo: markWorkflowPhase, deletePVCs)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import names, phases, timestamps
from hera_utils.interpreter import killed, limits, locks, metrics, podgc
from hera_utils.interpreter.commands import DeleteObject, Finish, Warn
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import go_json, plain_json

if TYPE_CHECKING:
    from hera_utils.interpreter.walk import Walk

_PHASE_LABEL = "workflows.argoproj.io/phase"
_COMPLETED_LABEL = "workflows.argoproj.io/completed"


def conclude(walk: Walk, node: Json, handler: Json | None) -> None:
    """The entry node and the exit handler are over. What is left of the run are pods that were killed and have not told their end."""
    if killed.awaited(walk.run):
        return
    phase = phases.WORKFLOW_PHASES[node["phase"]]
    message = node.get("message") or ""
    if phases.unsuccessful(node) and limits.shutdown(walk):
        message = f"Stopped with strategy '{limits.shutdown(walk)}'"
    if phase == phases.SUCCEEDED:
        message = ""
        if handler is not None and phases.unsuccessful(handler):
            phase, message = handler["phase"], handler.get("message") or ""
    close(walk, phase, message)


def fail(walk: Walk, message: str) -> None:
    """The run cannot go on (Argo: markWorkflowError)."""
    close(walk, phases.ERROR, message)


def set_phase(walk: Walk, phase: str, message: str = "") -> None:
    """The phase that users see, with its label."""
    status = walk.document["status"]
    labels = walk.document["metadata"].setdefault("labels", {})
    if status.get("phase") != phase:
        status["phase"] = phase
        labels[_PHASE_LABEL] = phase
        labels.setdefault(_COMPLETED_LABEL, "false")
        _tell(walk, phase, message)
    if not status.get("startedAt") and phase != phases.PENDING:
        status["startedAt"] = timestamps.text(walk.ledger.now)
    if message:
        status["message"] = message
    else:
        status.pop("message", None)


def _tell(walk: Walk, phase: str, message: str) -> None:
    """The Kubernetes event of a new phase."""
    if phase == phases.RUNNING:
        walk.say(Warn("WorkflowRunning", "Workflow Running", "Normal"))
    elif phase == phases.SUCCEEDED:
        walk.say(Warn("WorkflowSucceeded", "Workflow completed", "Normal"))
    elif phase in phases.UNSUCCESSFUL:
        walk.say(Warn("WorkflowFailed", message, "Warning"))


def close(walk: Walk, phase: str, message: str) -> None:
    walk.kill_daemons(None)
    set_phase(walk, phase, message)
    status = walk.document["status"]
    if phase == phases.ERROR:
        entry = walk.ledger.node_named(walk.run.name)
        if entry is not None and entry["phase"] == phases.RUNNING:
            walk.ledger.change(entry, phase=phases.ERROR, message="Workflow operation error")
    status["finishedAt"] = timestamps.text(walk.ledger.now)
    walk.document["metadata"]["labels"][_COMPLETED_LABEL] = "true"
    conditions = [one for one in status.get("conditions") or () if one.get("type") != "Completed"]
    status["conditions"] = [*conditions, {"type": "Completed", "status": "True"}]
    duration_variable(walk)
    walk.frames.clear()
    walk.waiting.clear()
    walk.held.clear()
    killed.forget(walk.run)
    walk.variables["workflow.status"] = phase
    metrics.of_workflow(walk, ended=True)
    locks.release_all(walk)
    _delete_claims(walk)
    podgc.run_ended(walk)
    walk.say(Finish(_delete_after(walk, phase)))


def duration_variable(walk: Walk) -> None:
    """`workflow.duration`, as Go's %f of seconds."""
    status = walk.document["status"]
    started = timestamps.seconds(status.get("startedAt"))
    ended = timestamps.seconds(status.get("finishedAt")) or walk.ledger.now
    walk.variables["workflow.duration"] = f"{max(ended - started, 0.0) if started else 0.0:.6f}"


def failures(walk: Walk) -> str:
    """`workflow.failures`: the failed nodes as JSON text that is quoted once more (Argo: strconv.Quote)."""
    messages = []
    for node in walk.run.nodes.values():
        if phases.unsuccessful(node):
            template = node.get("templateName") or (node.get("templateRef") or {}).get("template") or ""
            fields = {
                "displayName": node["displayName"], "message": node.get("message") or "", "templateName": template,
                "phase": node["phase"], "podName": names.pod_name(walk.run.name, node["name"], template, node["id"]),
                "finishedAt": node.get("finishedAt"),
            }  # fmt: skip
            messages.append("{" + ",".join(f'"{key}":{go_json(value)}' for key, value in fields.items()) + "}")
    text = "[" + ",".join(messages) + "]" if messages else "null"
    return plain_json(text)


def _delete_claims(walk: Walk) -> None:
    """Claims of volumeClaimTemplates go when the workflow succeeded, or always when volumeClaimGC says so."""
    status = walk.document["status"]
    strategy = (walk.spec.get("volumeClaimGC") or {}).get("strategy") or "OnWorkflowSuccess"
    if strategy == "OnWorkflowSuccess" and status["phase"] != phases.SUCCEEDED:
        return
    for volume in status.pop("persistentVolumeClaims", None) or ():
        walk.say(DeleteObject("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))


def _delete_after(walk: Walk, phase: str) -> float | None:
    """Seconds after the end when ttlStrategy lets the run be deleted; None: never."""
    strategy = walk.spec.get("ttlStrategy") or {}
    field = "secondsAfterSuccess" if phase == phases.SUCCEEDED else "secondsAfterFailure"
    value = strategy.get(field)
    value = strategy.get("secondsAfterCompletion") if value is None else value
    return None if value is None else float(value)
