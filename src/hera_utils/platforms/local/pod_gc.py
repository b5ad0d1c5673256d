"""podGC: when the pods of a run go. Their logs stay with the run. Pure.

Source: Argo's docs/fields.md (PodGC) and workflow/controller/operator.go (podCleanUp): after the pod or after the workflow, always or
on success only, those that the label selector names; five seconds later unless deleteDelayDuration says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hera_utils.argo.durations import seconds_or_duration
from hera_utils.argo.selectors import LabelSelector, label_selector_of
from hera_utils.errors import HeraUtilsError

Json = dict[str, Any]
DELAY_SECONDS = 5.0
COLLECT_KEY = "hera-utils/collect/"
"""Timers that collect a pod are called so, with the pod's uid."""


@dataclass(frozen=True)
class PodGC:
    strategy: str
    selector: LabelSelector
    delay: float

    def after_pod(self, succeeded: bool, labels: dict[str, str]) -> bool:
        """Whether a pod goes because it ended."""
        if self.strategy == "OnPodCompletion" or (self.strategy == "OnPodSuccess" and succeeded):
            return self.selector.matches(labels)
        return False

    def after_workflow(self, succeeded: bool, labels: dict[str, str]) -> bool:
        """Whether a pod goes because its workflow ended."""
        if self.strategy == "OnWorkflowCompletion" or (self.strategy == "OnWorkflowSuccess" and succeeded):
            return self.selector.matches(labels)
        return False


def pod_gc_of(document: Json) -> PodGC | None:
    """What a workflow's spec (or that of its template) says of its pods; None: they stay."""
    stored = (document.get("status") or {}).get("storedWorkflowTemplateSpec") or {}
    found = (document.get("spec") or {}).get("podGC") or stored.get("podGC")
    if not found or not found.get("strategy"):
        return None
    delay = DELAY_SECONDS
    if found.get("deleteDelayDuration"):
        try:
            delay = seconds_or_duration(str(found["deleteDelayDuration"]))
        except (HeraUtilsError, ValueError):
            delay = DELAY_SECONDS
    return PodGC(str(found["strategy"]), label_selector_of(found.get("labelSelector")), delay)
