"""artifactGC: which artifacts are deleted when a run ends, and which when it is deleted itself. Pure.

Source: Argo's docs/walk-through/artifacts.md and artifact_gc.go: an artifact's own strategy counts before its template's or its
workflow's; what was collected is marked `deleted` in its node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hera_utils.local_platform.artifacts.locations import archive_of, spec_of
from hera_utils.local_platform.pods.pod.artifact_keys import key_of

Json = dict[str, Any]
CONDITION = "ArtifactGCError"
COMPLETION, DELETION = "OnWorkflowCompletion", "OnWorkflowDeletion"


def keeps_artifacts(document: Json) -> bool:
    """Whether a workflow says that its artifacts outlive it."""
    return ((document.get("spec") or {}).get("artifactGC") or {}).get("strategy") == "Never"


def collectable(document: Json, strategy: str) -> Iterator[tuple[str, Json, Json | None]]:
    """(node id, artifact, archive location) of each stored output artifact that the strategy collects and that is not deleted yet."""
    status: Json = document.get("status") or {}
    spec = spec_of(document)
    whole = str((spec.get("artifactGC") or {}).get("strategy") or "")
    templates = {template.get("name"): template for template in spec.get("templates") or ()}
    for node_id, node in (status.get("nodes") or {}).items():
        if node.get("type") != "Pod":
            continue
        declared = (templates.get(node.get("templateName")) or {}).get("outputs") or {}
        own = {one.get("name"): one.get("artifactGC") for one in declared.get("artifacts") or ()}
        for artifact in (node.get("outputs") or {}).get("artifacts") or ():
            chosen = artifact.get("artifactGC") or own.get(artifact.get("name")) or {}
            if (chosen.get("strategy") or whole) == strategy and key_of(artifact) and not artifact.get("deleted"):
                yield node_id, artifact, archive_of(document, str(node.get("templateName") or ""))


def note(document: Json, outcome: dict[tuple[str, str], str], strategy: str) -> tuple[list[str], str]:
    """Enter what became of artifacts: (node id, name) → what was wrong, "" for gone. Returns the nodes and the event's text, if any."""
    changed, problems = [], []
    nodes = (document.get("status") or {}).get("nodes") or {}
    for (node_id, name), problem in outcome.items():
        for artifact in ((nodes.get(node_id) or {}).get("outputs") or {}).get("artifacts") or ():
            if artifact.get("name") == name:
                artifact["deleted"] = not problem
                changed.append(node_id)
        if problem:
            problems.append(f"{problem} (artifact: {name})")
    if not problems:
        return changed, ""
    status = document["status"]
    kept_conditions = [one for one in status.get("conditions") or () if one.get("type") != CONDITION]
    condition = {"type": CONDITION, "status": "True", "message": problems[-1]}
    status["conditions"] = [*kept_conditions, condition]
    return changed, f"Artifact Garbage Collection failed for strategy {strategy}, err:{problems[0]}"
