"""A new workflow from an old one (Argo: FormulateResubmitWorkflow).

Memoized: what succeeded in the old one is not run again. Its pods stand in the new one as skipped nodes with the old outputs; the
nodes above them are pending.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from hera_utils.argo import names
from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.errors import Refused
from hera_utils.interpreter import instants
from hera_utils.interpreter.submission import with_parameters

Json = dict[str, Any]

PREVIOUS_NAME = "workflows.argoproj.io/resubmitted-from-workflow"
_LEFT_BEHIND = frozenset(
    f"workflows.argoproj.io/{name}"
    for name in (
        "creator", "creator-email", "creator-preferred-username", "phase", "completed", "workflow-archiving-status",
    )
)  # fmt: skip
_FAILED = ("Failed", "Error")


def resubmit(document: Json, *, at: float, seed: str, memoized: bool = False, parameters: Sequence[str] = ()) -> Json:
    """The workflow to create; the old one is left alone.

    at: now, seconds since the epoch. seed: random text, from which the name of a memoized one is drawn. parameters: `NAME=VALUE`.
    Raises Refused with Argo's message.
    """
    old = document["metadata"]
    status: Json = document.get("status") or {}
    metadata: Json = {"generateName": old.get("generateName") or f"{old['name']}-"}
    if memoized:
        if status.get("phase") not in _FAILED:
            raise Refused(INVALID_ARGUMENT, "workflow must be Failed/Error to resubmit in memoized mode")
        metadata["name"] = metadata["generateName"] + names.random_suffix(seed)
    labels = {key: value for key, value in (old.get("labels") or {}).items() if key not in _LEFT_BEHIND}
    metadata["labels"] = {**labels, PREVIOUS_NAME: old["name"]}
    if old.get("namespace"):
        metadata["namespace"] = old["namespace"]
    for field in ("annotations", "ownerReferences"):
        if old.get(field):
            metadata[field] = copy.deepcopy(old[field])
    spec = copy.deepcopy(document["spec"])
    spec.pop("shutdown", None)
    if spec.get("activeDeadlineSeconds") == 0:  # Argo: so were workflows once terminated
        del spec["activeDeadlineSeconds"]
    if parameters:
        spec["arguments"] = with_parameters(spec.get("arguments"), parameters)
    new: Json = {"metadata": metadata, "spec": spec, "status": {"startedAt": None, "finishedAt": None}}
    if memoized:
        new["status"] = {**new["status"], **_memoized(old["name"], metadata["name"], status, at)}
    return new


def _memoized(old_name: str, new_name: str, status: Json, at: float) -> Json:
    nodes: dict[str, Json] = status.get("nodes") or {}
    renamed = {node_id: _renamed(node["name"], old_name, new_name) for node_id, node in nodes.items()}
    ids = {node_id: names.node_id(new_name, name) for node_id, name in renamed.items()}
    succeeded: dict[str, bool] = {}
    stamp = instants.text(at)
    found: dict[str, Json] = {}
    for node_id, node in nodes.items():
        if node["name"].startswith(f"{old_name}.onExit"):
            continue
        failed = node.get("phase") in _FAILED
        if node["type"] == "Skipped" and not _success_below(node_id, nodes, succeeded):
            continue
        new = copy.deepcopy(node)
        new["id"], new["name"] = ids[node_id], renamed[node_id]
        if node.get("boundaryID"):
            new["boundaryID"] = ids.get(node["boundaryID"], "")
        for field in ("children", "outboundNodes"):
            if node.get(field):
                new[field] = [ids[one] for one in node[field] if one in ids]
        new["startedAt"] = new["finishedAt"] = None if failed and node["type"] == "Pod" else stamp
        if not failed and node["type"] == "Pod":
            new.update(phase="Skipped", type="Skipped", message=f"original pod: {node_id}")
        else:
            new["phase"] = "Pending"
            new.pop("message", None)
        found[new["id"]] = new
    carried: Json = {"nodes": found, "conditions": [{"type": "Completed", "status": "False"}]}
    if status.get("storedTemplates"):
        carried["storedTemplates"] = copy.deepcopy(status["storedTemplates"])
    return carried


def _renamed(name: str, old: str, new: str) -> str:
    return new + name[len(old) :] if name.startswith(old) else name


def _success_below(start: str, nodes: dict[str, Json], known: dict[str, bool]) -> bool:
    """Whether a node below it has succeeded. Each node is asked once."""
    stack = [start]
    while stack:
        current = stack[-1]
        children = [child for child in nodes[current].get("children") or () if child in nodes]
        waiting = next((child for child in children if child not in known and child not in stack), None)
        if waiting is not None and not any(nodes[child].get("phase") == "Succeeded" for child in children):
            stack.append(waiting)
            continue
        known[current] = any(nodes[c].get("phase") == "Succeeded" or known.get(c, False) for c in children)
        stack.pop()
    return known[start]
