"""The phases of nodes and workflows, and what Argo concludes from them.

Two sets say that something is over, and they differ. A node *ended* when it is in one of five phases: Skipped and Omitted are
the ends of nodes that never ran. It *completed* when it ran and is in one of three; a workflow knows only these three ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PENDING = "Pending"
RUNNING = "Running"
SUCCEEDED = "Succeeded"
FAILED = "Failed"
ERROR = "Error"
SKIPPED = "Skipped"
OMITTED = "Omitted"

COMPLETED = frozenset({SUCCEEDED, FAILED, ERROR})
"""Of a workflow: it is over. Of a node: it ran and is over."""

NEVER_RAN = frozenset({SKIPPED, OMITTED})

ENDED = COMPLETED | NEVER_RAN
"""Of a node: nothing more will happen to it by itself."""

UNSUCCESSFUL = frozenset({FAILED, ERROR})

WORKFLOW_PHASES = {
    PENDING: PENDING, RUNNING: RUNNING, SUCCEEDED: SUCCEEDED, SKIPPED: SUCCEEDED,
    FAILED: FAILED, ERROR: ERROR, OMITTED: SUCCEEDED,
}  # fmt: skip
"""The phase of a workflow whose entry node is in that phase."""

Node = Mapping[str, Any]


def ended(node: Node) -> bool:
    """Nothing more will happen to it by itself."""
    return node.get("phase") in ENDED


def fulfilled(node: Node) -> bool:
    """Others need not wait for it: it ended, or it is a daemon that is ready."""
    return node.get("phase") in ENDED or (bool(node.get("daemoned")) and node.get("phase") != PENDING)


def completed(node: Node) -> bool:
    """It ran and ended (a skipped node did not run)."""
    return node.get("phase") in COMPLETED


def unsuccessful(node: Node) -> bool:
    return node.get("phase") in UNSUCCESSFUL


def phase_of(workflow: Node) -> str:
    """The phase of a workflow's document; "" before the controller has seen it."""
    return str((workflow.get("status") or {}).get("phase") or "")


def phase_or_pending(workflow: Node) -> str:
    """The same as people are told it: Pending before the controller has seen it."""
    return phase_of(workflow) or PENDING


def suspended(node: Node) -> bool:
    """A suspend node that waits."""
    return node.get("type") == "Suspend" and node.get("phase") == RUNNING


def hooked(node: Node) -> bool:
    return bool((node.get("nodeFlag") or {}).get("hooked"))


def retried(node: Node) -> bool:
    """Whether it is an attempt. (The Retry node of a hook has this flag as well.)"""
    return node.get("type") != "Retry" and bool((node.get("nodeFlag") or {}).get("retried"))
