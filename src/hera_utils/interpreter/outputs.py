"""Passes outputs from steps and tasks into the scope, from there to a template's own outputs, and from nodes to the workflow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hera_utils.argo import gojson, phases
from hera_utils.errors import ExpressionError
from hera_utils.expressions import dashes
from hera_utils.expressions.gotext import to_json
from hera_utils.interpreter import loops, node_hooks, substitution
from hera_utils.interpreter.document import with_template_defaults
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.frames import Frame
from hera_utils.interpreter.items import Item
from hera_utils.interpreter.scope import Scope
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import go_json, go_print, text_of

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context


def resolve_references(context: Context, step: Json, scope: Scope, strict: Sequence[str], *, wrap: str = "") -> Json:
    """A step or task with its references resolved, except in hooks, which may refer to the step itself.

    If its `when` is already false, only that is resolved: the other references need not exist.
    wrap: Argo's prefix of the message about a missing artifact.

    Raises Fault for a reference without a value: all steps before it are over, so it never gets one. Argo would retry for ever.
    """
    parameters = scope.parameters(context.variables)
    step_hooks = step.get("hooks")
    bare = {key: value for key, value in step.items() if key != "hooks"}
    if bare.get("when"):
        when = substitution.replace(bare["when"], parameters, unresolved=True, strict=strict)
        try:
            runs = substitution.should_run(when)
        except Fault:
            if not loops.is_loop(step):
                raise
        else:
            if not runs:
                return {**step, "when": when}
    if bare.get("arguments"):
        bare["arguments"] = scope.mark_absent(bare["arguments"])
    try:
        resolved: Json = dict(substitution.replace(bare, parameters, unresolved=True, strict=strict))
    except Fault as fault:
        raise Fault(fault.message + dashes.hint_at_dashes(bare, parameters)) from None
    if step_hooks is not None:
        resolved["hooks"] = step_hooks
    arguments = resolved.get("arguments") or {}
    if arguments.get("artifacts"):
        try:
            artifacts = node_hooks.resolve_artifacts(arguments["artifacts"], scope)
        except Fault as fault:
            raise Fault(wrap + fault.message) from None
        resolved["arguments"] = {**arguments, "artifacts": artifacts}
    return resolved


def template_of_skipped(context: Context, step: Json, frame: Frame, node: Json) -> Json | None:
    """The template of a skipped step, for its declared outputs."""
    if node.get("outputs") or node["phase"] not in (phases.SKIPPED, phases.OMITTED):
        return None
    try:
        template = context.templates.resolve(step, frame.home)[1]
    except Fault:
        return None
    return with_template_defaults(template, context.spec.get("templateDefaults"))


def add_aggregate(scope: Scope, prefix: str, name: str, items: list[Json]) -> None:
    """The outputs of a loop as JSON lists (Argo: processAggregateNodeOutputs)."""
    if not items:
        return
    results: list[Item] = []
    maps: list[dict[str, str]] = []
    lists: dict[str, list[str]] = {}
    for item in sorted(_succeeded_items(items), key=_loop_index):
        outputs = item.get("outputs") or {}
        if outputs.get("parameters"):
            values = {parameter["name"]: text_of(parameter.get("value")) for parameter in outputs["parameters"]}
            maps.append(values)
            for key, value in values.items():
                lists.setdefault(key, []).append(value)
        if outputs.get("result") is not None:
            results.append(_item(outputs["result"]))
    base = f"{prefix}.{name}.outputs."
    scope.set(base + "result", "[" + ",".join(result.json for result in results) + "]")
    scope.set(base + "parameters", go_json(maps))
    for key, values_of_key in lists.items():
        scope.set(f"{base}parameters.{key}", _merge_values(values_of_key))


def check_results(items: list[Json]) -> None:
    """Raise Fault if the results of a loop cannot form one list."""
    for item in _succeeded_items(items):
        result = (item.get("outputs") or {}).get("result")
        if result is not None:
            _item(result)


def _succeeded_items(items: list[Json]) -> list[Json]:
    """The items of a loop whose outputs count: those that succeeded, without hooks and attempts."""
    return [
        item
        for item in items
        if item["phase"] == phases.SUCCEEDED and not phases.is_hook(item) and not phases.is_attempt(item)
    ]


def _item(result: str) -> Item:
    """A result as an item of a list: JSON stays as it is."""
    try:
        gojson.check(result)
    except gojson.InvalidJson as error:
        raise Fault(str(error)) from None
    return Item(result)


def _loop_index(node: Json) -> int:
    digits = node["name"].rpartition("(")[2].partition(":")[0]
    return int(digits) if digits.isdecimal() else 0


def _merge_values(values: list[str]) -> str:
    """A list of values: JSON lists and objects if all are such, else texts. Numbers in them become Go's floats."""
    read = []
    for value in values:
        try:
            gojson.check(value)
            item = json.loads(value, parse_int=float)
            if not isinstance(item, (dict, list)):
                return go_json(values)
            read.append(to_json(item))
        except (ValueError, ExpressionError):
            return go_json(values)
    return "[" + ",".join(read) + "]"


def set_template_outputs(context: Context, frame: Frame, node: Json, scope: Scope) -> None:
    """Set the outputs of a Steps or DAG template from those of its parts.

    Global ones of steps become the workflow's, those of a DAG only when a DAG around it ends (dag_scope.py), as in Argo.
    """
    template_outputs = _template_outputs(frame.template, scope)
    if template_outputs is not None:
        context.ledger.change(node, outputs=template_outputs)
        if frame.kind == "Steps":
            publish(context, template_outputs)


def _template_outputs(template: Json, scope: Scope) -> Json | None:
    declared = template.get("outputs") or {}
    if not declared.get("parameters") and not declared.get("artifacts") and declared.get("result") is None:
        return None
    result: Json = {}
    if declared.get("parameters"):
        result["parameters"] = [_output_parameter(parameter, scope) for parameter in declared["parameters"]]
    artifacts = []
    for artifact in declared.get("artifacts") or ():
        if not artifact.get("from") and not artifact.get("fromExpression"):
            continue
        try:
            resolved = scope.artifact(artifact)
        except Fault as fault:
            if artifact.get("optional") and "Unable to resolve" in fault.message:
                continue
            raise Fault(f"unable to resolve outputs from scope: {fault.message}") from None
        artifacts.append({**resolved, "name": artifact["name"]})
    if artifacts:
        result["artifacts"] = artifacts
    return result


def _output_parameter(parameter: Json, scope: Scope) -> Json:
    source = parameter.get("valueFrom")
    if source is None:
        raise Fault("output parameters must have a valueFrom specified")
    default = source.get("default")
    try:
        value, absent = scope.parameter(source)
    except Fault:
        if default is None:
            raise
        value = text_of(default)
    else:
        if absent and default is not None:
            value = text_of(default)
    if value is None:
        raise Fault(f'output parameter "{parameter["name"]}": "{source.get("parameter", "")}" is an absent optional '
                    "(skipped/omitted node output with no default)")  # fmt: skip
    return {**{key: field for key, field in parameter.items() if key != "valueFrom"}, "value": go_print(value)}


def publish(context: Context, outputs: Json | None) -> None:
    """Outputs with a globalName become outputs of the workflow, and `workflow.outputs.…` variables."""
    if not outputs:
        return
    for parameter in outputs.get("parameters") or ():
        name = parameter.get("globalName")
        if name and parameter.get("value") is not None:
            value = text_of(parameter["value"])
            _put_named(context, "parameters", {"name": name, "value": value})
            context.variables[f"workflow.outputs.parameters.{name}"] = value
    for artifact in outputs.get("artifacts") or ():
        if artifact.get("globalName"):
            fields = {key: value for key, value in artifact.items() if key not in ("globalName", "path")}
            fields["name"] = artifact["globalName"]
            _put_named(context, "artifacts", fields)


def _put_named(context: Context, kind: str, item: Json) -> None:
    """Add an item to the workflow's outputs, or replace the one of this name, without searching the list."""
    items = context.document["status"].setdefault("outputs", {}).setdefault(kind, [])
    known, places = context.cache.get(("published", kind), (None, {}))
    if known is not items:
        places = {existing.get("name"): place for place, existing in enumerate(items)}
        context.cache["published", kind] = (items, places)
    place = places.setdefault(item["name"], len(items))
    items[place : place + 1] = [item]
