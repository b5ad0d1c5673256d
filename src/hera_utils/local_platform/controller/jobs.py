"""Kubernetes' Jobs: run pods until enough have succeeded, some at a time. Source: the Job API (batch/v1), its controller's messages.

Differences: a failed pod is replaced at once instead of after 10 s, 20 s…, also with the restartPolicy OnFailure. A Job with other
fields than completions, parallelism and backoffLimit is refused.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

from hera_utils.argo import timestamps
from hera_utils.errors import UnsupportedError
from hera_utils.local_platform.clock import new_uid, seed
from hera_utils.local_platform.controller.turn import Turn
from hera_utils.local_platform.storage import objects
from hera_utils.local_platform.storage.records import StoredObject, StoredPod

Json = dict[str, Any]
_FIELDS = ("backoffLimit", "completionMode", "completions", "parallelism", "selector", "template")
_DEFAULTS = {"backoffLimit": 6, "completionMode": "NonIndexed", "parallelism": 1}


class JobPods(Protocol):
    """Creates and kills pods for Jobs; the controller's Lifecycle does this."""

    def create_pod(self, turn: Turn, namespace: str, document: Json) -> StoredPod:
        """Add a pod to the turn. Raises Refused."""

    def kill_owned_pods(self, turn: Turn, uid: str) -> None:
        """End the pods whose owner references name that uid."""


def create(pods: JobPods, turn: Turn, namespace: str, document: Json, *, dry_run: bool = False) -> StoredObject:
    """Add a Job and its first pods to the turn. Raises Refused or UnsupportedError."""
    created = objects.new_object("Job", namespace, _check_job(document), uid=new_uid(), at=turn.at, seed=seed())
    metadata, spec = created["metadata"], created["spec"]
    uid, name = metadata["uid"], metadata["name"]
    labels = {"batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name}
    labels |= {"controller-uid": uid, "job-name": name}
    template = dict(spec["template"])
    inner = dict(template.get("metadata") or {})
    inner["labels"] = {**(inner.get("labels") or {}), **labels}
    template["metadata"] = inner
    selector = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    created["spec"] = {**_DEFAULTS, **spec, "template": template, "selector": selector}
    if "completions" not in spec and "parallelism" not in spec:
        created["spec"]["completions"] = 1
    created["status"] = {"startTime": timestamps.text(turn.at), "uncountedTerminatedPods": {}}
    stored = objects.stored_object("Job", created, turn.version)
    if turn.look("Job", stored.namespace, stored.name) is not None:
        raise objects.already_exists("Job", stored.name)
    return stored if dry_run else _advance(pods, turn, created)


def _check_job(document: Json) -> Json:
    name = str((document.get("metadata") or {}).get("name") or "")
    spec = document.get("spec")
    template = spec.get("template") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(template, dict):
        raise objects.invalid("Job", name, "spec.template: Required value")
    pod = objects.check_pod_spec("Job", name, template.get("spec"), "spec.template.spec")
    inner = template.get("metadata") or {}
    for field in ("labels", "annotations"):
        if not isinstance(inner, dict) or not isinstance(inner.get(field) or {}, dict):
            raise objects.invalid("Job", name, f"spec.template.metadata.{field}: Invalid value: it is not an object")
    policy = pod.get("restartPolicy", "Always")
    if policy not in ("Never", "OnFailure"):
        text = (
            f'spec.template.spec.restartPolicy: Unsupported value: "{policy}": supported values: "OnFailure", "Never"'
        )
        if policy == "Always":
            text = 'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'
        raise objects.invalid("Job", name, text)
    for field in ("backoffLimit", "completions", "parallelism"):
        value = spec.get(field, 0)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            text = f"spec.{field}: Invalid value: {json.dumps(value)}: must be greater than or equal to 0"
            raise objects.invalid("Job", name, text)
    for field, value in spec.items():
        if (field not in _FIELDS and value not in (None, False)) or (field, value) == ("completionMode", "Indexed"):
            raise UnsupportedError(
                f"spec.{field} of a Job cannot be executed on this machine: a Job here knows completions, parallelism and backoffLimit",
                fix="leave the field out, or run the workflow on an Argo server (--argo_server)",
            )
    return {key: value for key, value in document.items() if key != "status"}


def pod_ended(pods: JobPods, turn: Turn, pod: StoredPod, *, succeeded: bool) -> None:
    """Count an ended pod in the Job that created it, if any, and start the Job's next pods."""
    owners = json.loads(pod.body)["metadata"].get("ownerReferences") or ()
    job = next((owner for owner in owners if owner.get("kind") == "Job" and owner.get("controller")), None)
    stored = turn.look("Job", pod.namespace, str(job["name"])) if job else None
    if stored is None or job is None or stored.uid != job["uid"]:
        return
    document = json.loads(stored.text)
    status = document["status"]
    word = "succeeded" if succeeded else "failed"
    status[word] = status.get(word, 0) + 1
    status["active"] = max(0, status.get("active", 0) - 1)
    _advance(pods, turn, document)


def _advance(pods: JobPods, turn: Turn, document: Json) -> StoredObject:
    """Update the status of the Job, and start the pods that it still needs."""
    spec, status = document["spec"], document["status"]
    succeeded, failed, active = (int(status.get(word, 0)) for word in ("succeeded", "failed", "active"))
    has_ended = {condition["type"] for condition in status.get("conditions") or ()} & {"Complete", "Failed"}
    completions = spec.get("completions")
    new = 0
    if has_ended:
        pass
    elif failed > spec["backoffLimit"]:
        _end(turn, status, "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
        pods.kill_owned_pods(turn, document["metadata"]["uid"])
        status["active"] = 0
    elif succeeded >= completions if completions is not None else succeeded and not active:
        _end(turn, status, "Complete", "CompletionsReached", "Reached expected number of succeeded pods")
        status["completionTime"] = timestamps.text(turn.at)
    else:
        # Without completions, the first success means that no new pod starts.
        missing = completions - succeeded if completions is not None else (0 if succeeded else spec["parallelism"])
        new = max(0, min(missing, spec["parallelism"]) - active)
        status["active"] = active + new
    for word in ("active", "ready"):
        if not status.get("active"):
            status.pop(word, None)
        else:
            status[word] = status["active"]
    for _ in range(new):  # before the Job is stored, so that a refused template leaves no Job behind
        pods.create_pod(turn, document["metadata"]["namespace"], _pod_of(document))
    stored = objects.stored_object("Job", document, turn.version)
    turn.put(stored)
    return stored


def _end(turn: Turn, status: Json, kind: str, reason: str, message: str) -> None:
    time = timestamps.text(turn.at)
    first = "SuccessCriteriaMet" if kind == "Complete" else "FailureTarget"
    status["conditions"] = [
        {
            "type": type_, "status": "True", "reason": reason, "message": message,
            "lastProbeTime": time, "lastTransitionTime": time,
        }
        for type_ in (first, kind)
    ]  # fmt: skip


def _pod_of(document: Json) -> Json:
    metadata, template = document["metadata"], document["spec"]["template"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
    inner = {key: value for key, value in template["metadata"].items() if key in ("labels", "annotations")}
    inner["generateName"] = f"{metadata['name']}-"
    inner["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    return {"metadata": inner, "spec": template["spec"]}
