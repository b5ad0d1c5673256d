"""Ends a workflow at activeDeadlineSeconds, a node that does not start in time, and an attempt after `maxDuration`."""

from __future__ import annotations

from hera_utils.argo import phases
from hera_utils.interpreter import limits, new_nodes, stop
from hera_utils.interpreter.commands import KillPod
from hera_utils.interpreter.faults import TimedOut
from hera_utils.interpreter.frames import Frame
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.walk import Walk


def workflow_deadline(walk: Walk) -> None:
    """The workflow's activeDeadlineSeconds are over: all nodes except exit handlers end."""
    if not limits.is_deadline_passed(walk):
        walk.timer("deadline", limits.workflow_deadline(walk) + limits.AFTER)
        return
    stop.begin(walk, stop.DEADLINE)


def attempt_too_long(walk: Walk, node_id: str) -> None:
    """The `maxDuration` of a retry is over: the executor ends the pod of the attempt, which reports the end of its container."""
    node = walk.ledger.get(node_id)
    if node is None or phases.has_ended(node):
        return
    if node["phase"] == phases.PENDING:  # its executor does not run yet
        walk.timer(f"attempt:{node_id}", walk.ledger.now + 1)
    else:
        walk.say(KillPod(node_id, new_nodes.pod_name(walk, node)))


def pending_too_long(walk: Walk, frame: Frame, node: Json) -> None:
    """A node has not started within its `timeout` or `pendingTimeout`."""
    try:
        limits.check_pending(walk, frame.template, node)
    except TimedOut as over:
        walk.say(KillPod(node["id"], new_nodes.pod_name(walk, node), True))
        walk.ledger.mark(node, phases.FAILED, over.message)
        raise
