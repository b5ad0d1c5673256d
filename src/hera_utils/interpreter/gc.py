"""Removes the pods of a run (podGC), the claims that it created (volumeClaimGC), and the run itself (ttlStrategy). Its artifacts
(artifactGC) are removed by the platform; here only the status says so.

Without a strategy, the run stays, and with it its pods and, if it failed, its claims.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import new_nodes
from hera_utils.interpreter.commands import DeleteObject, DeletePod
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context


def run_begins(context: Context) -> None:
    """Whether artifacts of the workflow are to be removed, as the templates say that it has or can call."""
    default = (context.spec.get("artifactGC") or {}).get("strategy")
    stored = context.document["status"].get("storedTemplates") or {}
    strategies = {
        (artifact.get("artifactGC") or {}).get("strategy") or default
        for template in (*(context.spec.get("templates") or ()), *stored.values())
        for artifact in (template.get("outputs") or {}).get("artifacts") or ()
    }
    removes = bool(strategies - {None, "", "Never"})
    context.document["status"]["artifactGCStatus"] = {} if removes else {"notSpecified": True}


def pod_ended(context: Context, node: Json) -> None:
    """Remove the pod of a node that has ended if podGC says so."""
    collect = context.spec.get("podGC") or {}
    strategy = collect.get("strategy")
    succeeded = node["phase"] == phases.SUCCEEDED
    if strategy == "OnPodCompletion" or (strategy == "OnPodSuccess" and succeeded):
        context.say(DeletePod(new_nodes.pod_name(context, node), collect.get("labelSelector")))


def run_ended(context: Context) -> None:
    """The workflow is over: remove its claims and pods as its strategies say."""
    _delete_claims(context)
    _delete_pods(context)
    artifacts = context.document["status"].get("artifactGCStatus")
    if artifacts is not None and not artifacts.get("notSpecified"):
        artifacts["strategiesProcessed"] = {"OnWorkflowCompletion": True}


def _delete_pods(context: Context) -> None:
    collect = context.spec.get("podGC") or {}
    strategy = collect.get("strategy")
    succeeded = context.run.phase == phases.SUCCEEDED
    if strategy == "OnWorkflowCompletion" or (strategy == "OnWorkflowSuccess" and succeeded):
        for node in context.run.nodes.values():
            if node["type"] == "Pod":
                context.say(DeletePod(new_nodes.pod_name(context, node), collect.get("labelSelector")))


def _delete_claims(context: Context) -> None:
    """Claims of volumeClaimTemplates are deleted when the workflow succeeded, or always if volumeClaimGC says so."""
    status = context.document["status"]
    strategy = (context.spec.get("volumeClaimGC") or {}).get("strategy") or "OnWorkflowSuccess"
    if strategy == "OnWorkflowSuccess" and status["phase"] != phases.SUCCEEDED:
        return
    for volume in status.pop("persistentVolumeClaims", None) or ():
        context.say(DeleteObject("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))


def seconds_to_live(spec: Json, phase: str) -> float | None:
    """Seconds after its end when a run is deleted (ttlStrategy); None: never."""
    strategy = spec.get("ttlStrategy") or {}
    field = "secondsAfterSuccess" if phase == phases.SUCCEEDED else "secondsAfterFailure"
    value = strategy.get(field)
    value = strategy.get("secondsAfterCompletion") if value is None else value
    return None if value is None else float(value)
