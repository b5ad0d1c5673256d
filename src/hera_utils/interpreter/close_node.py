"""Closes a node that is over: removes its frame, ends its daemons, releases its locks."""

from __future__ import annotations

from hera_utils.argo import phases
from hera_utils.interpreter import commands, lock_requests, metrics, new_nodes
from hera_utils.interpreter.context import Context
from hera_utils.interpreter.frames import Frame


def close(context: Context, frame: Frame) -> None:
    """Remove the frame of a node that is over, end the daemons that the node started, and release its locks."""
    if context.frames.pop(frame.node_id, None) is None:
        return
    context.waiting.pop(frame.node_id, None)
    lock_requests.release(context, frame.node_id)
    if frame.call.attempt is None and frame.template.get("metrics"):
        metrics.emit_node_metrics(context, frame.template, context.ledger.nodes[frame.node_id])
    if frame.kind in ("Steps", "DAG"):
        kill_daemons(context, frame.node_id)


def kill_daemons(context: Context, boundary: str | None) -> None:
    """End the daemons of a boundary; None: of the whole run."""
    ledger = context.ledger
    boundaries = [boundary] if boundary is not None else list(ledger.daemons)
    for boundary_id in boundaries:
        daemons = [ledger.nodes[node_id] for node_id in sorted(ledger.daemons.get(boundary_id) or ())]
        for node in daemons:
            node_id = node["id"]
            if node["type"] == "Pod":
                context.say(commands.KillPod(node_id, new_nodes.pod_name(context, node)))
            ledger.mark(node, phases.SUCCEEDED)
            ledger.change(node, daemoned=None)
            frame = context.frames.get(node_id)
            if frame is not None:
                close(context, frame)
        ledger.count_again_around(daemons)
