"""Ends the nodes of a run that is stopped or past its deadline: at once, or of thousands as many per event as it has time for.

`run.memory["ending"]` has the reason while some are left. Until all have ended no node is planned, as if the run were suspended.
"""

from __future__ import annotations

from collections.abc import Callable

from hera_utils.argo import phases
from hera_utils.interpreter import killed, limits, outbound, start
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.walk import Walk

SHUTDOWN, DEADLINE = "shutdown", "deadline"
_TOO_LATE = "Step exceeded its deadline"


def begin(walk: Walk, why: str) -> None:
    """Begin to end the nodes. why: SHUTDOWN or DEADLINE."""
    walk.run.memory["ending"] = why
    go_on(walk)


def go_on(walk: Walk) -> None:
    """End the remaining nodes. After the last one, the whole run is visited again."""
    end = _ENDERS[walk.run.memory["ending"]]
    for node in list(walk.run.nodes.values()):
        if phases.is_fulfilled(node):  # a daemon that is ready ends with the template around it
            continue
        if walk.has_no_time():
            return
        if end(walk, node):
            walk.opened += 1
    del walk.run.memory["ending"]
    start.walk_again(walk)


def _stop(walk: Walk, node: Json) -> bool:
    """End a node that may not continue after a stop; returns whether it was ended."""
    if limits.may_run(walk, outbound.in_exit_handler(walk.ledger, node)):
        return False
    waits = (node.get("synchronizationStatus") or {}).get("waiting")
    if node["type"] == "Pod" and not waits:
        killed.kill(walk, node, exit_code=True)
        killed.end(walk, node, f"workflow shutdown with strategy:  {limits.shutdown(walk)}")
    elif node["type"] in ("HTTP", "Plugin") or waits or phases.is_suspended(node):
        walk.ledger.mark(node, phases.FAILED, f"Stopped with strategy '{limits.shutdown(walk)}'")
    return phases.has_ended(node)


def _run_out(walk: Walk, node: Json) -> bool:
    """End a node at the workflow's deadline, unless it is an exit handler; returns whether it was ended."""
    if outbound.in_exit_handler(walk.ledger, node):
        return False
    if node["type"] == "Pod":
        killed.kill(walk, node, exit_code=False)
        killed.end(walk, node, _TOO_LATE)
    elif node["phase"] == phases.PENDING or phases.is_suspended(node):
        walk.ledger.mark(node, phases.FAILED, _TOO_LATE)
    return phases.has_ended(node)


_ENDERS: dict[str, Callable[[Walk, Json], bool]] = {SHUTDOWN: _stop, DEADLINE: _run_out}
