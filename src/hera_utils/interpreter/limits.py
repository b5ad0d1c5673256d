"""What holds a node back or ends it early: parallelism, failFast, shutdown, deadlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.argo import durations, phases, timestamps
from hera_utils.errors import HeraUtilsError
from hera_utils.interpreter.faults import Fault, Full, TimedOut
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.frames import Frame
    from hera_utils.interpreter.walk import Walk

FAIL_FAST = "template has failed or errored children and failFast enabled"
_FULL = Full("Max parallelism reached")


def whole(value: object) -> int | None:
    """A number that may be written as text (intstr); None when there is none."""
    if value is None or value == "":
        return None
    try:
        return int(str(value))
    except ValueError:
        raise Fault(f'strconv.ParseInt: parsing "{value}": invalid syntax') from None


def duration(text: str) -> float:
    """Seconds of a duration such as 10, 30s or 1d; Fault with Argo's message when it is none."""
    try:
        return durations.seconds_or_duration(text)
    except HeraUtilsError as error:
        raise Fault(error.message) from None


def workflow_full(walk: Walk) -> bool:
    """Whether the workflow's own parallelism lets no further node open."""
    limit = whole(walk.spec.get("parallelism"))
    return limit is not None and walk.ledger.active_pods >= limit


def check_open(walk: Walk, boundary: str) -> None:
    """Raise Full when no new node may open within this boundary now (Argo: checkParallelism)."""
    if workflow_full(walk):
        raise _FULL
    frame = walk.frames.get(boundary)
    if frame is None:
        return
    if failing_fast(walk, frame):
        raise _FULL
    limit = whole(frame.template.get("parallelism"))
    if limit is not None and walk.ledger.active_children[boundary] >= limit:
        raise _FULL


def failing_fast(walk: Walk, frame: Frame) -> bool:
    """Whether failFast stops a template from opening more; when nothing of it runs any more it fails here."""
    if not frame.template.get("failFast") or walk.ledger.unsuccessful_children[frame.node_id] <= 0:
        return False
    node = walk.ledger.nodes[frame.node_id]
    if walk.ledger.active_pods_in[frame.node_id] <= 0 and not phases.ended(node):
        if frame.kind == "Steps":
            index = len(frame.template["steps"]) - 1
            while index >= 0 and walk.ledger.node_named(f"{node['name']}[{index}]") is None:
                index -= 1
            group = walk.ledger.node_named(f"{node['name']}[{index}]")
            if group is not None:
                walk.ledger.mark(group, phases.FAILED, FAIL_FAST)
        walk.ledger.mark(node, phases.FAILED, FAIL_FAST)
    return True


def shutdown(walk: Walk) -> str:
    """Stop, Terminate or ""."""
    return str(walk.document["spec"].get("shutdown") or "")


def may_run(walk: Walk, on_exit: bool) -> bool:
    """Whether the shutdown strategy lets a pod start or go on: Stop spares exit handlers, Terminate nothing."""
    strategy = shutdown(walk)
    return not strategy or (strategy == "Stop" and on_exit)


AFTER = (
    0.01  # seconds after a deadline at which it has passed: before a kubelet, which looks once a second, ends the pod
)


def workflow_deadline(walk: Walk) -> float:
    """When the workflow must be over (seconds since the epoch); 0 when it may take its time."""
    limit = whole(walk.spec.get("activeDeadlineSeconds"))
    started = timestamps.seconds(walk.document["status"].get("startedAt"))
    return started + limit if limit is not None and started else 0.0


def deadline_passed(walk: Walk) -> bool:
    deadline = workflow_deadline(walk)
    return bool(deadline) and walk.ledger.now > deadline


def check_pending(walk: Walk, template: Json, node: Json) -> None:
    """`timeout` and `pendingTimeout` of a node that has not started yet: TimedOut when over, else a timer to look again."""
    if node["phase"] != phases.PENDING:
        return
    started = timestamps.seconds(node.get("startedAt"))
    for field in ("timeout", "pendingTimeout"):
        if template.get(field):
            deadline = started + duration(str(template[field]))
            if walk.ledger.now > deadline:
                raise TimedOut("timeout")
            walk.timer(f"{field}:{node['id']}", deadline + 1)
