"""The phase of a DAG, from the phases of its targets (Argo: assessDAGPhase)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from hera_utils.argo import phases
from hera_utils.interpreter import depends, outbound, unopened
from hera_utils.interpreter.ledger import Ledger
from hera_utils.interpreter.state import Json


def assess(ledger: Ledger, dag: Json, node: Json, targets: dict[str, str]) -> str:
    """Running while a node below is not over, else the final phase. targets: task → node id.

    An omitted target has the phase of its branch: of the last node before it that completed. A failure outweighs a success.
    """
    ended: dict[str, str] = dict.fromkeys(targets.values(), "")
    queue = deque((child, phases.SUCCEEDED) for child in node.get("children") or ())
    queued = set(queue)
    while queue:
        node_id, branch = queue.popleft()
        assessed = ledger.get(node_id)
        if assessed is None:
            return phases.RUNNING
        if not _is_within(ledger, assessed, node["id"]):
            continue
        if (
            not phases.is_fulfilled(assessed)
            and not _complete_group(ledger, assessed)
            and not _is_abandoned(ledger, assessed)
        ):
            return phases.RUNNING
        if phases.has_completed(assessed):
            branch = assessed["phase"]
        if node_id in ended and ended[node_id] not in phases.UNSUCCESSFUL:
            ended[node_id] = branch
        below = _below_retry(ledger, assessed) if assessed["type"] == "Retry" else assessed.get("children") or ()
        for child in below:
            if (child, branch) not in queued:
                queued.add((child, branch))
                queue.append((child, branch))
    for name, target in targets.items():
        if not ended[target] and target in ledger.nodes:
            ended[target] = _phase_of_unreached(ledger, dag, node, name)
    return _phase_of_targets(dag, targets, ended)


def _phase_of_unreached(ledger: Ledger, dag: Json, node: Json, name: str) -> str:
    """The phase of a target below a template that failed fast, which leaves no path to it. Argo would wait for ever."""
    target = ledger.nodes[ledger.id_of(f"{node['name']}.{name}")]
    if phases.has_completed(target) or not phases.is_fulfilled(target):
        return str(target["phase"]) if phases.has_completed(target) else ""
    specs = {task["name"]: task for task in dag.get("tasks") or ()}
    for dependency in depends.of_task(specs[name], specs).names:
        before = ledger.node_named(f"{node['name']}.{dependency}")
        if before is not None and phases.is_unsuccessful(before):
            return str(before["phase"])
    return phases.SUCCEEDED


def _is_within(ledger: Ledger, node: Json, dag_id: str) -> bool:
    """Whether the node belongs to the DAG.

    A successor of the DAG may be its descendant and run again when a retry in place resets both. The successor waits for the DAG; in
    Argo the DAG also waits for the successor.
    """
    boundary = node.get("boundaryID") or ""
    while boundary and boundary != dag_id:
        boundary = (ledger.get(boundary) or {}).get("boundaryID") or ""
    return bool(boundary)


def _complete_group(ledger: Ledger, node: Json) -> bool:
    """End a loop whose items are all over but that was not visited since; returns whether it did (Argo: completableTaskGroupPhase)."""
    children = ledger.children(node)
    if node["type"] != "TaskGroup" or not children or not all(phases.is_fulfilled(child) for child in children):
        return False
    ends = [child["phase"] for child in children if phases.is_unsuccessful(child)]
    ledger.mark(node, ends[-1] if ends else phases.SUCCEEDED)
    return True


def _is_abandoned(ledger: Ledger, node: Json) -> bool:
    """Whether the node never ends because the template or retry around it is over. Argo would wait for ever."""
    boundary = ledger.get(node.get("boundaryID") or "")
    while boundary is not None and not phases.has_ended(boundary):
        boundary = outbound.retry_of(ledger, boundary) or ledger.get(boundary.get("boundaryID") or "")
    grouping = node["type"] in ("Steps", "DAG", "StepGroup", "TaskGroup", "Retry")
    locked = (node.get("synchronizationStatus") or {}).get("waiting")
    return boundary is not None and bool(grouping or locked or unopened.waits(ledger.run, node["id"]))


def _below_retry(ledger: Ledger, node: Json) -> list[str]:
    """The children of a Retry node without its attempts: their successors, and hooks.

    An earlier attempt that is not over was reset by a retry in place and will never end. Argo would wait for ever.
    """
    ids: list[str] = []
    last = True
    for child in reversed(ledger.children(node)):
        if phases.is_hook(child):
            ids.append(child["id"])
            continue
        if last or phases.is_fulfilled(child):
            ids += child.get("children") or []
        last = False
    return ids


def _phase_of_targets(dag: Json, targets: dict[str, str], ended: dict[str, str]) -> str:
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
    """Set the parents of the DAG's successors: the last nodes of its targets."""
    node_ids = [
        last for target in targets if target in ledger.nodes for last in outbound.outbound(ledger, ledger.nodes[target])
    ]
    ledger.change(node, outboundNodes=node_ids)


def phase_of_loop(items: Iterable[Json]) -> str:
    """The phase of a loop: that of the last item that did not succeed, else Succeeded."""
    ends = [item["phase"] for item in items]
    return next((phase for phase in reversed(ends) if phase in phases.UNSUCCESSFUL), phases.SUCCEEDED)


def are_exit_handlers_over(ledger: Ledger, targets: list[str]) -> bool:
    """Whether no exit handler of a target task is still running."""
    for target in targets:
        node = ledger.get(target)
        if node is None or not phases.has_completed(node):
            continue
        handler = ledger.node_named(f"{node['name']}.onExit")
        if handler is not None and not phases.is_fulfilled(handler):
            return False
    return True
