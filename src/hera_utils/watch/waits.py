"""The reasons why tasks of a run wait, from its document alone; the same for the local server and a cluster. Pure.

The messages of nodes say why a pod cannot start or which lock a node waits for (on the local server
`local_platform/pods/waiting.py` writes them). A task that waits because of `parallelism` has no node: this module writes that
sentence.
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


def waiting_sentences_of(document: Json) -> dict[str, list[str]]:
    """Sentence → the names of the tasks that wait for this reason, empty if they have no node yet."""
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
    """Whether a pod of the run has been placed and is about to run."""
    nodes = ((document.get("status") or {}).get("nodes") or {}).values()
    return any(
        node.get("type") == "Pod" and node.get("phase") == "Pending" and str(node.get("message") or "") in _BEGINNINGS
        for node in nodes
    )


def _may_wait(node: Json, message: str) -> bool:
    """Whether the node waits. A running pod may wait too, for room on the disk; its message then says so and what to do."""
    if node.get("phase") == "Running":
        return node.get("type") == "Pod" and ": " in message
    return node.get("phase") == "Pending"


def is_ordinary(sentence: str) -> bool:
    """Whether every run with more tasks than cores says this; it is not worth a line while some of its tasks run."""
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
