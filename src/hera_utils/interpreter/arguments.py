"""Fills a template in: its inputs from the arguments, then its variables (Argo: ProcessArgs, SubstituteParams)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hera_utils.interpreter import substitution
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.scope import ABSENT
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import text_of
from hera_utils.interpreter.variables import ConfigMaps, from_config_map, parameters_json

LOCATIONS = ("artifactory", "s3", "git", "http", "hdfs", "raw", "oss", "gcs", "azure", "plugin")


def has_location(artifact: Mapping[str, Any]) -> bool:
    """Whether the artifact has a location."""
    return any(isinstance(artifact.get(location), dict) for location in LOCATIONS)


def find_item(items: list[Json] | None, name: str) -> Json | None:
    return next((item for item in items or () if item.get("name") == name), None)


def resolve_inputs(
    template: Json,
    arguments: Mapping[str, Any],
    above: substitution.Variables,
    local: substitution.Variables,
    config_maps: ConfigMaps,
) -> Json:
    """The template with its inputs set from the arguments and every known variable substituted.

    above: `workflow.*`; local: the variables of the node, with the entropy for its expressions. Raises Fault with Argo's message when
    an input has no value.
    """
    inputs = template.get("inputs") or {}
    if inputs.get("parameters") or inputs.get("artifacts"):
        filled = dict(inputs)
        if inputs.get("parameters"):
            given = {parameter["name"]: parameter for parameter in arguments.get("parameters") or ()}
            filled["parameters"] = [_input(p, given.get(p["name"]), above, config_maps) for p in inputs["parameters"]]
        if inputs.get("artifacts"):
            filled["artifacts"] = [
                _artifact(a, find_item(arguments.get("artifacts"), a["name"])) for a in inputs["artifacts"]
            ]
        template = {**template, "inputs": filled}
    return substitute(template, above, local)


def _input(parameter: Json, argument: Json | None, above: substitution.Variables, config_maps: ConfigMaps) -> Json:
    """An input parameter with its value: that of the argument, else its own, else its default. Raises Fault if there is none."""
    filled = dict(parameter)
    if filled.get("value") is None and filled.get("default") is not None:
        filled["value"] = text_of(filled["default"])
    if argument is not None and argument.get("value") == ABSENT:
        if filled.get("value") is None and filled.get("valueFrom") is None:
            raise Fault(f"inputs.parameters.{parameter['name']}: argument references an absent optional "
                        "(skipped/omitted node output with no default)")  # fmt: skip
    elif argument is not None:
        if argument.get("value") is not None:
            filled["value"] = text_of(argument["value"])
            filled.pop("valueFrom", None)
        else:
            filled["valueFrom"] = argument.get("valueFrom")
            filled.pop("value", None)
    reference = (filled.get("valueFrom") or {}).get("configMapKeyRef")
    if reference is not None:
        filled["value"] = _from_config_map(parameter["name"], filled["valueFrom"], above, config_maps)
    elif filled.get("value") is None:
        raise Fault(f"inputs.parameters.{parameter['name']} was not supplied")
    else:
        filled["value"] = text_of(filled["value"])
    return {key: value for key, value in filled.items() if value is not None}


def _from_config_map(name: str, source: Json, above: substitution.Variables, config_maps: ConfigMaps) -> str:
    reference = source["configMapKeyRef"]
    try:
        where = [
            str(substitution.replace(reference.get(field, ""), above, unresolved=False)) for field in ("name", "key")
        ]
    except Fault as fault:
        raise Fault(f"failed to substitute configMapKeyRef: {fault.message}") from None
    try:
        return from_config_map(config_maps, *where)
    except Fault as fault:
        if source.get("default") is not None:
            return text_of(source["default"])
        raise Fault(f"unable to retrieve inputs.parameters.{name} from ConfigMap: {fault.message}") from None


def _artifact(declared: Json, supplied: Json | None) -> Json:
    if not declared.get("optional") and not has_location(declared):
        if supplied is None:
            raise Fault(f"inputs.artifacts.{declared['name']} was not supplied")
        if not has_location(supplied):
            raise Fault(f"inputs.artifacts.{declared['name']} missing location information")
    if supplied is None:
        return declared
    fields = {key: declared[key] for key in ("path", "mode", "recurseMode") if declared.get(key) is not None}
    return {**{key: value for key, value in supplied.items() if key not in ("path", "mode", "recurseMode")}, **fields}


def substitute(template: Json, above: Mapping[str, Any], local: substitution.Variables) -> Json:
    """The template with its variables replaced; unknown ones stay.

    In two passes, as in Argo: first the variables of the workflow and the node (inputs may contain them), then the inputs.
    """
    variables = substitution.Variables(above, local.entropy).plus(local)
    first = _replace_variables(template, variables)
    inputs = first.get("inputs") or {}
    parameters = inputs.get("parameters") or []
    for parameter in parameters:
        if parameter.get("value") is not None:
            variables[f"inputs.parameters.{parameter['name']}"] = text_of(parameter["value"])
        elif parameter.get("valueFrom") is None:
            raise Fault(f"inputs.parameters.{parameter['name']} had no value")
    variables["inputs.parameters"] = parameters_json(parameters)
    for artifact in inputs.get("artifacts") or ():
        if artifact.get("path"):
            variables[f"inputs.artifacts.{artifact['name']}.path"] = artifact["path"]
    outputs = first.get("outputs") or {}
    for artifact in outputs.get("artifacts") or ():
        if artifact.get("path"):
            variables[f"outputs.artifacts.{artifact['name']}.path"] = artifact["path"]
    for parameter in outputs.get("parameters") or ():
        if (parameter.get("valueFrom") or {}).get("path"):
            variables[f"outputs.parameters.{parameter['name']}.path"] = parameter["valueFrom"]["path"]
    return _replace_variables(first, variables)


def _replace_variables(template: Json, variables: substitution.Variables) -> Json:
    """The template with its variables replaced. Expressions of time and chance in steps and tasks stay until these open."""
    parts = {key: template[key] for key in ("steps", "dag") if template.get(key) is not None}
    if not parts:
        whole: Json = substitution.replace(template, variables, unresolved=True)
        return whole
    rest = {key: value for key, value in template.items() if key not in parts}
    filled = substitution.replace(rest, variables, unresolved=True)
    return {**filled, **substitution.replace(parts, variables, unresolved=True, drawing=False)}
