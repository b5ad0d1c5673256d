"""Custom metrics: the values of `metrics.prometheus` of a template or the workflow, returned as commands.

A metric is emitted when its node ends; a real-time one also when its node begins, as a clock with a start and an end. Each failed
attempt that is retried emits its template's metrics, and finally the Retry node does. An error in a metric does not fail the run but
becomes the condition MetricsError. Source: Argo's computeMetrics, prepareMetricScope, executeTemplate, metrics_custom.go.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hera_utils.argo import phases, timestamps
from hera_utils.expressions.gotext import quote
from hera_utils.interpreter import substitution
from hera_utils.interpreter.commands import EmitMetric
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import text_of

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

CONDITION = "MetricsError"
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_FLOAT = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z|[+-]?(?:inf|infinity)\Z|nan\Z", re.IGNORECASE)


def emit_node_metrics(context: Context, template: Json, node: Json, *, only_realtime: bool = False) -> None:
    """Emit the metrics of a template for one of its nodes that began (only_realtime) or ended."""
    listed = (template.get("metrics") or {}).get("prometheus")
    if listed:
        _emit(context, listed, _scope(context, node), _clocks(context, node), only_realtime)


def emit_workflow_metrics(context: Context, *, ended: bool) -> None:
    """Emit the metrics of the workflow, when it begins and when it is over."""
    listed = (context.spec.get("metrics") or {}).get("prometheus")
    if not listed:
        return
    entry = context.ledger.node_named(context.run.name) if ended else None
    _emit(context, listed, _scope(context, entry), _clocks(context, entry), not ended)


def record_problem(document: Json, message: str) -> None:
    """Record an error in a metric as Argo does: in one condition, with the last message."""
    status = document["status"]
    others = [condition for condition in status.get("conditions") or () if condition.get("type") != CONDITION]
    status["conditions"] = [*others, {"type": CONDITION, "status": "True", "message": message}]


def _scope(context: Context, node: Json | None) -> substitution.Variables:
    """The variables of a metric: those of the workflow and of its node."""
    variables = {
        "duration": "0",
        "status": phases.PENDING,
        "resourcesDuration.cpu": "0",
        "resourcesDuration.memory": "0",
    }
    if node is None:
        return context.variables.plus(variables)
    started = timestamps.seconds(node.get("startedAt"))
    ended = timestamps.seconds(node.get("finishedAt")) if node.get("finishedAt") else context.ledger.now
    variables["duration"] = f"{ended - started:.6f}"
    variables["status"] = node["phase"]
    if node.get("children"):
        variables["retries"] = str(len(node["children"]) - 1)
    for parameter in (node.get("inputs") or {}).get("parameters") or ():
        variables[f"inputs.parameters.{parameter['name']}"] = _text(parameter.get("value"))
    outputs = node.get("outputs") or {}
    for name in ("result", "exitCode"):
        if outputs.get(name) is not None:
            variables[{"result": "outputs.result", "exitCode": "exitCode"}[name]] = str(outputs[name])
    for parameter in outputs.get("parameters") or ():
        variables[f"outputs.parameters.{parameter['name']}"] = _text(parameter.get("value"))
    for name, seconds in (node.get("resourcesDuration") or {}).items():
        variables[f"resourcesDuration.{name}"] = str(seconds)
    return context.variables.plus(variables)


def _text(value: Any) -> str:
    return "" if value is None else text_of(value)


def _clocks(context: Context, node: Json | None) -> dict[str, tuple[float, float | None]]:
    """The real-time variables: when each clock started, and when it stopped."""
    status = context.document["status"]
    clocks = {"workflow.duration": _clock(context, status)}
    if node is not None:
        clocks["duration"] = _clock(context, node)
    return clocks


def _clock(context: Context, timed: Mapping[str, Any]) -> tuple[float, float | None]:
    since = timestamps.seconds(timed.get("startedAt")) or context.ledger.now
    return since, timestamps.seconds(timed["finishedAt"]) if timed.get("finishedAt") else None


def _emit(
    context: Context, listed: list[Json], scope: substitution.Variables, clocks: Mapping[str, Any], only_realtime: bool
) -> None:
    for metric in listed:
        realtime = bool((metric.get("gauge") or {}).get("realtime"))
        if only_realtime and not realtime:
            continue
        try:
            command = _command(metric, scope, clocks if realtime else None)
        except Fault as fault:
            record_problem(context.document, fault.message)
            continue
        if command is not None:
            context.say(command)


def _command(metric: Json, scope: substitution.Variables, clocks: Mapping[str, Any] | None) -> EmitMetric | None:
    """The command of a metric; None when its `when` is false. Raises Fault with Argo's message."""
    if not metric.get("help"):
        raise Fault(f"metric '{metric.get('name', '')}' must contain a help string under 'help: ' field")
    described = {field: metric[field] for field in ("name", "help", "labels", "when") if metric.get(field)}
    try:
        filled = substitution.replace(described, scope, unresolved=False)
    except Fault as fault:
        raise Fault(f"unable to substitute parameters for metric '{metric['name']}': {fault.message}") from None
    try:
        if not substitution.should_run(filled.get("when")):
            return None
    except Fault as fault:
        name = scope.get("workflow.name", "")
        raise Fault(f"unable to compute 'when' clause for metric '{name}': {fault.message}") from None
    name = str(filled["name"])
    if not _NAME.match(name):
        wrong = "metric name is invalid: names may only contain alphanumeric characters or '_'"
        raise Fault(f"could not construct metric '{name}': {wrong}")
    kind = next((field for field in ("gauge", "histogram", "counter") if metric.get(field) is not None), "")
    if not kind:
        raise Fault(f"could not construct metric '{name}': invalid metric spec")
    labels = {str(label["key"]): str(label.get("value") or "") for label in filled.get("labels") or ()}
    definition = metric[kind]
    if clocks is not None:
        since, until = _realtime(str(definition.get("value") or ""), clocks)
        return EmitMetric(name, str(filled["help"]), kind, labels, since=since, until=until)
    value = _number(name, str(definition.get("value") or ""), scope)
    buckets = tuple(sorted(float(bucket) for bucket in definition.get("buckets") or ())) if kind == "histogram" else ()
    return EmitMetric(
        name, str(filled["help"]), kind, labels, value, str(definition.get("operation") or "Set"), buckets
    )


def _realtime(value: str, clocks: Mapping[str, Any]) -> tuple[float, float | None]:
    if not (value.startswith("{{") and value.endswith("}}")):
        raise Fault("real time metrics can only be used with metric variables")
    variable = value[2:-2].strip()
    if variable not in clocks:
        raise Fault(f"'{variable}' is not available as a real time metric")
    clock: tuple[float, float | None] = clocks[variable]
    return clock


def _number(name: str, value: str, scope: substitution.Variables) -> float:
    try:
        text = text_of(substitution.replace(value, scope, unresolved=False))
    except Fault as fault:
        raise Fault(f"unable to substitute parameters for metric '{name}': {fault.message}") from None
    if not _FLOAT.match(text):
        raise Fault(f"could not construct metric '{name}': strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
    number = float(text)
    if math.isinf(number) and text.strip("+-")[:1].isdecimal():
        raise Fault(
            f"could not construct metric '{name}': strconv.ParseFloat: parsing {quote(text)}: value out of range"
        )
    return number
