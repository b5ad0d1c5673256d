"""The Kubernetes Pod of a node, as Argo's controller builds it (workflowpod.go), without the executor's containers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hera_utils.argo import phases, timestamps
from hera_utils.interpreter import artifact_repository, limits, new_nodes, pod_size, podspec, substitution
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.frames import Frame
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.templates import POD_KINDS, kind_of
from hera_utils.interpreter.values import go_json, plain_json, text_of

if TYPE_CHECKING:
    from hera_utils.interpreter.context import Context

_PREFIX = "workflows.argoproj.io/"
_LARGE = 100_000
"""Characters of a template that count as one more node in the work of an event."""
_LAST_NAME = re.compile(r"(?:\([^()]*\)|\[[^\[\]]*\])+\Z")


def build(context: Context, frame: Frame) -> Json:
    """The pod of a frame. Raises Fault with Argo's message if it is impossible: a missing volume, an invalid patch."""
    template = frame.template
    name = new_nodes.pod_name_of(context, frame.call.name, str(template.get("name") or ""))
    spec: Json = {"restartPolicy": "Never"}
    containers = main_containers(template)
    seconds = _active_deadline(context, frame, template)
    if seconds is not None:
        spec["activeDeadlineSeconds"] = seconds
    spec.update(podspec.from_workflow(context.spec, template, _boundary_template(context, frame)))
    spec["containers"] = containers + [
        podspec.extra_container(sidecar, containers) for sidecar in template.get("sidecars") or ()
    ]
    inits = [
        podspec.extra_container(init_container, containers) for init_container in template.get("initContainers") or ()
    ]
    if inits:
        spec["initContainers"] = inits
    volumes = podspec.volumes(
        template, _volumes(context, frame), context.document["status"].get("persistentVolumeClaims") or []
    )
    if volumes:
        spec["volumes"] = volumes
    pod: Json = {"apiVersion": "v1", "kind": "Pod", "metadata": _metadata(context, frame, name), "spec": spec}
    podspec.check_commands(pod)
    text = go_json(frame.template)
    pod_size.check_config_map(pod, text)
    pod = _substitute_pod(context, frame, pod, name, text)
    podspec.check_metadata(pod)
    patches = [patch for patch in (context.spec.get("podSpecPatch"), template.get("podSpecPatch")) if patch]
    if patches:
        variables = _pod_variables(context, frame, name)
        filled = [str(substitution.replace(patch, variables, unresolved=True)) for patch in patches]
        pod["spec"] = podspec.apply_patches(pod["spec"], filled)
    podspec.check(pod)
    pod_size.check(pod)
    return pod


def _metadata(context: Context, frame: Frame, name: str) -> Json:
    template, run = frame.template, context.run
    labels = {f"{_PREFIX}workflow": run.name, f"{_PREFIX}completed": "false"}
    if frame.on_exit:
        labels[f"{_PREFIX}on-exit"] = "true"
    annotations = {f"{_PREFIX}node-name": frame.call.name, f"{_PREFIX}node-id": frame.node_id}
    main = [container["name"] for container in main_containers(template)]
    if main:
        annotations["kubectl.kubernetes.io/default-container"] = "main" if "main" in main else main[-1]
    for source in (context.spec.get("podMetadata") or {}, template.get("metadata") or {}):
        labels.update(source.get("labels") or {})
        annotations.update(source.get("annotations") or {})
    owner = {
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": run.name, "uid": run.uid, "controller": True,
        "blockOwnerDeletion": True,
    }  # fmt: skip
    return {
        "name": name, "namespace": run.namespace, "labels": labels, "annotations": annotations, "ownerReferences": [owner],
        "creationTimestamp": timestamps.text(context.ledger.now),
    }  # fmt: skip


def main_containers(template: Json) -> list[Json]:
    """The containers that do the template's work. A script's source is the last argument of its command, as in Argo's executor."""
    kind = kind_of(template)
    if kind == "containerSet":
        return [
            _set_container(template["containerSet"], container)
            for container in template["containerSet"].get("containers") or ()
        ]
    if kind == "container":
        return [{**template["container"], "name": "main"}]
    if kind == "script":
        script = {key: value for key, value in template["script"].items() if key != "source"}
        if template["script"].get("source"):
            script["args"] = [*(script.get("args") or ()), "/argo/staging/script"]
        return [{**script, "name": "main"}]
    return []


def _set_container(container_set: Json, container: Json) -> Json:
    """A container of a set, with the set's volume mounts (Argo: GetContainers)."""
    mounts = [*(container.get("volumeMounts") or ()), *(container_set.get("volumeMounts") or ())]
    fields = {key: value for key, value in container.items() if key != "dependencies"}
    return {**fields, "volumeMounts": mounts} if mounts else fields


def _active_deadline(context: Context, frame: Frame, template: Json) -> int | None:
    """The seconds left of the template's timeout; else of its deadline or the workflow's, whichever is shorter."""
    if template.get("timeout"):
        node = context.run.nodes[frame.node_id]
        left = int(
            timestamps.seconds(node.get("startedAt")) + limits.timeout(str(template["timeout"])) - context.ledger.now
        )
        if left <= 1:
            raise Fault(f"{frame.call.name} exceeded its deadline")
        return left
    own = limits.read_intstr(template.get("activeDeadlineSeconds"))
    deadline = limits.workflow_deadline(context)
    if not deadline or frame.on_exit:
        return own
    left = int(deadline - context.ledger.now)
    return left if own is None or left < own else own


def executor_template(context: Context, frame: Frame, pod_name: str) -> Json:
    """The frame's template as the executor reads it, with the location of its outputs and logs.

    A pod gets it as the value of a variable, in which Kubernetes replaces references, so a script's $$ arrives as $. The agent for http
    templates gets it differently.
    """
    template = artifact_repository.with_archive_location(
        context, frame.template, _pod_variables(context, frame, pod_name)
    )
    if kind_of(template) not in POD_KINDS:
        return template
    text = plain_json(template)
    if "$" not in text or len(text.encode("utf-8", "surrogatepass")) > pod_size.LONGEST_VARIABLE:
        return template
    variables = {
        "ARGO_CONTAINER_NAME": "init", "ARGO_POD_NAME": pod_name, "ARGO_WORKFLOW_NAME": context.run.name,
        "ARGO_WORKFLOW_UID": context.run.uid,
    }  # fmt: skip
    expanded: Json = _expand_variables(template, variables)
    return expanded


def _boundary_template(context: Context, frame: Frame) -> Json:
    boundary = context.frames.get(frame.call.boundary)
    return boundary.template if boundary is not None else {}


def _volumes(context: Context, frame: Frame) -> list[Json]:
    """The workflow's volumes, with the variables of the node's template filled in."""
    declared = context.spec.get("volumes") or []
    if not declared:
        return []
    variables = context.variables
    boundary = context.frames.get(frame.call.boundary)
    scope = getattr(boundary.state, "scope", None) if boundary is not None else None
    if scope is not None:
        variables = variables.plus(scope.parameters())
    filled: list[Json] = substitution.replace(declared, variables, unresolved=True)
    return filled


def _pod_variables(context: Context, frame: Frame, pod_name: str) -> substitution.Variables:
    inputs = (frame.template.get("inputs") or {}).get("parameters") or ()
    values = {
        f"inputs.parameters.{parameter['name']}": text_of(parameter["value"])
        for parameter in inputs
        if parameter.get("value") is not None
    }
    return context.variables.plus({**values, "pod.name": pod_name})


def _substitute_pod(context: Context, frame: Frame, pod: Json, name: str, template: str) -> Json:
    """Argo's last substitution, over the whole pod: volumes and metadata of the workflow were not filled in before.

    In Argo the pod also contains its template, as JSON within JSON: an expression that is still there has changed (a > has become an
    escape), and Argo fails.
    """
    variables = _pod_variables(context, frame, name)
    context.opened += len(template) // _LARGE
    if "{{=" in template:
        substitution.replace(template, variables, unresolved=True)
    filled: Json = substitution.replace(pod, variables, unresolved=True)
    return filled


def open_containers(context: Context, frame: Frame, node: Json) -> None:
    """Create the nodes of the containers of a set, below the pod's node in the order of their dependencies."""
    container_set = frame.template.get("containerSet")
    if container_set is None:
        return
    ledger = context.ledger
    containers = container_set.get("containers") or []
    for container in containers:
        name = f"{node['name']}.{container['name']}"
        if ledger.node_named(name) is None:
            ledger.add(
                name, "Container", phases.PENDING, templateName=node.get("templateName"), templateRef=node.get("templateRef"),
                templateScope=node.get("templateScope"), boundaryID=node["id"], nodeFlag=node.get("nodeFlag"),
            )  # fmt: skip
    for container in containers:
        child = ledger.id_of(f"{node['name']}.{container['name']}")
        above = [
            ledger.nodes[ledger.id_of(f"{node['name']}.{dependency}")]
            for dependency in container.get("dependencies") or ()
        ]
        for parent in above or [node]:
            ledger.adopt(parent, child)


def is_result_referenced(context: Context, frame: Frame) -> bool:
    """Whether a reference to the node's `outputs.result` exists, so that its printed output is stored (Argo: includeScriptOutput)."""
    if kind_of(frame.template) == "data":
        return True
    boundary = context.frames.get(frame.call.boundary)
    if boundary is None:
        return False
    key = ("results", boundary.node_id)
    referenced = context.cache.get(key)
    if referenced is None:
        referenced = context.cache[key] = _referenced_results(
            plain_json(boundary.template), "tasks" if boundary.kind == "DAG" else "steps"
        )
    return _LAST_NAME.sub("", frame.call.name).rpartition(".")[2] in referenced


def _referenced_results(text: str, prefix: str) -> frozenset[str]:
    """The steps or tasks whose `outputs.result` a template's JSON refers to, as a tag or in an expression.

    In JSON double quotes have a backslash, so Argo does not find `steps["a"].outputs.result`.
    """
    dotted = re.findall(rf"{prefix}\.([-\w]+)\.outputs\.result", text)
    bracketed = re.findall(rf"{prefix}\['([-\w]+)'\]\.outputs.result", text)
    return frozenset(dotted) | frozenset(bracketed)


# The name is everything in the parentheses, even $$; a reference without a value stays as it is.
_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")


def _expand_variables(value: Any, variables: Mapping[str, str]) -> Any:
    """The value with Kubernetes' `$(NAME)` in all its texts replaced: known names by their values, `$$` by a dollar."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: _value_of(match, variables), value) if "$" in value else value
    if isinstance(value, list):
        return [_expand_variables(item, variables) for item in value]
    if isinstance(value, dict):
        return {key: _expand_variables(item, variables) for key, item in value.items()}
    return value


def _value_of(match: re.Match[str], variables: Mapping[str, str]) -> str:
    return "$" if match[0] == "$$" else variables.get(match[1], match[0])
