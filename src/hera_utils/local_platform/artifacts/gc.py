"""artifactGC: which artifacts are deleted when a run ends, and which when the run is deleted. Pure.

Source: Argo's docs/walk-through/artifacts.md and artifact_gc.go: an artifact's own strategy has precedence over its template's and its
workflow's; a deleted artifact is marked `deleted` in its node.
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
    """Whether a workflow's artifacts stay after its deletion."""
    return ((document.get("spec") or {}).get("artifactGC") or {}).get("strategy") == "Never"


def collectable(document: Json, strategy: str) -> Iterator[tuple[str, Json, Json | None]]:
    """(node id, artifact, archive location) of each stored output artifact that the strategy deletes and that is not deleted yet."""
    status: Json = document.get("status") or {}
    spec = spec_of(document)
    whole = str((spec.get("artifactGC") or {}).get("strategy") or "")
    templates = {template.get("name"): template for template in spec.get("templates") or ()}
    for node_id, node in (status.get("nodes") or {}).items():
        if node.get("type") != "Pod":
            continue
        declared = (templates.get(node.get("templateName")) or {}).get("outputs") or {}
        own = {artifact.get("name"): artifact.get("artifactGC") for artifact in declared.get("artifacts") or ()}
        for artifact in (node.get("outputs") or {}).get("artifacts") or ():
            chosen = artifact.get("artifactGC") or own.get(artifact.get("name")) or {}
            if (chosen.get("strategy") or whole) == strategy and key_of(artifact) and not artifact.get("deleted"):
                yield node_id, artifact, archive_of(document, str(node.get("templateName") or ""))


def note(document: Json, outcome: dict[tuple[str, str], str], strategy: str) -> tuple[list[str], str]:
    """Record the outcome in the document. outcome: (node id, artifact) → the error, "" for a deleted artifact.

    Returns the ids of the changed nodes, and the message of the warning event ("" without errors).
    """
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
    kept_conditions = [other for other in status.get("conditions") or () if other.get("type") != CONDITION]
    condition = {"type": CONDITION, "status": "True", "message": problems[-1]}
    status["conditions"] = [*kept_conditions, condition]
    return changed, f"Artifact Garbage Collection failed for strategy {strategy}, err:{problems[0]}"
