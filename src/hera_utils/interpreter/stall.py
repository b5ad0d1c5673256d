"""Ends a run that can never continue, with the reason. Argo would let it run for ever.

A run advances only by events of a pod, a user, a timer, a lock or an object. If none can come, the open nodes never end.
No workflow should get into this state; this is the safety net for the planners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import finish, killed, limits, lock_requests, unopened
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

MESSAGE = "nothing of the workflow is running and nothing else can start, so it would wait forever"
_SHOWN = 3


def end_stalled(context: Context) -> None:
    """End the run as Error when it can never continue."""
    if is_stalled(context):
        finish.fail(context, f"{MESSAGE}: {reason(context)}")


def is_stalled(context: Context) -> bool:
    """Whether the run is not over and waits for no event."""
    if context.run.finished or context.ledger.pending_ends or context.plans_nothing():
        return False
    if killed.is_awaiting_pods(context.run) or context.later:
        return False
    if (
        context.run.memory.get("asked")
        or lock_requests.any_may_be_granted(context)
        or limits.workflow_deadline(context)
    ):
        return False
    return not any(_has_effect(context, key) for key in context.timers) and not _room_may_come(context)


def _has_effect(context: Context, key: str) -> bool:
    """Whether the timer will still have an effect."""
    node = context.ledger.get(key.partition(":")[2])
    return node is not None and not phases.has_ended(node)


def _room_may_come(context: Context) -> bool:
    """Whether a daemon runs, whose end would make room for the nodes that a limit holds back."""
    return bool(context.waiting) and any(context.ledger.daemons.values())


def reason(context: Context) -> str:
    """A sentence with the open nodes, the innermost first, and what they wait for."""
    locks = lock_requests.waits_for_itself(context)
    if locks:
        return _list_texts(
            [f"{_name_of(context, node_id)} waits for {lock}, which this run itself holds" for node_id, lock in locks]
        )
    waiting = context.run.memory.get("unopened") or {}
    if waiting:
        return _list_texts([f"{name} waits for an answer that will never come" for name in waiting.values()])
    if limits.is_workflow_full(context):
        return f"parallelism {context.spec.get('parallelism')} leaves no room"
    open_nodes = [
        node
        for node in context.run.nodes.values()
        if not phases.has_ended(node) and not unopened.waits(context.run, node["id"])
    ]
    above = {node.get("boundaryID") for node in open_nodes}
    return _list_texts(
        [_path_of(node) for node in open_nodes if node["id"] not in above] or ["no node was ever opened"]
    )


def _name_of(context: Context, node_id: str) -> str:
    node = context.ledger.get(node_id)
    return str(node["name"]) if node is not None else context.run.name


def _path_of(node: Json) -> str:
    message = node.get("message")
    return f"{node['name']} ({node['type']}, {node['phase']})" + (f": {message}" if message else "")


def _list_texts(texts: list[str]) -> str:
    more = len(texts) - _SHOWN
    return "; ".join(texts[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
