"""Parts of a pod's spec: volumes, containers beside the main one, fields of the workflow and the template, patches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hera_utils.argo import names, schema
from hera_utils.argo.merge_patches import PatchError, strategic_merge
from hera_utils.argo.pod_validation import pods
from hera_utils.argo.pod_validation.containers import ARGO
from hera_utils.errors import Refused
from hera_utils.interpreter.faults import Fault
from hera_utils.interpreter.state import Json
from hera_utils.interpreter.templates import kind_of

_INHERITED = ("nodeSelector", "affinity", "tolerations")
_EXECUTORS = frozenset({"init", "wait", "supervisor"})
_NO_COMMAND = (  # the executor needs a container's command, and looks it up in the image
    'failed to look-up entrypoint/cmd for image "", you must either explicitly specify the command, or list the image\'s command '
    "in the index: https://argo-workflows.readthedocs.io/en/latest/workflow-executors/#emissary-emissary: could not parse reference: "
)
_NO_PATCH = "Error applying PodSpecPatch"
_BOTH = ("schedulerName", "securityContext")


def from_workflow(spec: Json, template: Json, boundary: Json) -> Json:
    """The fields that a pod takes from its template, else from the template around it, else from the workflow."""
    pod_spec: Json = {}
    for field in _INHERITED:
        value = template.get(field) or boundary.get(field) or spec.get(field)
        if value:
            pod_spec[field] = value
    for field in _BOTH:
        value = template.get(field) or spec.get(field)
        if value:
            pod_spec[field] = value
    for field in ("imagePullSecrets", "hostNetwork", "dnsPolicy", "dnsConfig"):
        if spec.get(field):
            pod_spec[field] = spec[field]
    priority = template.get("priorityClassName") or spec.get("podPriorityClassName")
    if priority:
        pod_spec["priorityClassName"] = priority
    aliases = [*(spec.get("hostAliases") or ()), *(template.get("hostAliases") or ())]
    if aliases:
        pod_spec["hostAliases"] = aliases
    account = template.get("serviceAccountName") or spec.get("serviceAccountName")
    if account:
        pod_spec["serviceAccountName"] = account
    mounted = template.get("automountServiceAccountToken")
    mounted = spec.get("automountServiceAccountToken") if mounted is None else mounted
    if mounted is False:
        executor = (template.get("executor") or {}).get("serviceAccountName") or (spec.get("executor") or {}).get(
            "serviceAccountName"
        )
        if not executor:
            raise Fault("executor.serviceAccountName must not be empty if automountServiceAccountToken is false")
        pod_spec["automountServiceAccountToken"] = False
    resources = template.get("podResources") or spec.get("podResources")
    if resources:
        pod_spec["resources"] = resources
    return pod_spec


def extra_container(container: Json, main: list[Json]) -> Json:
    """An init container or a sidecar; with mirrorVolumeMounts it has the mounts of the main container."""
    fields = {key: value for key, value in container.items() if key != "mirrorVolumeMounts"}
    if container.get("mirrorVolumeMounts"):
        source = next((container for container in main if container.get("name") == "main"), {})
        paths = {mount["mountPath"] for mount in fields.get("volumeMounts") or ()}
        mirrored = [mount for mount in source.get("volumeMounts") or () if mount["mountPath"] not in paths]
        fields["volumeMounts"] = [*(fields.get("volumeMounts") or ()), *mirrored]
    return fields


def volumes(template: Json, declared: list[Json], claims: list[Json]) -> list[Json]:
    """The template's volumes and those of the workflow that its containers mount."""
    own = {volume["name"]: volume for volume in template.get("volumes") or ()}
    by_name = {volume["name"]: volume for volume in reversed([*(template.get("volumes") or ()), *declared, *claims])}
    if kind_of(template) not in ("http", "plugin"):
        for mount in _mounts(template):
            name = mount.get("name", "")
            if name not in by_name:
                raise Fault(f"volume '{name}' not found in workflow spec")
            own.setdefault(name, by_name[name])
    return list(own.values())


def _mounts(template: Json) -> Iterator[Json]:
    kind = kind_of(template)
    holder: Json = template.get(kind) or {}
    if kind in ("container", "script", "containerSet"):
        yield from holder.get("volumeMounts") or ()
    elif kind == "data":
        yield from (template.get("data") or {}).get("volumeMounts") or ()
    for beside in [*(template.get("initContainers") or ()), *(template.get("sidecars") or ())]:
        yield from beside.get("volumeMounts") or ()


def apply_patches(spec: Json, patches: list[str]) -> Json:
    """The spec with podSpecPatches (YAML or JSON) merged over it, in order. For an unsuitable patch Argo's message gives no details."""
    import yaml

    from hera_utils.argo import yaml_limits

    for text in patches:
        try:
            patch: Any = yaml_limits.parse(text)
            if not isinstance(patch, dict):
                raise Fault(_NO_PATCH)
            schema.decode(patch, "v1.PodSpec", at="")  # Argo reads it as a pod's spec before it is merged
            spec = strategic_merge(spec, _without_executor(patch), "v1.PodSpec")
        except (yaml.YAMLError, PatchError, Refused):
            raise Fault(_NO_PATCH) from None
    plain: Json = json.loads(json.dumps(spec))
    return plain


def _without_executor(patch: Json) -> Json:
    """A patch without its parts about the executor's own containers, which do not exist here."""
    fields = dict(patch)
    for field in ("initContainers", "containers"):
        if isinstance(fields.get(field), list):
            fields[field] = [
                container
                for container in fields[field]
                if not isinstance(container, dict) or container.get("name") not in _EXECUTORS
            ]
    return fields


def check_metadata(pod: Json) -> None:
    """Refuse illegal labels and annotations, as they may contain outputs of earlier tasks. Raises Fault."""
    if faults := names.metadata_faults(pod["metadata"]):
        raise Fault(f'Pod "{pod["metadata"]["name"]}" is invalid: {names.join_messages(faults)}')


def check_commands(pod: Json) -> None:
    """Refuse containers that have neither image nor command. Raises Fault with Argo's message."""
    for container in (*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())):
        if not container.get("image") and not container.get("command"):
            raise Fault(_NO_COMMAND)


def check(pod: Json) -> None:
    """Refuse a pod that Kubernetes would refuse, as its fields may contain texts of users or earlier tasks. Raises Fault."""
    if complaint := pods.pod_fault(pod, ARGO):
        raise Fault(complaint)
