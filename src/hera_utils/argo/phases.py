"""The phases of nodes and workflows, and Argo's conclusions from them.

Two different sets mark the end. A node has *ended* in one of five phases; Skipped and Omitted are those of nodes that never ran.
It has *completed* if it ran and is in one of three phases; a workflow has only these three.
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
"""Phases of a node in which its phase no longer changes by itself."""

UNSUCCESSFUL = frozenset({FAILED, ERROR})

WORKFLOW_PHASES = {
    PENDING: PENDING, RUNNING: RUNNING, SUCCEEDED: SUCCEEDED, SKIPPED: SUCCEEDED,
    FAILED: FAILED, ERROR: ERROR, OMITTED: SUCCEEDED,
}  # fmt: skip
"""The phase of a workflow whose entry node is in that phase."""

Node = Mapping[str, Any]


def has_ended(node: Node) -> bool:
    """Whether the node has ended: its phase no longer changes by itself."""
    return node.get("phase") in ENDED


def is_fulfilled(node: Node) -> bool:
    """Whether others need not wait for the node: it has ended, or it is a daemon that is ready."""
    return node.get("phase") in ENDED or (bool(node.get("daemoned")) and node.get("phase") != PENDING)


def has_completed(node: Node) -> bool:
    """Whether the node ran and has ended (a skipped node did not run)."""
    return node.get("phase") in COMPLETED


def is_unsuccessful(node: Node) -> bool:
    return node.get("phase") in UNSUCCESSFUL


def phase_of(workflow: Node) -> str:
    """The phase of a workflow's document; "" before the controller has seen it."""
    return str((workflow.get("status") or {}).get("phase") or "")


def phase_or_pending(workflow: Node) -> str:
    """The phase for display: Pending before the controller has seen the workflow."""
    return phase_of(workflow) or PENDING


def is_suspended(node: Node) -> bool:
    """Whether the node is a suspend node that waits."""
    return node.get("type") == "Suspend" and node.get("phase") == RUNNING


def is_hook(node: Node) -> bool:
    return bool((node.get("nodeFlag") or {}).get("hooked"))


def is_attempt(node: Node) -> bool:
    """Whether it is an attempt. (The Retry node of a hook has this flag as well.)"""
    return node.get("type") != "Retry" and bool((node.get("nodeFlag") or {}).get("retried"))
