"""Pods as Kubernetes shows them: the document at the creation, and the status as the kubelet would write it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.interpreter.events import (
    ContainerState,
    Event,
    PodFinished,
    PodProgressed,
    PodStarted,
    PodWaiting,
)
from hera_utils.local_platform.this_machine import NODE

Json = dict[str, Any]
IP = "127.0.0.1"
_IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")
"""The kubelet's reasons for a container without its image; a pod with one of them already has its node."""


def document(pod: Json, *, uid: str, namespace: str, owner: tuple[str, str], at: float) -> Json:
    """A new pod. owner: (name, uid) of its workflow. Its metadata comes first, and has no resourceVersion."""
    own = dict(pod.get("metadata") or {})
    own.pop("resourceVersion", None)
    metadata = {
        **own,
        "namespace": namespace,
        "uid": uid,
        "creationTimestamp": timestamps.text(at),
        "ownerReferences": _owners(*owner),
    }
    spec = {"nodeName": NODE, "restartPolicy": "Never", "serviceAccountName": "default", **(pod.get("spec") or {})}
    return {"metadata": metadata, "spec": spec}


@lru_cache(maxsize=64)
def _owners(name: str, uid: str) -> list[Json]:
    """The owner references, cached because they are equal for all pods of a workflow."""
    return [
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": name, "uid": uid, "controller": True, "blockOwnerDeletion": True}
    ]  # fmt: skip


def status_after(body: Json, before: Json, event: Event) -> Json | None:
    """The pod's status after an event of its runtime; None when it does not change. before: its status until then."""
    if isinstance(event, PodFinished):
        if event.start is not None:
            return status_when_finished(body, event, timestamps.text(event.start.at), ip=event.start.ip or IP)
        return status_when_finished(body, event, before.get("startTime"), ip=_ip_of(before))
    if isinstance(event, PodWaiting):
        if before.get("phase") == "Running":
            return None
        return status_when_pending(body, event.at, message=event.message)
    if isinstance(event, PodStarted):
        return status_when_running(body, event.at, ip=event.ip, states=event.containers)
    if isinstance(event, PodProgressed) and event.containers:
        started = {"startTime": start} if (start := before.get("startTime")) else {}
        return status_when_running(body, event.at, ip=_ip_of(before), states=event.containers) | started
    return None


def status_when_pending(body: Json, at: float, *, message: str = "") -> Json:
    """The status of a pod that has not started. message: what it waits for."""
    word, _, why = message.partition(": ")
    has_node = not message or word in _IMAGE_REASONS or message.startswith("Pulling image ")
    condition: Json = {
        "type": "PodScheduled",
        "status": "True" if has_node else "False",
        "lastTransitionTime": timestamps.text(at),
    }
    if not has_node:
        condition |= {"reason": "Unschedulable", "message": message}
    waiting: Json = {"waiting": {"reason": "ContainerCreating" if has_node else "PodInitializing"}}
    if word in _IMAGE_REASONS:
        waiting = {"waiting": {"reason": word, "message": why}}
    return {
        "phase": "Pending",
        "conditions": [condition],
        "qosClass": "BestEffort",
        "containerStatuses": [_container(c, waiting, ready=False) for c in body["spec"].get("containers") or ()],
    }


def status_when_running(body: Json, at: float, *, ip: str = IP, states: Iterable[ContainerState] = ()) -> Json:
    """The status of a pod whose containers run. states: of containers that have ended, or that have an image by digest."""
    by_name = {state.name: state for state in states}
    status = _common(at, ip, ready=True)
    status["phase"] = "Running"
    _fill(status, body, by_name, at, over=False)
    return status


def status_when_finished(body: Json, event: PodFinished, started: str | None, *, ip: str = IP) -> Json:
    """The status of a pod that has ended. started: its startTime, if it ever started."""
    by_name = {state.name: state for state in event.containers}
    status = _common(event.at, ip, ready=False)
    if started:
        status["startTime"] = started
    status["phase"] = event.phase if event.phase in ("Succeeded", "Failed") else "Failed"
    for key, text in (("reason", event.reason), ("message", event.message)):
        if text:
            status[key] = text
    _fill(status, body, by_name, event.at, over=True)
    return status


def _common(at: float, ip: str, *, ready: bool) -> Json:
    def condition(kind: str, value: bool) -> Json:
        return {"type": kind, "status": "True" if value else "False", "lastTransitionTime": timestamps.text(at)}

    return {
        "phase": "",
        "conditions": [
            condition("Initialized", True),
            condition("Ready", ready),
            condition("ContainersReady", ready),
            condition("PodScheduled", True),
        ],
        "hostIP": IP,
        "podIP": ip or IP,
        "podIPs": [{"ip": ip or IP}],
        "startTime": timestamps.text(at),
        "qosClass": "BestEffort",
    }


def _fill(status: Json, body: Json, states: dict[str, ContainerState], at: float, *, over: bool) -> None:
    for field, key in (("initContainers", "initContainerStatuses"), ("containers", "containerStatuses")):
        statuses = []
        for container in body["spec"].get(field) or ():
            state = states.get(str(container.get("name", "")))
            if state is not None and state.exit_code is not None:
                statuses.append(
                    _container(
                        container, {"terminated": _terminated_state(state, at)}, ready=False, image_id=state.image_id
                    )
                )
            elif over and state is None and status["phase"] == "Failed":  # the container never started
                statuses.append(_container(container, {"waiting": {"reason": "ContainerCreating"}}, ready=False))
            elif over:
                ended = ContainerState(str(container.get("name", "")), exit_code=0, reason="Completed")
                statuses.append(_container(container, {"terminated": _terminated_state(ended, at)}, ready=False))
            else:
                since = timestamps.text(state.started_at if state is not None and state.started_at else at)
                image_id = state.image_id if state is not None else ""
                statuses.append(_container(container, {"running": {"startedAt": since}}, ready=True, image_id=image_id))
        if statuses:
            status[key] = statuses


def _terminated_state(state: ContainerState, at: float) -> Json:
    ended: Json = {"exitCode": state.exit_code, "reason": state.reason or ("Error" if state.exit_code else "Completed")}
    if state.message:
        ended["message"] = state.message
    ended["startedAt"] = timestamps.text(state.started_at or at)
    ended["finishedAt"] = timestamps.text(state.finished_at or at)
    return ended


def _container(container: Json, state: Json, *, ready: bool, image_id: str = "") -> Json:
    image = str(container.get("image", ""))
    return {
        "name": container.get("name", ""),
        "state": state,
        "lastState": {},
        "ready": ready,
        "restartCount": 0,
        "image": image,
        "imageID": image_id,
        "started": "running" in state,
    }


def _ip_of(status: Json) -> str:
    return str(status.get("podIP") or IP)
