"""Creates a workflow from a WorkflowTemplate, a ClusterWorkflowTemplate or a CronWorkflow, and applies submit options to it.

Sources: Argo's SubmitWorkflow (server/workflow), ApplySubmitOpts (workflow/util/util.go), convert.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from hera_utils.argo import timestamps
from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT
from hera_utils.errors import Refused
from hera_utils.interpreter.document import location_of

Json = dict[str, Any]

_KINDS = {
    name: kind
    for kind, names in {
        "CronWorkflow": ("CronWorkflow", "cronworkflow", "cronworkflows", "cronwf"),
        "WorkflowTemplate": ("WorkflowTemplate", "workflowtemplate", "workflowtemplates", "wftmpl"),
        "ClusterWorkflowTemplate": (
            "ClusterWorkflowTemplate", "clusterworkflowtemplate", "clusterworkflowtemplates", "cwftmpl",
        ),
    }.items()
    for name in names
}  # fmt: skip

TEMPLATE_LABELS = {
    "WorkflowTemplate": "workflows.argoproj.io/workflow-template",
    "ClusterWorkflowTemplate": "workflows.argoproj.io/cluster-workflow-template",
}
CRON_LABEL = "workflows.argoproj.io/cron-workflow"
SCHEDULED = "workflows.argoproj.io/scheduled-time"
INSTANCE_LABEL = "workflows.argoproj.io/controller-instanceid"
_CREATOR_LABELS = tuple(f"workflows.argoproj.io/creator{end}" for end in ("", "-email", "-preferred-username"))


def submitted_kind(name: str) -> str:
    """The kind of a `resourceKind` (the CLI sends short names). Raises Refused with Argo's message."""
    if name not in _KINDS:
        raise Refused(INVALID_ARGUMENT, f"Resource kind '{name}' is not supported for submitting")
    return _KINDS[name]


def workflow_from(resource: Json, kind: str, *, at: float) -> Json:
    """The workflow created by submitting `resource` (a whole document), before submit options. at: now, seconds since the epoch."""
    if kind == "CronWorkflow":
        return cron_workflow(resource, at=at)
    name = resource["metadata"]["name"]
    reference: Json = {"name": name}
    if kind == "ClusterWorkflowTemplate":
        reference["clusterScope"] = True
    return {
        "metadata": {"generateName": f"{name}-", "labels": {TEMPLATE_LABELS[kind]: name}},
        "spec": {"arguments": {}, "workflowTemplateRef": reference},
        "status": {"startedAt": None, "finishedAt": None},
    }


def cron_workflow(cron: Json, *, at: float, name: str | None = None) -> Json:
    """The workflow of a cron workflow. name: that of a scheduled run, which also inherits the creator's labels; None: by hand."""
    metadata, spec = cron["metadata"], cron.get("spec") or {}
    own_labels = metadata.get("labels") or {}
    labels = {key: own_labels[key] for key in _CREATOR_LABELS if name is not None and key in own_labels}
    if INSTANCE_LABEL in own_labels:
        labels[INSTANCE_LABEL] = own_labels[INSTANCE_LABEL]
    labels[CRON_LABEL] = metadata["name"]
    workflow_metadata = spec.get("workflowMetadata") or {}
    labels.update(workflow_metadata.get("labels") or {})
    metadata_of_workflow: Json = {"name": name} if name is not None else {"generateName": f"{metadata['name']}-"}
    metadata_of_workflow["labels"] = labels
    metadata_of_workflow["annotations"] = {
        SCHEDULED: timestamps.text(at),
        **(workflow_metadata.get("annotations") or {}),
    }
    if workflow_metadata.get("finalizers"):
        metadata_of_workflow["finalizers"] = list(workflow_metadata["finalizers"])
    metadata_of_workflow["ownerReferences"] = [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "CronWorkflow",
            "name": metadata["name"],
            "uid": metadata.get("uid", ""),
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    inner = dict(spec.get("workflowSpec") or {})
    inner.setdefault("arguments", {})
    return {"metadata": metadata_of_workflow, "spec": inner, "status": {"startedAt": None, "finishedAt": None}}


def with_options(workflow: Json, options: Mapping[str, Any] | None, template: Json | None = None) -> Json:
    """The workflow with SubmitOpts applied; the given one does not change.

    template: the document of its workflowTemplateRef, whose artifacts `artifacts` overrides. Raises Refused with Argo's message.
    """
    options = options or {}
    metadata, spec = dict(workflow.get("metadata") or {}), dict(workflow.get("spec") or {})
    for option, field in (
        ("entryPoint", "entrypoint"),
        ("serviceAccount", "serviceAccountName"),
        ("podPriorityClassName", "podPriorityClassName"),
    ):
        if options.get(option):
            spec[field] = options[option]
    if options.get("priority") is not None:
        spec["priority"] = options["priority"]
    for option, word in (("labels", "labels"), ("annotations", "Annotations")):
        pairs = _pairs(options.get(option) or "", word, options.get("labels") or "")
        both = {**(metadata.get(option) or {}), **pairs}
        if both:
            metadata[option] = both
    if options.get("parameters"):
        spec["arguments"] = with_parameters(spec.get("arguments"), options["parameters"])
    if options.get("artifacts"):
        spec["arguments"] = _with_artifacts(spec, _overrides(options["artifacts"]), template)
    for name in ("generateName", "name"):
        if options.get(name):
            metadata[name] = options[name]
    if options.get("ownerReference"):
        metadata["ownerReferences"] = [*(metadata.get("ownerReferences") or ()), options["ownerReference"]]
    return {**workflow, "metadata": metadata, "spec": spec}


def with_parameters(arguments: Mapping[str, Any] | None, overrides: Sequence[str]) -> Json:
    """The arguments with the values of `NAME=VALUE` texts, these first. Raises Refused with Argo's message."""
    new: list[Json] = []
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals:
            raise Refused(INTERNAL, f"expected parameter of the form: NAME=VALUE. Received: {text}")
        new.append({"name": name, "value": value})
    named = {parameter["name"] for parameter in new}
    others = [p for p in (arguments or {}).get("parameters") or () if p["name"] not in named]
    return {**(arguments or {}), "parameters": new + others}


def _pairs(text: str, word: str, what: str) -> dict[str, str]:
    """`a=b,c=d`. Argo: the message about annotations shows the labels (ApplySubmitOpts)."""
    pairs: dict[str, str] = {}
    for part in text.split(",") if text else ():
        key, *values = part.split("=")
        if len(values) != 1:
            why = f"unexpected label spec: {part}"
        elif not key:
            why = "unexpected empty label key"
        else:
            pairs[key] = values[0]
            continue
        raise Refused(INTERNAL, f"expected {word} of the form: NAME1=VALUE2,NAME2=VALUE2. Received: {what}: {why}")
    return pairs


def _overrides(assignments: Sequence[str]) -> dict[str, str]:
    overrides = {}
    for text in assignments:
        name, _, key = text.partition("=")
        if not name or not key:
            raise Refused(INVALID_ARGUMENT, f"expected artifact of the form: NAME=KEY. Received: {text}")
        overrides[name] = key
    return overrides


def _with_artifacts(spec: Json, overrides: dict[str, str], template: Json | None) -> Json:
    arguments = dict(spec.get("arguments") or {})
    own = arguments.get("artifacts") or []
    referred = ((template or {}).get("spec") or {}).get("arguments") or {}
    from_template = spec.get("workflowTemplateRef") is not None
    declared = referred.get("artifacts") or [] if from_template else own
    unmatched = sorted(set(overrides) - {artifact["name"] for artifact in declared})
    if unmatched:
        raise Refused(
            INVALID_ARGUMENT if from_template else INTERNAL,
            f"artifact override(s) matched no artifact: {', '.join(unmatched)}",
        )
    changed = [_with_key(a, overrides[a["name"]]) if a["name"] in overrides else a for a in declared]
    if from_template:
        changed = own + [artifact for artifact in changed if artifact["name"] in overrides]
    return {**arguments, "artifacts": changed}


_AT = {"git": "on git", "raw": "for raw"}
_KEY_FIELDS = {"s3": "key", "gcs": "key", "oss": "key", "plugin": "key", "azure": "blob", "hdfs": "path"}


def _with_key(artifact: Json, key: str) -> Json:
    """The artifact with another key in its own location; one without a location is in the artifact repository."""
    place = location_of(artifact) or "s3"
    at = artifact.get(place) or {}
    if place in _KEY_FIELDS:
        return {**artifact, place: {**at, _KEY_FIELDS[place]: key}}
    if place in ("http", "artifactory"):
        address = urlsplit(at.get("url", ""))._replace(path="/" + quote(key.lstrip("/")))
        return {**artifact, place: {**at, "url": urlunsplit(address)}}
    raise Refused(
        INVALID_ARGUMENT,
        f"failed to set key for artifact {artifact['name']}: key unsupported: cannot set key {_AT[place]} artifact",
    )
