"""What the tasks of a run wait for, from its document alone: the same on this machine and on a cluster. Pure.

Pods that cannot start, and nodes that wait for a lock, say so in their nodes' messages (on this machine
`local_platform/pods/waiting.py` writes these sentences). A limit of parallelism leaves tasks without a node: this module writes
that sentence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]
_BEGINNINGS = frozenset({"", "ContainerCreating", "PodInitializing"})  # reasons that every pod has while it starts
_PLACE = re.compile(r"[;,] \d+ before it")
_ORDINARY = ("Insufficient cpu", "arallelism of ")


def waits(document: Json) -> dict[str, list[str]]:
    """A sentence → the names of the tasks that it is true of, the first of each first; none where they have no node yet."""
    nodes = list(((document.get("status") or {}).get("nodes") or {}).values())
    sentences: dict[str, list[str]] = {}
    for node in nodes:
        message = str(node.get("message") or "")
        if _may_wait(node, message) and message not in _BEGINNINGS:
            sentences.setdefault(_PLACE.sub("", message), []).append(str(node.get("displayName") or node["name"]))
    for sentence in _limits(document, nodes):
        sentences[sentence] = []
    return sentences


def is_starting(document: Json) -> bool:
    """Whether a pod of the run has its place and is about to run."""
    nodes = ((document.get("status") or {}).get("nodes") or {}).values()
    return any(
        node.get("type") == "Pod" and node.get("phase") == "Pending" and str(node.get("message") or "") in _BEGINNINGS
        for node in nodes
    )


def _may_wait(node: Json, message: str) -> bool:
    """Also a pod that runs may wait: for room on the disk. Then it says so, with what to do."""
    if node.get("phase") == "Running":
        return node.get("type") == "Pod" and ": " in message
    return node.get("phase") == "Pending"


def is_ordinary(sentence: str) -> bool:
    """Whether every run with more tasks than room says this: while some of its tasks run nobody needs to hear it."""
    return any(words in sentence for words in _ORDINARY)


def _limits(document: Json, nodes: list[Json]) -> Iterable[str]:
    spec = (document.get("status") or {}).get("storedWorkflowTemplateSpec") or document.get("spec") or {}
    active = [node for node in nodes if node.get("type") == "Pod" and _is_active(node)]
    limit = spec.get("parallelism")
    if isinstance(limit, int) and 0 < limit <= len(active):
        yield f"Parallelism of {limit}: the workflow runs no more than {_tasks(limit)} at once"
    limits = {t.get("name"): t["parallelism"] for t in spec.get("templates") or () if t.get("parallelism")}
    if not limits:
        return
    within = Counter(node.get("boundaryID") for node in active)
    for node in nodes:
        limit = limits.get(node.get("templateName"))
        if isinstance(limit, int) and node.get("phase") == "Running" and within[node.get("id")] >= limit:
            yield f"Parallelism of {limit}: {node.get('displayName') or node['name']} runs no more than {_tasks(limit)} at once"


def _is_active(node: Json) -> bool:
    return node.get("phase") in ("Pending", "Running") and not node.get("daemoned")


def _tasks(limit: int) -> str:
    return "one task" if limit == 1 else f"{limit} tasks"
