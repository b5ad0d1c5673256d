"""Retry: a node whose children are the attempts of a template with a retry strategy (Argo: processNodeRetries)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hera_utils.argo import phases, timestamps
from hera_utils.interpreter import arguments, limits, metrics, new_nodes, outbound, substitution
from hera_utils.interpreter.faults import AttemptFault, Fault, Full, TimedOut, TooDeep
from hera_utils.interpreter.frames import Frame, Plan, TemplateCall
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.templates import POD_KINDS, kind_of
from hera_utils.interpreter.values import text_of

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

_TRANSIENT = (
    "Connection closed by foreign host", "client rate limiter Wait returned an error", "connect: connection refused",
    "connection reset by peer", "connection timed out", "etcdserver: leader changed", "etcdserver: request timed out",
    "etcdserver: too many requests", "http2: client connection lost", "http2: server sent GOAWAY and closed the connection", "i/o timeout",
    "invalid connection", "net/http: TLS handshake timeout", "request did not complete within requested timeout",
    "stream error when reading response body", "unexpected error when reading response body", "upper: no more rows in",
)  # fmt: skip
"""Texts in a message after which OnTransientError retries (Argo: IsTransientErr, which for a node has only the message's text)."""
_FOREVER = float(2**63 - 1) / 1e9


def plan(context: Context, frame: Frame, dirty: dict[str, Fault | None]) -> Plan:
    """Process the last attempt: end like it, wait, or open another one."""
    ledger = context.ledger
    node = ledger.nodes[frame.node_id]
    strategy = new_nodes.retry_strategy(context, frame.template) or {}
    for fault in dirty.values():
        if fault is not None:
            _check_other_attempt(strategy, fault)
    while not phases.has_ended(node):
        tried = outbound.attempts(ledger, node)
        if tried and not phases.has_ended(tried[-1]):
            yield from _continue_attempt(context, frame, node, tried)
            if not phases.has_ended(tried[-1]):
                return
            continue
        if tried and not _starts_attempt(context, frame, node, strategy, tried):
            return
        context.wait(frame, False)
        try:
            opened = yield _attempt(context, frame, node, len(tried), tried[-1] if tried else None)
            _end_in_time(context, strategy, tried, opened)
        except Full:
            context.wait(frame)
            return
        except Fault as fault:
            _check_other_attempt(strategy, fault)
        if len(outbound.attempts(ledger, node)) == len(tried):
            return  # it waits for a lock


def _check_other_attempt(strategy: Json, fault: Fault) -> None:
    """Raise the fault of an attempt that could not be opened, unless the policy allows another one."""
    if _policy(strategy) in ("Always", "OnError", "OnTransientError"):
        return
    raise fault if isinstance(fault, (TimedOut, TooDeep)) else AttemptFault(fault.message)


def _continue_attempt(context: Context, frame: Frame, node: Json, tried: list[Json]) -> Plan:
    """Continue the last attempt; if it became a daemon, its Retry node becomes one, too."""
    last = tried[-1]
    if last["id"] not in context.frames:  # the run was restored
        yield _attempt(context, frame, node, len(tried) - 1, tried[-2] if len(tried) > 1 else None)
    if last.get("daemoned"):
        context.ledger.mark(node, last["phase"])
        context.ledger.change(node, daemoned=True)


def _attempt(context: Context, frame: Frame, node: Json, number: int, before: Json | None) -> TemplateCall:
    """The call of the attempt with that number (from 0)."""
    name = f"{node['name']}({number})"
    local = {"retries": str(number)}
    if kind_of(frame.template) in POD_KINDS:
        local["pod.name"] = new_nodes.pod_name_of(context, name, str(frame.template.get("name") or ""))
    last = before or {}
    local["lastRetry.exitCode"] = (last.get("outputs") or {}).get("exitCode") or "0"
    local["lastRetry.duration"] = _duration(last)
    local["lastRetry.status"] = last.get("phase") or ""
    local["lastRetry.message"] = last.get("message") or ""
    drawing = context.entropy_of("template", name, context.ledger.node_named(name))
    template = arguments.substitute(frame.template, context.variables, substitution.Variables(local, drawing))
    context.ledger.adopt(node, context.ledger.reserve(name))
    call = frame.call
    return TemplateCall(
        name,
        call.holder,
        frame.home,
        call.arguments,
        call.boundary,
        call.task,
        call.on_exit,
        call.hooked,
        attempt=template,
    )


def _end_in_time(context: Context, strategy: Json, tried: list[Json], opened: Json | None) -> None:
    """Set the timer that ends an attempt's pod after `maxDuration` (Argo: executionDeadline); the first attempt has none."""
    ends = _end_of_duration(strategy, tried) if tried else 0.0
    if ends and opened is not None and opened["type"] == "Pod" and not phases.has_ended(opened):
        context.timer(f"attempt:{opened['id']}", ends)


def _duration(node: Json) -> str:
    if not node.get("finishedAt"):
        return "0"
    return f"{timestamps.seconds(node['finishedAt']) - timestamps.seconds(node.get('startedAt')):g}"


def _policy(strategy: Json) -> str:
    """The retry policy; with an expression but without a policy only the expression decides, as in Argo."""
    return str(strategy.get("retryPolicy") or ("Always" if strategy.get("expression") else "OnFailure"))


def _starts_attempt(context: Context, frame: Frame, node: Json, strategy: Json, tried: list[Json]) -> bool:
    """Whether another attempt starts now. If none ever will, this ends the node."""
    ledger, last = context.ledger, tried[-1]
    if not phases.is_unsuccessful(last):
        _take_outputs(context, node, last)
        ledger.mark(node, phases.SUCCEEDED)
        return False
    why = _reason_to_stop(context)
    if why:  # the outputs of the last attempt are not copied
        ledger.mark(node, last["phase"], why)
        return False
    if strategy.get("backoff") is not None:
        pause = _backoff(context, strategy, tried)
        if pause.give_up_reason:
            return _give_up(context, node, last, pause.give_up_reason)
        limit = limits.read_intstr(strategy.get("limit"))
        if ledger.now < pause.due and limit is not None and len(tried) <= limit:
            context.timer(f"retry:{frame.node_id}", pause.due)
            ledger.mark(node, node["phase"], f"Backoff for {readable_duration(pause.seconds)}")
            return False
        ledger.change(node, message=None)
    return _may_retry(context, frame.template, node, strategy, tried)


def _may_retry(context: Context, template: Json, node: Json, strategy: Json, tried: list[Json]) -> bool:
    """Whether policy, limit and expression allow another attempt. If not, this ends the node."""
    last = tried[-1]
    policy = _policy(strategy)
    if policy not in ("Always", "OnError", "OnFailure", "OnTransientError"):
        raise Fault(f"{policy} is not a valid RetryPolicy")
    transient = any(word in (last.get("message") or "") for word in _TRANSIENT)
    on_failed = policy in ("Always", "OnFailure") or (policy == "OnTransientError" and transient)
    on_error = policy in ("Always", "OnError") or (policy == "OnTransientError" and transient)
    if not (on_failed if last["phase"] == phases.FAILED else on_error):
        return _give_up(context, node, last, last.get("message") or "")
    limit = limits.read_intstr(strategy.get("limit"))
    if limit is not None and len(tried) > limit:
        return _give_up(context, node, last, "No more retries left")
    if strategy.get("expression") and not substitution.evaluate_boolean(strategy["expression"], _scope(context, tried)):
        return _give_up(context, node, last, "retryStrategy.expression evaluated to false")
    metrics.emit_node_metrics(context, template, last)
    return True


def _scope(context: Context, tried: list[Json]) -> substitution.Variables:
    """The variables of a retry expression: `retries` and `lastRetry.*`."""
    last = tried[-1]
    values = {
        "retries": str(len(tried) - 1),
        "lastRetry.exitCode": (last.get("outputs") or {}).get("exitCode") or "-1",
        "lastRetry.status": last["phase"],
        "lastRetry.duration": _duration(last),
        "lastRetry.message": last.get("message") or "",
    }
    return substitution.Variables(values, context.variables.entropy)


def _reason_to_stop(context: Context) -> str:
    strategy = limits.shutdown(context)
    if strategy:
        return f"Stopped with strategy '{strategy}'"
    if limits.is_deadline_passed(context):
        stamp = timestamps.text(limits.workflow_deadline(context)).replace("T", " ").replace("Z", " +0000 UTC")
        return f"retry exceeded workflow deadline {stamp}"
    return ""


def _give_up(context: Context, node: Json, last: Json, message: str) -> bool:
    _take_outputs(context, node, last)
    context.ledger.mark(node, last["phase"], message)
    return False


def _take_outputs(context: Context, node: Json, last: Json) -> None:
    if last.get("outputs"):
        context.ledger.change(node, outputs=dict(last["outputs"]))


class Pause(NamedTuple):
    """The pause between two attempts. seconds: its length. due: when the next may start.

    give_up_reason: the reason why no further attempt is possible, "" if one is.
    """

    seconds: float = 0.0
    due: float = 0.0
    give_up_reason: str = ""


def _backoff(context: Context, strategy: Json, tried: list[Json]) -> Pause:
    """The pause of `backoff` after the attempts so far."""
    backoff = strategy["backoff"]
    ends = _end_of_duration(strategy, tried)
    if ends and context.ledger.now > ends:
        return Pause(give_up_reason="Max duration limit exceeded")
    if not backoff.get("duration"):
        raise Fault("no base duration specified for retryStrategy")
    seconds = limits.duration(text_of(backoff["duration"]))
    factor = limits.read_intstr(backoff.get("factor"))
    if factor is not None and factor > 0:
        seconds = min(seconds * _power(factor, len(tried) - 1), _FOREVER)
    if backoff.get("cap"):
        seconds = min(seconds, limits.duration(text_of(backoff["cap"])))
    due = timestamps.seconds(tried[-1].get("finishedAt")) + seconds
    if ends and due > ends:
        return Pause(give_up_reason="Backoff would exceed max duration limit")
    return Pause(seconds, due)


def _power(factor: int, exponent: int) -> float:
    """factor ** exponent, at most _FOREVER, without the overflow of floats."""
    return min(float(factor) ** exponent if exponent * factor.bit_length() < 1024 else _FOREVER, _FOREVER)


def _end_of_duration(strategy: Json, tried: list[Json]) -> float:
    """The end of `maxDuration` (seconds since the epoch), 0 without one. It begins with the first attempt."""
    longest = (strategy.get("backoff") or {}).get("maxDuration")
    return timestamps.seconds(tried[0].get("startedAt")) + limits.duration(text_of(longest)) if longest else 0.0


def readable_duration(seconds: float) -> str:
    """A duration in words, in its two largest units: `5 seconds`, `2 minutes 0 seconds` (Argo: util/humanize)."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} second" if whole == 1 else f"{whole} seconds"
    for size, unit, below, name in ((3600, "minute", 60, "second"), (86400, "hour", 3600, "minute")):
        if whole < size:
            step = 60 if unit == "minute" else 3600
            count = whole // step
            return f"{count} {unit}{'' if count == 1 else 's'} {whole % step // (below // 60)} {name}s"
    count = whole // 86400
    return f"{count} day{'' if count == 1 else 's'} {whole % 86400 // 3600} hours"
