"""The variables `workflow.*` (Argo: setGlobalParameters and util/variables/keys)."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.values import go_json, plain_json, text_of

ConfigMaps = dict[str, dict[str, str]]

_STRFTIME = {letter: f"%{letter}" for letter in "BbmAadHIMSYypZz"}
_PARAMETER_FIELDS = ("name", "default", "value", "valueFrom", "globalName", "enum", "description")
_SCHEDULED = "workflows.argoproj.io/scheduled-time"


def parameters_json(parameters: list[Json] | None) -> str:
    """A list of parameters as Go writes it: the fields in the order of Argo's type."""
    if not parameters:
        return "null"
    listed = []
    for parameter in parameters:
        fields = {key: parameter[key] for key in _PARAMETER_FIELDS if parameter.get(key) is not None}
        for key in ("default", "value"):
            if key in fields:
                fields[key] = text_of(fields[key])
        parts = ",".join(f'"{key}":{go_json(value)}' for key, value in fields.items())
        listed.append("{" + parts + "}")
    return "[" + ",".join(listed) + "]"


def workflow_variables(document: Json, spec: Json, config_maps: ConfigMaps) -> dict[str, Any]:
    """Every `workflow.*` variable that is known before anything runs. Raises Fault for a parameter without a value."""
    metadata = document["metadata"]
    variables: dict[str, Any] = {
        "workflow.name": metadata["name"],
        "workflow.namespace": metadata.get("namespace", ""),
        "workflow.mainEntrypoint": spec.get("entrypoint", ""),
        "workflow.serviceAccountName": spec.get("serviceAccountName", ""),
        "workflow.uid": metadata.get("uid", ""),
    }
    variables.update(_creation(metadata.get("creationTimestamp")))
    scheduled = (metadata.get("annotations") or {}).get(_SCHEDULED)
    if scheduled is not None:
        variables["workflow.scheduledTime"] = scheduled
    if spec.get("priority") is not None:
        variables["workflow.priority"] = str(spec["priority"])
    parameters = (spec.get("arguments") or {}).get("parameters")
    variables["workflow.parameters"] = variables["workflow.parameters.json"] = parameters_json(parameters)
    for parameter in parameters or ():
        variables[f"workflow.parameters.{parameter['name']}"] = _value(parameter, config_maps)
    variables.update(output_variables(document))
    variables.update(_metadata(metadata, spec.get("workflowMetadata") or {}))
    return variables


def output_variables(document: Json) -> dict[str, Any]:
    """The global output parameters that exist so far."""
    outputs = (document.get("status") or {}).get("outputs") or {}
    return {
        f"workflow.outputs.parameters.{parameter['name']}": text_of(parameter["value"])
        for parameter in outputs.get("parameters") or ()
        if parameter.get("value") is not None
    }


def _creation(stamp: str | None) -> dict[str, str]:
    created = datetime.fromtimestamp(timestamps.seconds(stamp), timezone.utc)
    base = "workflow.creationTimestamp"
    variables = {f"{base}.{letter}": created.strftime(form) for letter, form in _STRFTIME.items()}
    variables[f"{base}.Z"] = "UTC"
    variables[f"{base}.L"] = f".{created.microsecond // 1000:03d}"
    variables[f"{base}.s"] = str(int(created.timestamp()))
    variables[base] = variables[f"{base}.RFC3339"] = created.strftime("%Y-%m-%dT%H:%M:%SZ")
    return variables


def _value(parameter: Json, config_maps: ConfigMaps) -> str:
    if parameter.get("value") is not None:
        return text_of(parameter["value"])
    source = parameter.get("valueFrom") or {}
    reference = source.get("configMapKeyRef")
    name = parameter["name"]
    if reference is None:
        raise Fault(f"either value or valueFrom must be specified in order to set global parameter {name}")
    try:
        return from_config_map(config_maps, reference.get("name", ""), reference.get("key", ""))
    except Fault as fault:
        if source.get("default") is None:
            where = f"configmap with name {reference.get('name')} and key {reference.get('key')}"
            raise Fault(f"failed to set global parameter {name} from {where}: {fault.message}") from None
        return text_of(source["default"])


def from_config_map(config_maps: ConfigMaps, name: str, key: str) -> str:
    """The value of a key of a config map with parameters. Raises Fault with Argo's message when it does not exist."""
    data = config_maps.get(name)
    if data is None:
        raise Fault(f"ConfigMap '{name}' does not exist. Please make sure it has the label "
                    "workflows.argoproj.io/configmap-type: Parameter to be detectable by the controller")  # fmt: skip
    if key not in data:
        raise Fault(f"ConfigMap '{name}' does not have the key '{key}'")
    return data[key]


def _metadata(metadata: Json, extra: Json) -> dict[str, Any]:
    variables: dict[str, Any] = {}
    for kind in ("annotations", "labels"):
        values = metadata.get(kind)
        variables[f"workflow.{kind}"] = variables[f"workflow.{kind}.json"] = (
            "null" if values is None else plain_json(values)
        )
        computed = extra.get("labelsFrom") or {} if kind == "labels" else {}
        for key, value in {**(values or {}), **(extra.get(kind) or {})}.items():
            if key not in computed:  # Argo sets a label from an expression later
                variables[f"workflow.{kind}.{key}"] = value
    return variables
