"""Submitting a workflow from a stored template: a workflow template, a cluster workflow template or a cron workflow.

Source: Argo's server (SubmitWorkflow), workflow/common/convert.go and workflow/util (ApplySubmitOpts).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from hera_utils.argo.faults import INTERNAL, INVALID_ARGUMENT
from hera_utils.argo.schema import decode
from hera_utils.errors import Refused
from hera_utils.platforms.local.platform import LocalPlatform
from hera_utils.platforms.local.server.answers import Reply, Text
from hera_utils.platforms.local.server.call import Call

Json = dict[str, Any]

_CRON = ("CronWorkflow", "cronworkflow", "cronworkflows", "cwf", "cronwf")
_TEMPLATE = ("WorkflowTemplate", "workflowtemplate", "workflowtemplates", "wftmpl")
_CLUSTER_TEMPLATE = (
    "ClusterWorkflowTemplate",
    "clusterworkflowtemplate",
    "clusterworkflowtemplates",
    "cwft",
    "clusterwftmpl",
)


def submit(call: Call) -> Reply:
    """Body: {"resourceKind", "resourceName", "submitOptions": {name, generateName, labels, parameters, …}}."""
    document = workflow_from(call.platform, call.namespace, call.option("resourceKind"), call.option("resourceName"))
    options = decode(call.document("submitOptions") or {}, "SubmitOpts", at="submitOptions")
    apply_options(document, options)
    if options.get("artifacts"):
        document["spec"].setdefault("arguments", {})["artifacts"] = _overridden(call, document, options["artifacts"])
    if options.get("dryRun"):
        return call.platform.lint(call.namespace, document)
    dry_run = bool(options.get("serverDryRun"))
    return Text(call.platform.submit(call.namespace, document, dry_run=dry_run).text)


def workflow_from(platform: LocalPlatform, namespace: str, kind: str, name: str) -> Json:
    """The workflow that a stored object stands for, before the caller's options."""
    if kind in _CRON:
        cron = json.loads(platform.get("CronWorkflow", namespace, name).text)
        return workflow_of_cron(cron, datetime.now().astimezone())
    if kind not in (*_TEMPLATE, *_CLUSTER_TEMPLATE):
        raise Refused(INVALID_ARGUMENT, f"Resource kind '{kind}' is not supported for submitting")
    cluster = kind in _CLUSTER_TEMPLATE
    reference: Json = {"name": name, **({"clusterScope": True} if cluster else {})}
    label = "cluster-workflow-template" if cluster else "workflow-template"
    metadata = {"generateName": f"{name}-", "labels": {f"workflows.argoproj.io/{label}": name}}
    return {"metadata": metadata, "spec": {"workflowTemplateRef": reference, "arguments": {}}}


def workflow_of_cron(cron: Json, at: datetime) -> Json:
    """The workflow that a cron workflow starts by hand. Its metadata's labels and annotations (workflowMetadata) come along."""
    name = cron["metadata"]["name"]
    spec = cron.get("spec") or {}
    extra = spec.get("workflowMetadata") or {}
    labels = {**(extra.get("labels") or {}), "workflows.argoproj.io/cron-workflow": name}
    stamp = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    annotations = {"workflows.argoproj.io/scheduled-time": stamp, **(extra.get("annotations") or {})}
    if instance := (cron["metadata"].get("labels") or {}).get("workflows.argoproj.io/controller-instanceid"):
        labels["workflows.argoproj.io/controller-instanceid"] = instance
    metadata: Json = {"generateName": f"{name}-", "labels": labels, "annotations": annotations}
    if extra.get("finalizers"):
        metadata["finalizers"] = extra["finalizers"]
    if uid := cron["metadata"].get("uid"):
        owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "CronWorkflow", "name": name, "uid": uid}
        metadata["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    return {"metadata": metadata, "spec": dict(spec.get("workflowSpec") or {})}


def apply_options(workflow: Json, options: Json) -> None:
    """Change the workflow as the caller's SubmitOpts say. Raises Refused (INTERNAL, as Argo has it) for what cannot be read."""
    spec, metadata = workflow["spec"], workflow["metadata"]
    for option, field in (
        ("entryPoint", "entrypoint"),
        ("serviceAccount", "serviceAccountName"),
        ("podPriorityClassName", "podPriorityClassName"),
    ):
        if options.get(option):
            spec[field] = options[option]
    if options.get("priority") is not None:
        spec["priority"] = options["priority"]
    for field in ("labels", "annotations"):
        if options.get(field):
            metadata[field] = {**(metadata.get(field) or {}), **_pairs(str(options[field]), field)}
    if options.get("parameters"):
        arguments = spec.setdefault("arguments", {})
        arguments["parameters"] = with_parameters(arguments.get("parameters") or [], options["parameters"])
    for field in ("generateName", "name"):
        if options.get(field):
            metadata[field] = options[field]
    if options.get("ownerReference"):
        metadata["ownerReferences"] = [*metadata.get("ownerReferences", ()), options["ownerReference"]]


def with_parameters(present: list[Json], given: list[str]) -> list[Json]:
    """`NAME=VALUE` texts first, then the present parameters that they do not name."""
    found: list[Json] = []
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise Refused(INTERNAL, f"expected parameter of the form: NAME=VALUE. Received: {text}")
        found.append({"name": name, "value": value})
    named = {parameter["name"] for parameter in found}
    return found + [parameter for parameter in present if parameter.get("name") not in named]


def _pairs(text: str, field: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals or not name:
            word = "labels" if field == "labels" else "Annotations"
            raise Refused(
                INTERNAL,
                f"expected {word} of the form: NAME1=VALUE2,NAME2=VALUE2. Received: {text}: invalid label spec: {part}",
            )
        pairs[name] = value
    return pairs


def _overridden(call: Call, workflow: Json, overrides: list[str]) -> list[Json]:
    """`NAME=KEY` texts put another key into the artifact arguments that the template declares."""
    keys: dict[str, str] = {}
    for text in overrides:
        name, equals, key = text.partition("=")
        if not (name and equals and key):
            raise Refused(INVALID_ARGUMENT, f"expected artifact of the form: NAME=KEY. Received: {text}")
        keys[name] = key
    declared = (workflow["spec"].get("arguments") or {}).get("artifacts") or []
    reference = workflow["spec"].get("workflowTemplateRef")
    if reference:
        kind = "ClusterWorkflowTemplate" if reference.get("clusterScope") else "WorkflowTemplate"
        namespace = "" if reference.get("clusterScope") else call.namespace
        template = json.loads(call.platform.get(kind, namespace, reference["name"]).text)
        declared = ((template.get("spec") or {}).get("arguments") or {}).get("artifacts") or []
    unknown = sorted(set(keys) - {artifact["name"] for artifact in declared})
    if unknown:
        raise Refused(INVALID_ARGUMENT, f"artifact {unknown[0]} not found in the template's arguments")
    kept = [] if reference else [artifact for artifact in declared if artifact["name"] not in keys]
    return kept + [_with_key(artifact, keys[artifact["name"]]) for artifact in declared if artifact["name"] in keys]


def _with_key(artifact: Json, key: str) -> Json:
    stores = ("s3", "gcs", "azure", "oss", "hdfs", "artifactory", "http", "git", "raw")
    store = next((name for name in stores if artifact.get(name) is not None), "s3")
    return {**artifact, store: {**(artifact.get(store) or {}), "key": key}}
