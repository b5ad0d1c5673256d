"""How long a workflow and its nodes will probably take: as the last one of its kind that succeeded (Argo: estimatedDuration)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.interpreter.submission import CRON_LABEL, TEMPLATE_LABELS
from hera_utils.local_platform.storage.read_model import ReadModel

Json = dict[str, Any]


def expected_durations(read_model: ReadModel, namespace: str, document: Json) -> dict[str, int]:
    """Seconds by a node's name without that of its workflow, and `workflow` for the whole; only those of at least one second.

    {} without a query for a workflow that comes from no stored template and no cron workflow.
    """
    for label, value in _origins(document):
        rows = read_model.rows("last_succeeded", namespace, f'"{label}"', f'$.labels."{label}"', value)
        stored = read_model.workflow(rows[0][0]) if rows else None
        return _durations_of(json.loads(stored.text)) if stored is not None else {}
    return {}


def _origins(document: Json) -> Iterable[tuple[str, str]]:
    reference = document["spec"].get("workflowTemplateRef") or {}
    if reference.get("name"):
        kind = "ClusterWorkflowTemplate" if reference.get("clusterScope") else "WorkflowTemplate"
        yield TEMPLATE_LABELS[kind], reference["name"]
    labels = document["metadata"].get("labels") or {}
    yield from ((label, labels[label]) for label in (*TEMPLATE_LABELS.values(), CRON_LABEL) if labels.get(label))


def _durations_of(earlier: Json) -> dict[str, int]:
    start, status = len(earlier["metadata"]["name"]), earlier["status"]
    parts = {"workflow": status} | {node["name"][start:]: node for node in (status.get("nodes") or {}).values()}
    found = {name: _seconds(part) for name, part in parts.items()}
    return {name: seconds for name, seconds in found.items() if seconds > 0}


def _seconds(part: Json) -> int:
    return int(timestamps.seconds(part.get("finishedAt")) - timestamps.seconds(part.get("startedAt")))
