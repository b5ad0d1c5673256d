"""Pods that a stop or the deadline of the workflow ends while they run, until they have told their end (`run.memory["killed"]`).

Their nodes are over at once, exit handlers begin at once. But the workflow is over only when these pods have told what they gave:
their outputs count, the global ones too. Argo does so by its task results (markWorkflowPhase, checkTaskResultsInProgress). A daemon
is not waited for. One that never tells its end is given up after as long as Argo waits for a task result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import new_nodes
from hera_utils.interpreter.commands import KillPod
from hera_utils.interpreter.state import Json, Run

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

TIMER = "killed"
_LONGEST_WAIT = 600.0  # seconds (Argo: TASK_RESULT_TIMEOUT_DURATION)


def kill(context: Context, node: Json, *, exit_code: bool) -> None:
    """End the pod of a node that is not over. Called before the node is marked.

    exit_code: whether its exit code will count. At the deadline of the workflow Argo's controller takes what the executor reports, but
    has not seen how the container ended.
    """
    context.say(KillPod(node["id"], new_nodes.pod_name(context, node)))
    if node["phase"] == phases.RUNNING and not node.get("daemoned"):
        until = context.ledger.now + _LONGEST_WAIT
        context.run.memory.setdefault("killed", {})[node["id"]] = {"until": until, "exitCode": exit_code}
        context.timer(TIMER, until)


def awaited(run: Run) -> bool:
    """Whether the end of any killed pod is not known yet."""
    return bool(run.memory.get("killed"))


def ended(run: Run, node_id: str) -> Json | None:
    """The pod told its end: what was noted of it; None when nobody waits for it."""
    noted: Json | None = (run.memory.get("killed") or {}).pop(node_id, None)
    return noted


def give_up(context: Context) -> None:
    """Wait no longer for pods that have had their time."""
    known = context.run.memory.get("killed") or {}
    context.run.memory["killed"] = {key: one for key, one in known.items() if one["until"] > context.ledger.now}


def forget(run: Run) -> None:
    """The run is over."""
    run.memory.pop("killed", None)
