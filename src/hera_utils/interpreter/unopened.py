"""Calls that began but wait for an answer, of a lock or a cache, before their node opens (`run.memory["unopened"]`).

A hook that began goes on although its expression may no longer hold; a node that waited as Pending has no pod yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import phases

if TYPE_CHECKING:
    from hera_utils.interpreter.frames import Frame
    from hera_utils.interpreter.state import Run
    from hera_utils.interpreter.walk import Walk


def remember(run: Run) -> None:
    """Runs of before this was noted lack it: of them, the nodes that wait for a lock are known by their status."""
    if "unopened" not in run.memory:
        waiting = (node for node in run.nodes.values() if (node.get("synchronizationStatus") or {}).get("waiting"))
        found = {node["id"]: node["name"] for node in waiting if node["phase"] == phases.PENDING}
        run.memory["unopened"] = found


def note(walk: Walk, frame: Frame) -> None:
    walk.run.memory.setdefault("unopened", {})[frame.node_id] = frame.call.name


def forget(walk: Walk, node_id: str) -> bool:
    """It opens, or never will; answers whether it had to wait."""
    return (walk.run.memory.get("unopened") or {}).pop(node_id, None) is not None


def waits(run: Run, node_id: str) -> bool:
    return node_id in (run.memory.get("unopened") or {})


def is_begun(walk: Walk, name: str) -> bool:
    """Whether what is called so was opened before, or waits to be."""
    node_id = walk.ledger.id_of(name)
    return walk.ledger.get(node_id) is not None or waits(walk.run, node_id)


def within(run: Run, name: str) -> list[str]:
    """The ids of what waits inside of a node: what its template calls, at any depth. Its own hooks and exit handler are its caller's."""
    waiting = run.memory.get("unopened") or {}
    inside = (f"{name}.", f"{name}[")
    return [
        holder
        for holder, called in waiting.items()
        if called.startswith(inside) and called != f"{name}.onExit" and not called.startswith(f"{name}.hooks.")
    ]
