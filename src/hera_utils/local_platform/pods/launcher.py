"""From an order to a launch: what a pod refers to is looked up, then the pod goes to its runtime or agent.

A claim, config map or secret that does not exist keeps the pod waiting, as on Kubernetes; unlike there it does not wait for ever:
on one machine nobody else will create it, so after `patience` seconds the pod fails with the sentence that names the fix.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hera_utils.interpreter.events import REJECTED, PodFinished, PodWaiting
from hera_utils.local_platform.clock import now, seed
from hera_utils.local_platform.pods import references
from hera_utils.local_platform.pods.references import MissingReference
from hera_utils.local_platform.pods.runtime import Launch, Report, Runtime
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import StoredPod

Json = dict[str, Any]
_AGENTS = ("http", "resource", "data")
PATIENCE = 20.0


class Runtimes(NamedTuple):
    """pods: runs containers and scripts, and has the logs of every pod. agents: runs the templates that Argo's agent runs."""

    pods: Runtime
    agents: Runtime


class _Waiting(NamedTuple):
    pod: StoredPod
    order: Json
    timer: threading.Timer


class Launcher:
    """state: the state folder. report: hears of a pod's fate. Called by the controller's thread after a turn was written."""

    def __init__(
        self, state: Path, read_model: ReadModel, report: Report, runtimes: Runtimes, *, patience: float = PATIENCE
    ) -> None:
        self._state, self._read_model, self._report = state, read_model, report
        self._runtimes, self._patience = runtimes, patience
        self._waiting: dict[str, _Waiting] = {}

    @property
    def runtime(self) -> Runtime:
        return self._runtimes.pods

    def launch(self, pod: StoredPod, order: Json) -> None:
        self._start(pod, order, lambda runtime, launch: runtime.launch(launch))

    def reattach(self, pod: StoredPod, order: Json) -> None:
        """After a restart: find the pod again, or launch it if it never started."""
        self._start(pod, order, lambda runtime, launch: runtime.reattach(launch))

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
        """{run uid: {node id: why its pod waits}} of the pods that wait for room (an agent's work never does)."""
        return self.runtime.waiting()

    def objects_changed(self, kind: str, namespace: str) -> None:
        """An object was created or changed: pods that waited may start now."""
        for uid, (pod, order, timer) in list(self._waiting.items()):
            if pod.namespace != namespace:
                continue
            try:
                references.check(self._read_model, pod.document, order["template"], namespace)
            except MissingReference:
                continue
            del self._waiting[uid]
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
        try:
            launch = references.launch_of(self._read_model, self._state, pod, order)
        except MissingReference as missing:
            self._wait(pod, order, str(missing))
            return
        except Exception as error:  # noqa: BLE001 - a pod that a user wrote may be of any shape
            self._fail(pod, f"the pod cannot be read: {type(error).__name__}: {error}")
            return
        try:
            begin(self._runtimes.agents if is_agents(template) else self._runtimes.pods, launch)
        except Exception as error:  # noqa: BLE001 - whatever keeps a pod from starting is the end of that pod, not of the server
            self._fail(pod, f"the task could not be started: {error}")

    def _wait(self, pod: StoredPod, order: Json, message: str) -> None:
        self._report(pod.run, PodWaiting(now(), seed(), pod.node, message))
        timer = threading.Timer(self._patience, self._give_up, (pod.uid, message))
        timer.daemon = True
        self._waiting[pod.uid] = _Waiting(pod, order, timer)
        timer.start()

    def _give_up(self, uid: str, message: str) -> None:
        waiting = self._waiting.pop(uid, None)
        if waiting is not None:
            self._fail(waiting.pod, message)

    def _fail(self, pod: StoredPod, message: str, *, reason: str = "") -> None:
        self._report(pod.run, PodFinished(now(), seed(), pod.node, "Failed", reason, message))


def is_agents(template: Json) -> bool:
    """Whether a template is an agent's to run."""
    return any(kind in template for kind in _AGENTS)


def artifact_driver(template: Json) -> str:
    """The artifact plugin that a template's pod would need, "" for none. This machine has none of them: Argo creates no such pod."""
    for side in ("inputs", "outputs"):
        for artifact in (template.get(side) or {}).get("artifacts") or ():
            name = (artifact.get("plugin") or {}).get("name")
            if name:
                return str(name)
    return ""
