"""Pods that no workflow made (a resource template's, a Job's, a user's own), and what a user does to any pod.

They run as a workflow's pods do; what belongs to a run elsewhere belongs to the run "" here. A container that ended is not started
again: a restartPolicy that asks for it is told in an event.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hera_utils.interpreter.events import PodFinished
from hera_utils.local_platform.clock import new_uid, seed
from hera_utils.local_platform.controller import deletion, jobs
from hera_utils.local_platform.controller.turn import Turn
from hera_utils.local_platform.pods import pod_object
from hera_utils.local_platform.storage import objects
from hera_utils.local_platform.storage.journal import encode
from hera_utils.local_platform.storage.records import StoredPod
from hera_utils.local_platform.this_machine import NODE

if TYPE_CHECKING:
    from hera_utils.local_platform.controller.controller import Controller

Json = dict[str, Any]
NO_RUN = ""


def create(controller: Controller, turn: Turn, namespace: str, document: Json, *, dry_run: bool = False) -> StoredPod:
    """Enter a pod into the turn; it is launched once that is written. Raises Refused as Kubernetes does."""
    body = _born(turn, namespace, document)
    metadata = body["metadata"]
    uid, name = str(metadata["uid"]), str(metadata["name"])
    if any(pod.shown == 1 and pod.uid not in turn.hidden for pod in controller.orders.named(turn, namespace, name)):
        raise objects.already_exists("Pod", name)
    status = encode(pod_object.pending(body, turn.at))
    pod = StoredPod(uid, NO_RUN, uid, namespace, name, turn.version, 1, 0, encode(body), status)
    if dry_run:
        return pod
    policy = body["spec"]["restartPolicy"]
    if policy != "Never" and not _controlled(body):
        text = f"spec.restartPolicy {policy} has no effect here: a container that ended is not started again"
        controller.orders.record_event(turn, ("v1", "Pod", namespace, name, uid), "Warning", "NoEffect", text)
    return controller.orders.launch(turn, pod, {"template": {}, "include_script_output": False})


def _born(turn: Turn, namespace: str, document: Json) -> Json:
    """The document as it is stored: its metadata first, without a resource version."""
    name = str((document.get("metadata") or {}).get("name") or "")
    spec = checked_spec("Pod", name, document.get("spec"), "spec")
    born = objects.born("Pod", namespace, document, uid=new_uid(), at=turn.at, seed=seed())
    metadata = {key: value for key, value in born["metadata"].items() if key != "resourceVersion"}
    defaults = {"nodeName": NODE, "restartPolicy": "Always", "serviceAccountName": "default"}
    return {"metadata": metadata, "spec": {**defaults, **spec}}


def checked_spec(kind: str, name: str, spec: object, path: str) -> Json:
    """The spec of a pod, or Refused (Invalid) when there is nothing in it to run."""
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(containers, list) or not containers:
        raise objects.invalid(kind, name, f"{path}.containers: Required value")
    for index, container in enumerate(containers):
        for field in ("name", "image"):
            if not isinstance(container, dict) or not isinstance(container.get(field), str) or not container[field]:
                raise objects.invalid(kind, name, f"{path}.containers[{index}].{field}: Required value")
    return spec


def _controlled(body: Json) -> bool:
    return any(owner.get("controller") for owner in body["metadata"].get("ownerReferences") or ())


def ended(controller: Controller, turn: Turn, pod: StoredPod, event: PodFinished) -> None:
    """A pod that no workflow made is over: a Job may go on."""
    if pod.run == NO_RUN:
        jobs.pod_ended(controller, turn, pod, succeeded=event.phase == "Succeeded")


def of_owner(controller: Controller, uid: str) -> list[StoredPod]:
    """The pods whose owner references name that uid."""
    every = controller.read_model.pods_of_run(NO_RUN)
    return [pod for pod in every if uid in pod.body and uid in objects.owners(json.loads(pod.body))]


def delete_owned(controller: Controller, turn: Turn, uid: str) -> None:
    for pod in of_owner(controller, uid):
        _remove(controller, turn, pod)


def delete_in_namespace(controller: Controller, turn: Turn, namespace: str) -> None:
    for pod in controller.read_model.pods_of_run(NO_RUN):
        if pod.namespace == namespace:
            _remove(controller, turn, pod)


def delete(controller: Controller, turn: Turn, pod_uid: str) -> None:
    """A user deletes a pod: it is killed if it runs, and no longer shown; of one that no workflow made nothing is kept."""
    for pod in controller.orders.outstanding.values():
        if pod.uid == pod_uid and pod.run != NO_RUN:
            controller.orders.kill(turn, pod)
            return
    for pod in [StoredPod(*row) for row in controller.read_model.rows("get_pod", pod_uid)]:
        if pod.run == NO_RUN:
            going = _remove(controller, turn, pod)
            if going:
                jobs.pod_ended(controller, turn, pod, succeeded=False)
        else:
            turn.hide_pod(pod)


def _remove(controller: Controller, turn: Turn, pod: StoredPod) -> bool:
    """Whether it still went on. Removing it twice does nothing more."""
    if pod.uid in turn.hidden:
        return False
    key = (pod.run, pod.node)
    going = key in controller.orders.outstanding
    turn.hide_pod(pod)
    deletion.forget_pod(controller, turn, pod, going=going)
    turn.say("delete_pod", pod.uid)
    return going


def update(controller: Controller, turn: Turn, pod: StoredPod, labels: Json, annotations: Json) -> StoredPod:
    """A user changes a pod's labels and annotations."""
    outstanding = controller.orders.outstanding
    known = outstanding.get((pod.run, pod.node))
    pod = turn.pods.get(pod.uid) or (known if known is not None and known.uid == pod.uid else pod)
    body = json.loads(pod.body)
    body["metadata"] |= {"labels": labels, "annotations": annotations}
    changed = replace(pod, body=encode(body), version=turn.version)
    turn.put_pod(changed, whole=True)
    if known is not None and known.uid == pod.uid:
        outstanding[pod.run, pod.node] = changed
    return changed
