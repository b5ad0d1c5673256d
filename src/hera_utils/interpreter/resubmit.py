"""A new workflow from an old one (Argo: FormulateResubmitWorkflow).

Memoized: nodes that succeeded in the old workflow do not run again. Their pods become skipped nodes of the new one, with the old outputs;
the groups above them are pending. Suspend nodes wait again, with the outputs that users have set. Other nodes are left out, and the new
run opens them (Argo keeps pending nodes, with the same effect).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from hera_utils.argo import names, timestamps
from hera_utils.argo.annotations import RAN
from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.errors import Refused
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
_GROUPS = frozenset({"DAG", "Steps", "StepGroup", "TaskGroup", "Retry"})


def resubmit(document: Json, *, at: float, seed: str, memoized: bool = False, parameters: Sequence[str] = ()) -> Json:
    """The workflow to create; the old one does not change.

    at: now, seconds since the epoch. seed: random text for the name of a memoized one. parameters: `NAME=VALUE`.
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
    if spec.get("activeDeadlineSeconds") == 0:  # earlier versions of Argo terminated workflows in this way
        del spec["activeDeadlineSeconds"]
    if parameters:
        spec["arguments"] = with_parameters(spec.get("arguments"), parameters)
    new: Json = {"metadata": metadata, "spec": spec, "status": {"startedAt": None, "finishedAt": None}}
    if memoized:
        new["status"] = {**new["status"], **_memoized_status(old["name"], metadata["name"], status, at)}
    return new


def _ids_of(workflow: str, renamed: dict[str, str]) -> dict[str, str]:
    """Old id → new id of each node, by its new name. If two names have the same hash, the second gets another id, as in the ledger."""
    ids: dict[str, str] = {}
    new_ids: set[str] = set()
    for old, name in renamed.items():
        new, again = names.node_id(workflow, name), 0
        while new in new_ids:
            again += 1
            new = names.node_id(workflow, f"{name}#{again}")
        new_ids.add(new)
        ids[old] = new
    return ids


def _memoized_status(old_name: str, new_name: str, status: Json, at: float) -> Json:
    nodes: dict[str, Json] = status.get("nodes") or {}
    renamed = {node_id: _rename(node["name"], old_name, new_name) for node_id, node in nodes.items()}
    ids = _ids_of(new_name, renamed)
    stamp = timestamps.text(at)
    memoized: dict[str, Json] = {}
    for node_id, node in nodes.items():
        memo = _memoized_node(node, stamp)
        if memo is None or node["name"].startswith(f"{old_name}.onExit"):
            continue
        memo["id"], memo["name"] = ids[node_id], renamed[node_id]
        if node.get("boundaryID"):
            memo["boundaryID"] = ids.get(node["boundaryID"], "")
        memoized[memo["id"]] = memo
    for node in memoized.values():
        for field in ("children", "outboundNodes"):
            linked = [ids[linked_id] for linked_id in node.pop(field, ()) if ids.get(linked_id) in memoized]
            if linked:
                node[field] = linked
    carried: Json = {"nodes": memoized, "conditions": [{"type": "Completed", "status": "False"}]}
    if status.get("storedTemplates"):
        carried["storedTemplates"] = copy.deepcopy(status["storedTemplates"])
    return carried


def _memoized_node(node: Json, stamp: str) -> Json | None:
    """The node of the new workflow, with its old id and name; None if it has to run again."""
    failed = node.get("phase") in _FAILED
    again = {"startedAt": stamp, "finishedAt": stamp}
    if node["type"] == "Pod" and not failed:
        was = {"phase": "Skipped", "type": "Skipped", "message": f"original pod: {node['id']}"}
        return {**{key: copy.deepcopy(value) for key, value in node.items() if key != RAN}, **again, **was}
    if node["type"] in _GROUPS or (node["type"] == "Suspend" and not node.get("nodeFlag")):
        copied = {**copy.deepcopy(node), **again, "phase": "Pending"}
        copied.pop("message", None)
        return copied
    return None


def _rename(name: str, old: str, new: str) -> str:
    return new + name[len(old) :] if name.startswith(old) else name
