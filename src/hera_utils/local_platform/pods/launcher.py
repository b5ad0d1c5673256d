"""Launches pods: looks up the objects that a pod refers to, then gives the pod to its runtime or agent.

A pod waits for a claim, config map or secret that does not exist, as on Kubernetes. Unlike there it does not wait forever:
on one machine nobody else will create the object, so after `patience` seconds the pod fails with a sentence that names the fix.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from hera_utils.argo.names import invalid_value, join_messages, label_faults
from hera_utils.errors import ResourceError
from hera_utils.interpreter.events import REJECTED, PodFinished, PodWaiting
from hera_utils.local_platform.clock import now, seed
from hera_utils.local_platform.pods import references
from hera_utils.local_platform.pods.references import MissingReference
from hera_utils.local_platform.pods.runtime import Launch, Report, Runtime
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import StoredPod

Json = dict[str, Any]
_AGENTS = ("http", "resource", "data")
OBJECT_SECONDS = 20.0


class Runtimes(NamedTuple):
    """pods: runs containers and scripts, and reads the logs of every pod. agents: runs the templates that Argo's agent runs."""

    pods: Runtime
    agents: Runtime


class _Waiting(NamedTuple):
    pod: StoredPod
    order: Json
    timer: threading.Timer


class Launcher:
    """state: the state folder. report: called with the events of pods. The controller's thread calls the methods after writing a turn."""

    def __init__(
        self,
        state: Path,
        read_model: ReadModel,
        report: Report,
        runtimes: Runtimes,
        *,
        patience: float = OBJECT_SECONDS,
    ) -> None:
        self._state, self._read_model, self._report = state, read_model, report
        self._runtimes, self._patience = runtimes, patience
        self._waiting: dict[str, _Waiting] = {}
        self._again = self.again  # one bound method, shared by all launches

    @property
    def runtime(self) -> Runtime:
        return self._runtimes.pods

    def launch(self, pod: StoredPod, order: Json) -> None:
        self._start(pod, order, lambda runtime, launch: runtime.launch(launch))

    def reattach(self, pod: StoredPod, order: Json) -> None:
        """Find a pod again after a restart of the server, or launch it if it never started."""
        self._start(pod, order, lambda runtime, launch: runtime.reattach(launch))

    def again(self, pod_uid: str) -> Launch | None:
        """The launch of a pod that waited for its turn. None when an object that it refers to was deleted meanwhile: it then waits here.

        May be called from any thread. Raises ResourceError when the pod was deleted.
        """
        pods, orders = (self._read_model.rows(name, pod_uid) for name in ("get_pod", "get_launch"))
        if not pods or not orders:
            raise ResourceError(f"the pod {pod_uid} was deleted", fix="submit the workflow again")
        pod, order = StoredPod(*pods[0]), json.loads(orders[0][0])
        try:
            return references.launch_of(self._read_model, self._state, pod, order, self._again)
        except MissingReference as missing:
            self._wait(pod, order, str(missing))
        self._launch_if_complete(pod_uid)  # the object may have been created before the pod was recorded as waiting
        return None

    def kill(self, pod: StoredPod, *, force: bool = False) -> None:
        waiting = self._waiting.pop(pod.uid, None)
        if waiting is not None:
            waiting.timer.cancel()
            self._fail(pod, "")
            return
        grace = float(pod.document["spec"].get("terminationGracePeriodSeconds") or 30)
        for runtime in self._runtimes:
            runtime.kill(pod.uid, grace=grace, force=force)

    def forget(self, pod_uid: str) -> None:
        for runtime in self._runtimes:
            runtime.forget(pod_uid)

    def waiting(self) -> dict[str, dict[str, str]]:
        """{run uid: {node id: why its pod waits}} of the pods that wait for room (agents' pods never do)."""
        return self.runtime.waiting()

    def objects_changed(self, namespace: str) -> None:
        """Start pods that waited for a created or changed object."""
        for uid, waiting in list(self._waiting.items()):
            if waiting.pod.namespace == namespace:
                self._launch_if_complete(uid)

    def _launch_if_complete(self, uid: str) -> None:
        waiting = self._waiting.get(uid)
        if waiting is None:
            return
        pod, order, timer = waiting
        try:
            references.check(self._read_model, pod.document, order["template"], pod.namespace)
        except MissingReference:
            return
        if self._waiting.pop(uid, None) is not None:
            timer.cancel()
            self.launch(pod, order)

    def close(self) -> None:
        for waiting in self._waiting.values():
            waiting.timer.cancel()
        for runtime in self._runtimes:
            runtime.close()

    def _start(self, pod: StoredPod, order: Json, begin: Callable[[Runtime, Launch], None]) -> None:
        template = order["template"]
        driver = artifact_driver(template)
        if driver:
            self._fail(pod, f"artifact driver {driver} not found", reason=REJECTED)
            return
        if refusal := _complaint_about_names(pod.document):
            self._fail(pod, refusal, reason=REJECTED)
            return
        try:
            launch = references.launch_of(self._read_model, self._state, pod, order, self._again, later=True)
        except MissingReference as missing:
            self._wait(pod, order, str(missing))
            return
        except ResourceError as error:
            self._fail(pod, error.with_fix)
            return
        except Exception as error:  # noqa: BLE001 - a user's pod may be malformed in any way
            self._fail(pod, f"the pod cannot be read: {type(error).__name__}: {error}")
            return
        try:
            begin(self._runtimes.agents if is_agents(template) else self._runtimes.pods, launch)
        except Exception as error:  # noqa: BLE001 - an error at the start ends the pod, not the server
            self._fail(pod, f"the task could not be started: {error}")

    def _wait(self, pod: StoredPod, order: Json, message: str) -> None:
        self._report(pod.run, PodWaiting(now(), seed(), pod.node, message))
        timer = threading.Timer(self._patience, self._fail_waiting, (pod.uid, message))
        timer.daemon = True
        self._waiting[pod.uid] = _Waiting(pod, order, timer)
        timer.start()

    def _fail_waiting(self, uid: str, message: str) -> None:
        waiting = self._waiting.pop(uid, None)
        if waiting is not None:
            self._fail(waiting.pod, message)

    def _fail(self, pod: StoredPod, message: str, *, reason: str = "") -> None:
        self._report(pod.run, PodFinished(now(), seed(), pod.node, "Failed", reason, message))


def is_agents(template: Json) -> bool:
    """Whether an agent runs the template."""
    return any(kind in template for kind in _AGENTS)


def artifact_driver(template: Json) -> str:
    """The artifact plugin that a template needs, "" for none. This machine has no plugins, and Argo creates no pod without its plugin."""
    where = ((template.get("archiveLocation") or {}).get("plugin") or {}).get("name")
    for side in ("inputs", "outputs"):
        for artifact in (template.get(side) or {}).get("artifacts") or ():
            name = (artifact.get("plugin") or {}).get("name") or where
            if name:
                return str(name)
    return ""


def _complaint_about_names(pod: Json) -> str:
    """Kubernetes' refusal of a pod with invalid names; "" when they are valid. Here they also become names of files and folders, which must
    not lead elsewhere.
    """
    faults = list(_faults_of_names(pod.get("spec") or {}))
    return f'Pod "{pod["metadata"]["name"]}" is invalid: {join_messages(faults)}' if faults else ""


def _faults_of_names(spec: Json) -> Iterator[str]:
    for group in ("volumes", "containers", "initContainers"):
        for number, part in enumerate(spec.get(group) or ()):
            place, name = f"spec.{group}[{number}].name", str(part.get("name") or "")
            if not name:
                yield f"{place}: Required value"
                continue
            for fault in label_faults(name):
                yield invalid_value(place, name, fault)
