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
COMPLETION, DELETION, NEVER = "OnWorkflowCompletion", "OnWorkflowDeletion", "Never"


def keys_to_remove(document: Json, name: str) -> list[str]:
    """The keys of the platform's own store that are removed with a deleted run: its folder of default keys, because nothing refers to
    them any more. If an artifact is kept (Never), the other artifacts of that folder one by one.
    """
    stored = list(_stored_artifacts(document))
    if _strategy(spec_of(document)) != NEVER and all(strategy != NEVER for *_, strategy in stored):
        return [name]
    keys = [str(key_of(artifact)) for _, artifact, strategy in stored if strategy != NEVER]
    return [key for key in keys if key.startswith(f"{name}/")]


def artifacts_to_collect(document: Json, strategy: str) -> Iterator[tuple[str, Json, Json | None]]:
    """(node id, artifact, archive location) of each stored output artifact that the strategy deletes and that is not deleted yet."""
    for node, artifact, its_strategy in _stored_artifacts(document):
        if its_strategy == strategy and not artifact.get("deleted"):
            yield node["id"], artifact, archive_of(document, str(node.get("templateName") or ""))


def _stored_artifacts(document: Json) -> Iterator[tuple[Json, Json, str]]:
    """(node, artifact, strategy) of each output artifact of a pod that is in a store."""
    spec = spec_of(document)
    default = _strategy(spec)
    templates = {template.get("name"): template for template in spec.get("templates") or ()}
    for node in ((document.get("status") or {}).get("nodes") or {}).values():
        if node.get("type") != "Pod":
            continue
        declared = (templates.get(node.get("templateName")) or {}).get("outputs") or {}
        own = {artifact.get("name"): artifact.get("artifactGC") for artifact in declared.get("artifacts") or ()}
        for artifact in (node.get("outputs") or {}).get("artifacts") or ():
            chosen = artifact.get("artifactGC") or own.get(artifact.get("name")) or {}
            if key_of(artifact):
                yield node, artifact, chosen.get("strategy") or default


def _strategy(spec: Json) -> str:
    return str((spec.get("artifactGC") or {}).get("strategy") or "")


def record_outcome(document: Json, outcome: dict[tuple[str, str], str], strategy: str) -> tuple[list[str], str]:
    """Record the outcome in the document. outcome: (node id, artifact) → the error, "" for a deleted artifact.

    Returns the ids of the changed nodes, and the message of the warning event ("" without errors).
    """
    changed, problems = [], []
    nodes = (document.get("status") or {}).get("nodes") or {}
    for (node_id, name), problem in outcome.items():
        outputs = (nodes.get(node_id) or {}).get("outputs") or {}
        if any(artifact.get("name") == name for artifact in outputs.get("artifacts") or ()):
            # others have the same object: the node of a retry those of its last attempt, a DAG those of its tasks
            artifacts = [
                {**artifact, "deleted": not problem} if artifact.get("name") == name else artifact
                for artifact in outputs["artifacts"]
            ]
            nodes[node_id]["outputs"] = {**outputs, "artifacts": artifacts}
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
