"""When a finished pod may be forgotten (spec.podGC). Without a strategy pods stay as long as their run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases, selectors
from hera_utils.interpreter import new_nodes
from hera_utils.interpreter.commands import DeletePod
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.walk import Walk


def pod_ended(walk: Walk, node: Json, labels: dict[str, str]) -> None:
    """A pod is over. labels: its template's, which podGC's selector may ask for."""
    collect = walk.spec.get("podGC") or {}
    strategy = collect.get("strategy")
    succeeded = node["phase"] == phases.SUCCEEDED
    if strategy != "OnPodCompletion" and not (strategy == "OnPodSuccess" and succeeded):
        return
    if selectors.label_selector_of(collect.get("labelSelector")).matches(labels):
        walk.say(DeletePod(new_nodes.pod_name(walk, node)))


def run_ended(walk: Walk) -> None:
    """The workflow is over."""
    strategy = (walk.spec.get("podGC") or {}).get("strategy")
    succeeded = walk.run.phase == phases.SUCCEEDED
    if strategy == "OnWorkflowCompletion" or (strategy == "OnWorkflowSuccess" and succeeded):
        for node in walk.run.nodes.values():
            if node["type"] == "Pod":
                walk.say(DeletePod(new_nodes.pod_name(walk, node)))
