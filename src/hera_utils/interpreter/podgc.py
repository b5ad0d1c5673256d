"""When a finished pod may be forgotten (spec.podGC). Without a strategy pods stay as long as their run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases, selectors
from hera_utils.interpreter import new_nodes
from hera_utils.interpreter.commands import DeletePod
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context


def pod_ended(context: Context, node: Json, labels: dict[str, str]) -> None:
    """A pod is over. labels: its template's, which podGC's selector may ask for."""
    collect = context.spec.get("podGC") or {}
    strategy = collect.get("strategy")
    succeeded = node["phase"] == phases.SUCCEEDED
    if strategy != "OnPodCompletion" and not (strategy == "OnPodSuccess" and succeeded):
        return
    if selectors.label_selector_of(collect.get("labelSelector")).matches(labels):
        context.say(DeletePod(new_nodes.pod_name(context, node)))


def run_ended(context: Context) -> None:
    """The workflow is over."""
    strategy = (context.spec.get("podGC") or {}).get("strategy")
    succeeded = context.run.phase == phases.SUCCEEDED
    if strategy == "OnWorkflowCompletion" or (strategy == "OnWorkflowSuccess" and succeeded):
        for node in context.run.nodes.values():
            if node["type"] == "Pod":
                context.say(DeletePod(new_nodes.pod_name(context, node)))
