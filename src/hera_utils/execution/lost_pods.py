"""Finds pods that were lost while they ran, because their machine, server or processes were killed: they have no outcome. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hera_utils.argo.phases import UNSUCCESSFUL
from hera_utils.runs.point_status import entry_nodes
from hera_utils.runs.record import DONE, PointRow

Json = dict[str, Any]

LOST = "pod deleted"
"""The controller's message about a pod that was removed before it ended."""
_KILLED = "Error (exit code 137)"
"""The message about a container that was killed from outside; one that used too much memory has OOMKilled."""


def is_lost(message: str) -> bool:
    """Whether a failed pod's message says that it was lost: the pod was removed, or its process was killed just before its supervisor."""
    return message == LOST or message.rpartition(": ")[2] == _KILLED


def find_lost_points(document: Json, rows: Iterable[PointRow], statuses: Mapping[str, str]) -> set[str] | None:
    """The points of a failed workflow to compute again because some of their pods were lost; None if no pod was lost.

    If nothing else failed, these are all points that are not done: also those that did not begin, and all points of a unit.
    """
    nodes = _nodes(document)
    failed = [node for node in nodes.values() if node.get("type") == "Pod" and node.get("phase") in UNSUCCESSFUL]
    lost = [node for node in failed if is_lost(str(node.get("message") or ""))]
    if not lost:
        return None
    undone = {row.id: row for row in rows if statuses.get(row.id) != DONE}
    if len(lost) == len(failed):
        return set(undone)
    entries = {str(node["id"]): piece for piece, node in entry_nodes(document).items()}
    attempts = {
        str(child): str(node["id"])
        for node in nodes.values()
        if node.get("type") == "Retry"
        for child in node.get("children") or ()
    }
    pieces = {_entry(node, nodes, entries, attempts) for node in lost}
    return {row.id for row in undone.values() if pieces.intersection(row.tasks)}


def _entry(
    node: Json,
    nodes: Mapping[str, Json],
    entries: Mapping[str, tuple[str, int | None]],
    attempts: Mapping[str, str],
) -> tuple[str, int | None] | None:
    """The task of the entry template to which a node belongs."""
    place = str(node["id"])
    while place in nodes:
        place = attempts.get(place, place)
        if place in entries:
            return entries[place]
        place = str(nodes[place].get("boundaryID") or "")
    return None


def _nodes(document: Json) -> dict[str, Json]:
    return (document.get("status") or {}).get("nodes") or {}
