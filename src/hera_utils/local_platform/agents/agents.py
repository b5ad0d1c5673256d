"""A runtime whose pods are threads of the server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from hera_utils.errors import HeraUtilsError
from hera_utils.interpreter.events import ContainerState, PodFinished, PodStarted
from hera_utils.local_platform.clock import now, seed
from hera_utils.local_platform.pods.pod.errors import DEADLINE
from hera_utils.local_platform.pods.runtime import Launch, Report
from hera_utils.local_platform.storage.records import StoredObject

Json = dict[str, Any]
AT_ONCE = 16
"""How many http, resource and data templates run at the same time; they wait much more than they compute."""
EXECUTOR_FAILED = 64


class Objects(Protocol):
    """The methods of the local platform that agents use."""

    state: Path
    """The state folder."""

    def get(self, kind: str, namespace: str, name: str) -> StoredObject: ...
    def list(self, kind: str, namespace: str) -> tuple[Sequence[StoredObject], int]: ...
    def create(self, kind: str, namespace: str, document: Json) -> StoredObject: ...
    def submit(self, namespace: str, document: Json) -> StoredObject: ...
    def update(self, kind: str, namespace: str, document: Json) -> StoredObject: ...
    def delete(self, kind: str, namespace: str, name: str) -> StoredObject: ...


class TemplateFailed(Exception):
    """The template failed. outputs: the outputs that it has nevertheless."""

    def __init__(self, message: str, outputs: Json | None = None) -> None:
        super().__init__(message)
        self.outputs: Json = outputs or {}


class Stop(Protocol):
    """A flag that is set when the run wants the template to end early."""

    def wait(self, timeout: float | None = None) -> bool: ...
    def is_set(self) -> bool: ...


Performer = Callable[[Launch, Stop], Json]
"""Runs a template and returns its outputs (in Argo's form). Raises Failed when it failed, HeraUtilsError when it could not run."""


class _Deadline:
    """Stops a template after its `activeDeadlineSeconds`. http templates have no pod, and no such deadline."""

    def __init__(self, launch: Launch, stop: threading.Event) -> None:
        seconds = None if "http" in launch.template else launch.pod["spec"].get("activeDeadlineSeconds")
        self.has_passed = False
        self._stop = stop
        self._timer = None if seconds is None else threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._expire)

    def __enter__(self) -> None:
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self.has_passed = True
        self._stop.set()


class Agents:
    """performers: template kind → what runs it. A template that a crash of the server interrupted runs again, as with Argo's agent."""

    def __init__(self, report: Report, performers: dict[str, Performer]) -> None:
        self._report, self._performers = report, performers
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="agent")
        self._stops: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def launch(self, launch: Launch) -> None:
        uid = str(launch.pod["metadata"]["uid"])
        with self._lock:
            if uid in self._stops:
                return
            stop = self._stops[uid] = threading.Event()
        self._pool.submit(self._run, uid, launch, stop)

    def reattach(self, launch: Launch) -> None:
        self.launch(launch)

    def _run(self, uid: str, launch: Launch, stop: threading.Event) -> None:
        self._report(launch.run_uid, PodStarted(now(), seed(), launch.node_id))
        started = now()
        message = error = reason = ""
        outputs: Json = {}
        late = _Deadline(launch, stop)
        try:
            kind = next(kind for kind in self._performers if kind in launch.template)
            with late:
                outputs = self._performers[kind](launch, stop)
        except TemplateFailed as failed:
            message, outputs = str(failed), failed.outputs
        except HeraUtilsError as wrong:
            message = wrong.message
        except Exception as wrong:  # noqa: BLE001 - the end of a template must always be reported
            message = error = f"{type(wrong).__name__}: {wrong}"
        phase = "Failed" if message or error else "Succeeded"
        states: tuple[ContainerState, ...] = ()
        if "http" not in launch.template:
            # Argo: the executor itself is the main container; 64 is its own exit code.
            code = EXECUTOR_FAILED if message else 0
            states = (ContainerState("main", code, "Error" if code else "Completed", message, started, now()),)
            message = ""
        if phase == "Failed" and late.has_passed:
            reason, message = "DeadlineExceeded", DEADLINE
        event = PodFinished(now(), seed(), launch.node_id, phase, reason, message, states, outputs, error)
        self._report(launch.run_uid, event)

    def prepare(self) -> None:
        pass

    def refusal(self) -> None:
        return None

    def kill(self, pod_uid: str, *, grace: float = 30.0, force: bool = False) -> None:
        with self._lock:
            stop = self._stops.get(pod_uid)
        if stop is not None:
            stop.set()

    def logs(
        self, pod_uid: str, container: str, *, follow: bool = False, tail: int | None = None
    ) -> Iterator[tuple[float, str]]:
        return iter(())

    def waiting(self) -> dict[str, dict[str, str]]:
        return {}

    def forget(self, pod_uid: str) -> None:
        with self._lock:
            self._stops.pop(pod_uid, None)

    def close(self) -> None:
        with self._lock:
            for stop in self._stops.values():
                stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
