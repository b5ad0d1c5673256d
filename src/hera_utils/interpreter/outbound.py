"""The edges between nodes: the last nodes within a node, which become the parents of its successors."""

from __future__ import annotations

from hera_utils.argo import phases
from hera_utils.interpreter.ledger import Ledger
from hera_utils.interpreter.state import Json


def outbound(ledger: Ledger, node: Json) -> list[str]:
    """Ids of the nodes that become parents of a successor (Argo: getOutboundNodes)."""
    kind = node["type"]
    children = node.get("children") or []
    if kind == "Pod" and not _is_container_set(ledger, node):
        return [node["id"]]
    if kind in ("Pod", "Container", "TaskGroup"):
        if not children:
            return [node["id"]]
        ids = []
        for child in ledger.children(node):
            if kind == "Container" and child.get("boundaryID") != node.get("boundaryID"):
                ids.append(node["id"])
            else:
                ids += outbound(ledger, child)
        return ids
    if kind in ("Skipped", "Suspend", "HTTP", "Plugin"):
        return [node["id"]]
    if kind == "Retry" and children:
        return [children[-1]]
    if kind in ("Steps", "DAG") and (node.get("memoizationStatus") or {}).get("hit"):
        return [node["id"]]
    return [last for inner in node.get("outboundNodes") or () for last in outbound(ledger, ledger.nodes[inner])]


def _is_container_set(ledger: Ledger, node: Json) -> bool:
    first = ledger.get((node.get("children") or [""])[0])
    return first is not None and first["type"] == "Container" and first.get("boundaryID") == node["id"]


def last_attempt(ledger: Ledger, node: Json) -> Json:
    """The attempt of a retried node that counts, else the node itself (Argo: possiblyGetRetryChildNode)."""
    if node["type"] == "Retry" and not (node.get("memoizationStatus") or {}).get("hit"):
        for child in reversed(node.get("children") or ()):
            attempt = ledger.get(child)
            if attempt is not None and not phases.is_hook(attempt):
                return attempt
    return node


def attempts(ledger: Ledger, node: Json) -> list[Json]:
    """The attempts of a Retry node, oldest first, without its other children, the hooks."""
    return [child for child in ledger.children(node) if phases.is_attempt(child)]


def retry_of(ledger: Ledger, node: Json) -> Json | None:
    """The Retry node of an attempt; None of any other node."""
    return ledger.node_named(node["name"].rpartition("(")[0]) if phases.is_attempt(node) else None


def hook_owner(name: str) -> str:
    """The name of the node that a hook belongs to, from the hook's own name."""
    return name[: -len(".onExit")] if name.endswith(".onExit") else name.rpartition(".hooks.")[0]


def hooks_done(ledger: Ledger, node: Json) -> bool:
    """Whether every hook of the node is over."""
    return all(phases.is_fulfilled(child) for child in ledger.children(node) if phases.is_hook(child))


def in_exit_handler(ledger: Ledger, node: Json) -> bool:
    """Whether the node is an exit handler or within one."""
    current: Json | None = node
    while current is not None:
        if current["displayName"].endswith(".onExit"):
            return True
        current = ledger.get(current.get("boundaryID") or "")
    return False
