"""Checks of templates without steps and tasks: containers, scripts, resources… (Argo: validateLeaf, validateOutputs)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hera_utils.argo.whole_numbers import whole_number
from hera_utils.errors import InvalidWorkflow
from hera_utils.interpreter.templates import kind_of
from hera_utils.interpreter.validation.fields import (
    check_location,
    check_names,
    check_path,
    is_placeholder,
    is_tag,
    value_name_fault,
)
from hera_utils.interpreter.validation.variables import CheckedScope

Json = dict[str, Any]

LEAVES = frozenset({"container", "containerSet", "script", "resource", "data", "http", "plugin"})
TYPE_NAMES = {
    "container": "Container", "containerSet": "ContainerSet", "steps": "Steps", "dag": "DAG", "script": "Script",
    "resource": "Resource", "data": "Data", "suspend": "Suspend", "http": "HTTP", "plugin": "Plugin",
}  # fmt: skip
_ACTIONS = ("get", "create", "apply", "delete", "replace", "patch")
_EXPRESSION = re.compile(r"\{\{\s*=\s*(.+?)\s*\}\}")
_METRIC_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")


def is_argo_container(name: str) -> bool:
    """Whether the name is reserved for Argo's own containers."""
    return name in ("wait", "supervisor") or name.startswith("artifact-plugin-")


def check_leaf(template: Json, scope: CheckedScope, defaults: Mapping[str, Any]) -> None:
    """Check a template without steps and tasks. defaults: templateDefaults of its home, which may give the image."""
    name = template.get("name", "")
    at = f"templates.{name}"
    try:
        scope.check(template)
    except InvalidWorkflow as error:
        raise InvalidWorkflow(f"{at}: {error}") from None
    if template.get("container") is not None:
        _check_mounts(at, template)
        _check_image(at, "container", template, defaults)
    if template.get("containerSet") is not None:
        _check_container_set(at, template)
    for sidecar in template.get("sidecars") or ():
        if is_argo_container(sidecar.get("name", "")):
            raise InvalidWorkflow(f'{at}.sidecars: "{sidecar["name"]}" is a reserved Argo container name')
    if template.get("resource") is not None:
        _check_resource(at, template)
    if template.get("script") is not None:
        _check_image(at, "script", template, defaults)
    _check_deadline(at, template.get("activeDeadlineSeconds"))
    if template.get("parallelism") is not None:
        raise InvalidWorkflow(f"{at}.parallelism is only valid for steps and dag templates")


def _check_mounts(at: str, template: Json) -> None:
    places = _mounts_by_path(at, "container.volumeMounts", template["container"])
    for index, artifact in enumerate((template.get("inputs") or {}).get("artifacts") or ()):
        path = artifact.get("path", "")
        if path in places:
            raise InvalidWorkflow(f"{at}.inputs.artifacts[{index}].path '{path}' already mounted in {places[path]}")
        places[path] = f"inputs.artifacts.{artifact['name']}"


def _mounts_by_path(at: str, field: str, holder: Json) -> dict[str, str]:
    """Path → what is mounted there. Raises InvalidWorkflow if a path has two mounts. field: the mounts' place below `at`."""
    places: dict[str, str] = {}
    for index, mount in enumerate(holder.get("volumeMounts") or ()):
        path = mount.get("mountPath", "")
        if path in places:
            raise InvalidWorkflow(f"{at}.{field}[{index}].mountPath '{path}' already mounted in {places[path]}")
        places[path] = f"{field}.{mount.get('name', '')}"
    return places


def _check_image(at: str, kind: str, template: Json, defaults: Mapping[str, Any]) -> None:
    if not template[kind].get("image") and not (defaults.get(kind) or {}).get("image"):
        raise InvalidWorkflow(f"{at}.{kind}.image may not be empty")


def _check_deadline(at: str, deadline: Any) -> None:
    message = f"{at}.activeDeadlineSeconds must be a positive integer > 0 or an argo variable"
    if isinstance(deadline, str):
        if (number := whole_number(deadline)) is not None:
            deadline = number
        elif not is_placeholder(deadline) and not (deadline.startswith("{{") and deadline.endswith("}}")):
            raise InvalidWorkflow(message)
    if isinstance(deadline, int) and deadline < 0:
        raise InvalidWorkflow(message)


def _check_resource(at: str, template: Json) -> None:
    resource = template["resource"]
    action, manifest = resource.get("action", ""), resource.get("manifest") or ""
    if not is_placeholder(action) and action not in _ACTIONS:
        raise InvalidWorkflow(f"{at}.resource.action must be one of: {', '.join(_ACTIONS)}")
    if action in ("delete", "get"):
        return
    source = resource.get("manifestFrom")
    if not manifest and source is None:
        raise InvalidWorkflow(f"either {at}.resource.manifest or {at}.resource.manifestFrom must be specified")
    if manifest and source is not None:
        raise InvalidWorkflow(
            "shouldn't have both `manifest` and `manifestFrom` specified in `Manifest` for resource template"
        )
    artifact = (source or {}).get("artifact")
    if artifact is not None:
        names = [artifact.get("name") for artifact in (template.get("inputs") or {}).get("artifacts") or ()]
        if artifact.get("name") not in names:
            raise InvalidWorkflow(
                f"artifact {artifact.get('name', '')} in `manifestFrom` refer to a non-exist artifact"
            )
    if manifest and not is_placeholder(manifest):
        import yaml

        from hera_utils.argo import yaml_limits

        try:
            yaml_limits.parse_first(_EXPRESSION.sub("placeholder", manifest))
        except (yaml.YAMLError, ValueError):
            raise InvalidWorkflow(f"{at}.resource.manifest must be a valid yaml") from None


# --- container sets -----------------------------------------------------------------------------------------------


def _check_container_set(at: str, template: Json) -> None:
    containers = template["containerSet"].get("containers") or []
    at = f"{at}.containerSet"
    if not containers:
        raise InvalidWorkflow(f"{at}.containers must have at least one container")
    check_names(f"{at}.containers", containers, values=False)
    _mounts_by_path(at, "volumeMounts", template["containerSet"])
    graph = {container["name"]: container.get("dependencies") or [] for container in containers}
    for name, dependencies in graph.items():
        for dependency in dependencies:
            if dependency not in graph:
                raise InvalidWorkflow(f"{at}.containers.{name} dependency '{dependency}' not defined")
    cycle = cycle_of(graph, sorted(graph))
    if cycle:
        raise InvalidWorkflow(f"{at}.containers dependency cycle detected: {cycle}")
    inputs, outputs = template.get("inputs") or {}, template.get("outputs") or {}
    if (inputs.get("artifacts") or outputs.get("parameters") or outputs.get("artifacts")) and "main" not in graph:
        raise InvalidWorkflow(f'{at}.containers must have a container named "main" for input or output')
    for name in graph:
        if is_argo_container(name):
            raise InvalidWorkflow(f'{at}.containers: "{name}" is a reserved Argo container name')


def cycle_of(graph: Mapping[str, list[str]], order: list[str]) -> str | None:
    """A cycle that a search from the first names finds, as Argo writes it (`b->a->b`), None without one."""
    done: set[str] = set()
    for start in order:
        if start in done:
            continue
        # Argo's path does not contain the name it starts from. It recurses, for which long chains are too deep here.
        path: list[str] = []
        stack = [(start, iter(graph.get(start, ())))]
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                done.add(name)
                stack.pop()
                if path:
                    path.pop()
                continue
            if following in path:
                return f"{'->'.join(path)}->{following}"
            if following not in done:
                path.append(following)
                stack.append((following, iter(graph.get(following, ()))))
    return None


# --- outputs and metrics --------------------------------------------------------------------------------------------


def check_outputs(template: Json, scope: CheckedScope) -> None:
    name, outputs = template.get("name", ""), template.get("outputs") or {}
    at = f"templates.{name}.outputs"
    check_names(f"{at}.parameters ", outputs.get("parameters"), values=True)
    check_names(f"{at}.artifacts ", outputs.get("artifacts"), values=True)
    try:
        scope.check(outputs)
    except InvalidWorkflow as error:
        raise InvalidWorkflow(f"{at} {error}") from None
    kind = kind_of(template)
    for artifact in outputs.get("artifacts") or ():
        reference = f"{at}.artifacts.{artifact['name']}"
        if kind in LEAVES:
            check_path(reference, artifact)
        elif artifact.get("path"):
            raise InvalidWorkflow(f"{reference}.path only valid in container/script templates")
        _check_global_name(reference, artifact)
    for parameter in outputs.get("parameters") or ():
        reference = f"{at}.parameters.{parameter['name']}"
        _check_output_source(reference, parameter)
        if parameter.get("valueFrom") is not None:
            _check_source_for(reference, kind, parameter["valueFrom"])
        _check_global_name(reference, parameter)


def _check_global_name(at: str, output: Mapping[str, Any]) -> None:
    shared = output.get("globalName") or ""
    fault = value_name_fault(shared) if shared and not is_tag(shared) else None
    if fault:
        raise InvalidWorkflow(f"{at}.globalName: {fault}")


_SOURCES = ("path", "jqFilter", "jsonPath", "parameter", "expression")


def _check_output_source(at: str, parameter: Mapping[str, Any]) -> None:
    source, value = parameter.get("valueFrom"), parameter.get("value")
    if source is not None and value is not None:
        raise InvalidWorkflow(f"{at} has both valueFrom and value specified, choose one")
    if value is not None:
        return
    if source is None:
        raise InvalidWorkflow(f"{at} does not have valueFrom or value specified")
    sources = sum(1 for name in _SOURCES if source.get(name)) + (source.get("supplied") is not None)
    if sources == 0:
        raise InvalidWorkflow(
            "valueFrom type unspecified. choose one of: path, jqFilter, jsonPath, parameter, raw, expression"
        )
    if sources > 1:
        raise InvalidWorkflow(
            "multiple valueFrom types specified. choose one of: path, jqFilter, jsonPath, parameter, raw"
        )


def _check_source_for(at: str, kind: str, source: Mapping[str, Any]) -> None:
    """The source of an output value fits the kind of template."""
    if kind in ("container", "containerSet", "script") and not source.get("path"):
        raise InvalidWorkflow(f"{at}.path must be specified for {TYPE_NAMES[kind]} templates")
    if kind == "resource" and not source.get("jqFilter") and not source.get("jsonPath"):
        raise InvalidWorkflow(f"{at} .jqFilter or jsonPath must be specified for Resource templates")
    if kind in ("dag", "steps") and not source.get("parameter") and not source.get("expression"):
        raise InvalidWorkflow(f"{at}.parameter or expression must be specified for {TYPE_NAMES[kind]} templates")


def check_inputs(template: Json, scope: CheckedScope) -> None:
    """Check the inputs and add their names to the scope."""
    name, inputs = template.get("name", ""), template.get("inputs") or {}
    at = f"templates.{name}.inputs"
    check_names(f"{at}.parameters", inputs.get("parameters"), values=True)
    check_names(f"{at}.artifacts", inputs.get("artifacts"), values=True)
    parameters = inputs.get("parameters") or ()
    scope.names.update(f"inputs.parameters.{parameter['name']}" for parameter in parameters)
    if parameters:
        scope.names.add("inputs.parameters")
    leaf = kind_of(template) in LEAVES
    for artifact in inputs.get("artifacts") or ():
        key = f"inputs.artifacts.{artifact['name']}"
        reference = f"templates.{name}.{key}"
        scope.names.add(key)
        if leaf:
            check_path(reference, artifact)
            scope.names.add(f"{key}.path")
        elif artifact.get("path"):
            raise InvalidWorkflow(f"{reference}.path only valid in container/script templates")
        if artifact.get("from"):
            raise InvalidWorkflow(f"{reference}.from not valid in inputs")
        check_location(reference, artifact)


def check_metrics(name: str, template: Json) -> None:
    for metric in (template.get("metrics") or {}).get("prometheus") or ():
        called = metric.get("name", "")
        if not _METRIC_NAME.match(called):
            raise InvalidWorkflow(
                f"templates.{name} metric name '{called}' is invalid."
                " Metric names must contain alphanumeric characters or '_'"
            )
        for label in metric.get("labels") or ():
            if not _METRIC_NAME.match(label.get("key", "")):
                raise InvalidWorkflow(
                    f"metric label '{label.get('key', '')}' is invalid:"
                    " keys may only contain alphanumeric characters or '_'"
                )
        if not metric.get("help"):
            raise InvalidWorkflow(f"templates.{name} metric '{called}' must contain a help string under 'help: ' field")
        fault = _metric_fault(metric)
        if fault:
            raise InvalidWorkflow(f"templates.{name} metric '{called}' error: {fault}")


def _metric_fault(metric: Mapping[str, Any]) -> str | None:
    gauge = metric.get("gauge")
    if gauge is not None and not gauge.get("value"):
        return "missing gauge.value"
    if gauge is not None and gauge.get("realtime") and "resourcesDuration." in gauge["value"]:
        return "'resourcesDuration.*' metrics cannot be used in real-time"
    for kind in ("counter", "histogram"):
        if metric.get(kind) is not None and not metric[kind].get("value"):
            return f"missing {kind}.value"
    return None
