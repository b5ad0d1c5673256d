"""Limits that delay a node or end it early: parallelism, failFast, shutdown, deadlines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from hera_utils.argo import durations, phases, timestamps
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import HeraUtilsError
from hera_utils.interpreter.faults import Fault, Full, TimedOut
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context
    from hera_utils.interpreter.frames import Frame

FAIL_FAST = "template has failed or errored children and failFast enabled"
FULL = "Max parallelism reached"


def read_intstr(value: object) -> int | None:
    """A number that may be written as text (intstr); None if there is none."""
    if value is None:
        return None
    number = whole_number(str(value))
    if number is None:
        raise Fault(f"value '{value}' cannot be resolved to an int")
    return number


def duration(text: str) -> float:
    """The seconds of a duration such as 10, 30s or 1d; Fault with Argo's message when it is not one."""
    try:
        return durations.seconds_or_duration(text)
    except HeraUtilsError as error:
        raise Fault(error.message) from None


def timeout(text: str) -> float:
    """The seconds of a template's `timeout` or `pendingTimeout`."""
    try:
        return duration(text)
    except Fault as fault:
        raise Fault(f"invalid timeout format {fault.message}") from None


def is_workflow_full(context: Context) -> bool:
    """Whether the workflow's own parallelism is reached, so that no further node may open."""
    limit = read_intstr(context.spec.get("parallelism"))
    return limit is not None and context.ledger.active_pods >= limit


def check_open(context: Context, boundary: str) -> None:
    """Raise Full when no new node may open within this boundary now (Argo: checkParallelism)."""
    if is_workflow_full(context):
        raise Full(FULL)
    frame = context.frames.get(boundary)
    if frame is None:
        return
    if is_failing_fast(context, frame):
        raise Full(FULL)
    limit = read_intstr(frame.template.get("parallelism"))
    if limit is not None and context.ledger.active_children[boundary] >= limit:
        raise Full(FULL)


def is_failing_fast(context: Context, frame: Frame, changed: Iterable[str] = ()) -> bool:
    """Whether failFast prevents a template from opening more nodes. If none of its nodes runs any longer, this marks it as failed.

    changed: children of which steps and DAGs do not count yet: Argo looks at them after it has asked this.
    """
    if not frame.template.get("failFast") or context.ledger.unsuccessful_children[frame.node_id] <= 0:
        return False
    groups = [
        child for child in map(context.ledger.get, changed) if child is not None and child["type"] in ("Steps", "DAG")
    ]
    failed = sum(child["phase"] in phases.UNSUCCESSFUL and child.get("boundaryID") == frame.node_id for child in groups)
    if context.ledger.unsuccessful_children[frame.node_id] <= failed:
        return False
    node = context.ledger.nodes[frame.node_id]
    if context.ledger.active_pods_in[frame.node_id] <= 0 and not phases.has_ended(node):
        if frame.kind == "Steps":
            index = len(frame.template["steps"]) - 1
            while index >= 0 and context.ledger.node_named(f"{node['name']}[{index}]") is None:
                index -= 1
            group = context.ledger.node_named(f"{node['name']}[{index}]")
            if group is not None:
                context.ledger.mark(group, phases.FAILED, FAIL_FAST)
        context.ledger.mark(node, phases.FAILED, FAIL_FAST)
    return True


def shutdown(context: Context) -> str:
    """Stop, Terminate or ""."""
    return str(context.document["spec"].get("shutdown") or "")


def may_run(context: Context, on_exit: bool) -> bool:
    """Whether the shutdown strategy allows a pod to start or continue: Stop only exit handlers, Terminate none, other words all."""
    strategy = shutdown(context)
    return strategy != "Terminate" and (strategy != "Stop" or on_exit)


AFTER = 0.01  # seconds after which a deadline counts as passed; a kubelet, which checks once a second, would end the pod later


def workflow_deadline(context: Context) -> float:
    """When the workflow must be over (seconds since the epoch); 0 without a deadline."""
    limit = read_intstr(context.spec.get("activeDeadlineSeconds"))
    started = timestamps.seconds(context.document["status"].get("startedAt"))
    return started + limit if limit is not None and started else 0.0


def is_deadline_passed(context: Context) -> bool:
    deadline = workflow_deadline(context)
    return bool(deadline) and context.ledger.now > deadline


def reason_to_end(context: Context, on_exit: bool) -> str:
    """The reason why a node without a pod, or one that waits for a lock, ends at once: the run is stopped or past its deadline; else ""."""
    if not may_run(context, on_exit):
        return f"Stopped with strategy '{shutdown(context)}'"
    return "Step exceeded its deadline" if is_deadline_passed(context) and not on_exit else ""


def check_pending(context: Context, template: Json, node: Json) -> None:
    """Check `timeout` and `pendingTimeout` of a node that has not started: raise TimedOut if passed, else set a timer for it."""
    if node["phase"] != phases.PENDING:
        return
    started = timestamps.seconds(node.get("startedAt"))
    for field in ("timeout", "pendingTimeout"):
        if template.get(field):
            deadline = started + timeout(str(template[field]))
            if context.ledger.now > deadline:
                raise TimedOut("timeout")
            context.timer(f"{field}:{node['id']}", deadline + 1)
