"""How a DAG ended, from the phases of its targets (Argo: assessDAGPhase)."""

from __future__ import annotations

from collections import deque

from hera_utils.interpreter import graph, phases
from hera_utils.interpreter.ledger import Ledger
from hera_utils.interpreter.state import Json


def assess(ledger: Ledger, dag: Json, node: Json, targets: dict[str, str]) -> str:
    """Running while something below is not over, else the phase of the whole. targets: task → node id.

    An omitted target takes the phase of the branch that led to it: the last node before it that completed. A failure counts more.
    """
    ended: dict[str, str] = dict.fromkeys(targets.values(), "")
    queue = deque((child, phases.SUCCEEDED) for child in node.get("children") or ())
    seen = set(queue)
    while queue:
        node_id, branch = queue.popleft()
        found = ledger.get(node_id)
        if found is None or not phases.fulfilled(found):
            return phases.RUNNING
        if phases.completed(found):
            branch = found["phase"]
        if node_id in ended and ended[node_id] not in phases.UNSUCCESSFUL:
            ended[node_id] = branch
        below = _below_retry(ledger, found) if found["type"] == "Retry" else found.get("children") or ()
        for child in below:
            if (child, branch) not in seen:
                seen.add((child, branch))
                queue.append((child, branch))
    return _overall(dag, targets, ended)


def _below_retry(ledger: Ledger, node: Json) -> list[str]:
    """Single attempts do not count: look at what follows them, and at hooks."""
    found: list[str] = []
    for child in reversed(ledger.children(node)):
        found += [child["id"]] if phases.hooked(child) else child.get("children") or []
    return found


def _overall(dag: Json, targets: dict[str, str], ended: dict[str, str]) -> str:
    fail_fast = dag.get("failFast") is not False
    goes_on = {task["name"]: task.get("continueOn") or {} for task in dag.get("tasks") or ()}
    result = phases.SUCCEEDED
    for name, node_id in targets.items():
        phase = ended[node_id]
        if not phase:
            result = phases.RUNNING
            if not fail_fast:
                break
        elif phase in phases.UNSUCCESSFUL:
            allowed = goes_on[name]
            if allowed.get("error") if phase == phases.ERROR else allowed.get("failed"):
                continue
            result = phase
            if fail_fast:
                break
    return result


def set_outbound(ledger: Ledger, node: Json, targets: list[str]) -> None:
    """Where what follows the DAG is hung: the last nodes of its targets."""
    found = [
        last for target in targets if target in ledger.nodes for last in graph.outbound(ledger, ledger.nodes[target])
    ]
    ledger.change(node, outboundNodes=found)
