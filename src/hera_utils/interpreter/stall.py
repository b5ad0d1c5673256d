"""A run that nothing can move any more ends, and says what it waited for: Argo would let it run for ever.

It goes on only by what is told from outside: a pod, a user, a timer, a lock, an object that was asked for. When none of these is
due, what is still open will never be over. No workflow should come here; it is the net below the planners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases
from hera_utils.interpreter import finish, killed, limits, locks, unopened
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.walk import Walk

MESSAGE = "nothing of the workflow is running and nothing else can start, so it would wait forever"
_SHOWN = 3


def end(walk: Walk) -> None:
    """End the run as Error when it can never go on."""
    if stalled(walk):
        finish.fail(walk, f"{MESSAGE}: {reason(walk)}")


def stalled(walk: Walk) -> bool:
    """Whether the run is not over, and waits for nothing that could come."""
    if walk.run.finished or walk.ledger.pending_ends or walk.spec.get("suspend"):
        return False
    if killed.awaited(walk.run):
        return False
    if walk.run.memory.get("asked") or locks.any_waits(walk) or limits.workflow_deadline(walk):
        return False
    return not any(_due(walk, key) for key in walk.timers) and not _room_may_come(walk)


def _due(walk: Walk, key: str) -> bool:
    """Whether the timer still moves something when it fires."""
    node = walk.ledger.get(key.partition(":")[2])
    return node is not None and not phases.ended(node)


def _room_may_come(walk: Walk) -> bool:
    """A daemon that ends makes room for what a limit holds back."""
    return bool(walk.waiting) and any(walk.ledger.daemons.values())


def reason(walk: Walk) -> str:
    """What is open, the innermost first named, and what holds it back."""
    waiting = walk.run.memory.get("unopened") or {}
    if waiting:
        return _listed([f"{name} waits for an answer that will never come" for name in waiting.values()])
    if limits.workflow_full(walk):
        return f"parallelism {walk.spec.get('parallelism')} leaves no room"
    open_nodes = [
        node for node in walk.run.nodes.values() if not phases.ended(node) and not unopened.waits(walk.run, node["id"])
    ]
    above = {node.get("boundaryID") for node in open_nodes}
    return _listed([_path_of(node) for node in open_nodes if node["id"] not in above] or ["no node was ever opened"])


def _path_of(node: Json) -> str:
    message = node.get("message")
    return f"{node['name']} ({node['type']}, {node['phase']})" + (f": {message}" if message else "")


def _listed(texts: list[str]) -> str:
    more = len(texts) - _SHOWN
    return "; ".join(texts[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
