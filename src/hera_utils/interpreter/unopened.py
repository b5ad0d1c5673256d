"""Calls that have begun but wait for a lock or a cache before their node opens (`run.memory["unopened"]`).

A hook that has begun continues even if its expression is no longer true; a node that waits as Pending has no pod yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context
    from hera_utils.interpreter.frames import Frame
    from hera_utils.interpreter.state import Run


def remember(run: Run) -> None:
    """Create this memory for a run of an older version, in which only the status shows which nodes wait for a lock."""
    if "unopened" not in run.memory:
        waiting = (node for node in run.nodes.values() if (node.get("synchronizationStatus") or {}).get("waiting"))
        name_by_id = {node["id"]: node["name"] for node in waiting if node["phase"] == phases.PENDING}
        run.memory["unopened"] = name_by_id


def note(context: Context, frame: Frame) -> None:
    context.run.memory.setdefault("unopened", {})[frame.node_id] = frame.call.name


def forget(context: Context, node_id: str) -> bool:
    """Remove a call that opens now or never opens; returns whether it was waiting."""
    return (context.run.memory.get("unopened") or {}).pop(node_id, None) is not None


def waits(run: Run, node_id: str) -> bool:
    return node_id in (run.memory.get("unopened") or {})


def is_begun(context: Context, name: str) -> bool:
    """Whether the call of that name has been opened or waits to open."""
    node_id = context.ledger.id_of(name)
    return context.ledger.get(node_id) is not None or waits(context.run, node_id)


def within(run: Run, name: str) -> list[str]:
    """The ids of the calls that wait within a node, at any depth. Its own hooks and exit handler belong to its caller."""
    waiting = run.memory.get("unopened") or {}
    inside = (f"{name}.", f"{name}[")
    return [
        holder
        for holder, called in waiting.items()
        if called.startswith(inside) and called != f"{name}.onExit" and not called.startswith(f"{name}.hooks.")
    ]
