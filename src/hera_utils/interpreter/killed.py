"""Running pods that a stop or the deadline of the workflow kills, until they have ended (`run.memory["killed"]`).

Their nodes are over at once, and exit handlers begin at once. But the workflow is over only when these pods have ended, because their
outputs count, also the global ones. Argo waits for its task results in the same way (markWorkflowPhase, checkTaskResultsInProgress).
A daemon is not waited for, nor a pod that takes longer to end than Argo's timeout for a task result.

The end of a stopped pod also counts while something waits for its node (`determines_phase`): a program that ends with 0 after the signal
has succeeded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import limits, new_nodes, outbound, outcomes
from hera_utils.interpreter.commands import KillPod
from hera_utils.interpreter.events import PodFinished
from hera_utils.interpreter.state import Json, Run

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

TIMER = "killed"
_KILLED = 137  # the exit code after SIGKILL
_LONGEST_WAIT = 600.0  # seconds (Argo: TASK_RESULT_TIMEOUT_DURATION)


def kill(context: Context, node: Json, *, exit_code: bool) -> None:
    """End the pod of a node that is not over. Called before the node is marked.

    exit_code: whether its exit code counts. At the deadline of the workflow Argo's controller gets the executor's outputs, but not
    the end of the container.
    """
    context.say(KillPod(node["id"], new_nodes.pod_name(context, node)))
    wait_for(context, node, exit_code=exit_code, stopped=exit_code)


def wait_for(context: Context, node: Json, *, exit_code: bool, stopped: bool = False) -> None:
    """Wait for the outputs of a pod that still runs while its node is marked as ended."""
    if node["phase"] == phases.RUNNING and not node.get("daemoned"):
        until = context.ledger.now + _LONGEST_WAIT
        noted = {"until": until, "exitCode": exit_code, "stopped": stopped}
        context.run.memory.setdefault("killed", {})[node["id"]] = noted
        context.timer(TIMER, until)


def end(context: Context, node: Json, message: str) -> None:
    """End a node whose pod is killed and, of a container set, its containers (Argo: handleExecutionControlError)."""
    context.ledger.change(node, daemoned=None)
    context.ledger.mark(node, phases.FAILED, message)
    for child in context.ledger.children(node):
        if child["type"] == "Container" and not phases.has_ended(child):
            end(context, child, message)


def end_retries(context: Context) -> None:
    """End the Retry nodes that a stop left running because the template around them was over before their attempts had ended.

    Nodes between them and their pods, such as steps, stay as they are (Argo: failNodesWithoutCreatedPodsAfterDeadlineOrShutdown).
    """
    strategy = limits.shutdown(context)
    if not strategy:
        return
    for node in list(context.run.nodes.values()):
        if node["type"] != "Retry" or phases.has_ended(node):
            continue
        on_exit = outbound.in_exit_handler(context.ledger, node)
        if not limits.may_run(context, on_exit) and _have_leaves_ended(context, node):
            context.ledger.mark(node, phases.FAILED, f"Stopped with strategy '{strategy}'")


def _have_leaves_ended(context: Context, node: Json) -> bool:
    todo, visited = [node], {node["id"]}
    while todo:
        below = context.ledger.children(todo[-1])
        if not below and not phases.has_ended(todo[-1]):
            return False
        todo.pop()
        todo += [child for child in below if child["id"] not in visited]
        visited.update(child["id"] for child in below)
    return True


def determines_phase(context: Context, node: Json, noted: Json, event: PodFinished) -> bool:
    """Whether the end of a killed pod determines the phase of its node: something waits for it, or Argo checks it again.

    If the program ignores the signal until it is killed, nothing waits for it; Argo sees its end only while an exit handler runs.
    """
    if not noted.get("stopped"):
        return False
    handler = context.ledger.node_named(f"{context.run.name}.onExit")
    if handler is not None and not phases.has_ended(handler):
        return True
    return _is_waited_for(context, node) and not ignored_sigterm(event)


def ignored_sigterm(event: PodFinished) -> bool:
    """Whether the program ignored SIGTERM and had to be killed."""
    return outcomes.exit_code(event.containers) == _KILLED


def _is_waited_for(context: Context, node: Json) -> bool:
    """Whether the templates around the node continue. A stop ends a DAG at once, regardless of its pods."""
    boundary = node.get("boundaryID")
    while boundary:
        above = context.ledger.get(boundary)
        if above is None or phases.has_ended(above):
            return False
        boundary = above.get("boundaryID")
    return True


def is_awaiting_pods(run: Run) -> bool:
    """Whether a killed pod has not ended yet."""
    return bool(run.memory.get("killed"))


def awaits_outputs(context: Context, node: Json) -> bool:
    """Whether the template around the node must still wait for it, because a killed pod in it has not reported its outputs.

    A stopped DAG within it is over at once, regardless of its pods (Argo: taskResultSynced).
    """
    killed_pods = context.run.memory.get("killed") or {}
    if node["id"] in killed_pods or node["type"] == "Pod":
        return bool(node["id"] in killed_pods)
    return any(_is_below(context, pod, node) for pod in killed_pods)


def _is_below(context: Context, pod: str, node: Json) -> bool:
    current = context.ledger.get(pod)
    while current is not None:
        if current["id"] == node["id"] or (node["type"] == "Retry" and current["id"] in (node.get("children") or ())):
            return True
        current = context.ledger.get(current.get("boundaryID") or "")
        if current is not None and current["type"] == "DAG":
            return False
    return False


def take_ended(run: Run, node_id: str) -> Json | None:
    """Remove and return the entry of a pod that has ended; None if the run does not wait for it."""
    noted: Json | None = (run.memory.get("killed") or {}).pop(node_id, None)
    return noted


def give_up(context: Context) -> None:
    """Stop waiting for pods that take too long to end."""
    killed_pods = context.run.memory.get("killed") or {}
    context.run.memory["killed"] = {
        key: entry for key, entry in killed_pods.items() if entry["until"] > context.ledger.now
    }


def forget(run: Run) -> None:
    """Remove all entries when the run is over."""
    run.memory.pop("killed", None)
