"""A real process runtime in a folder; runs a pod and collects its reports."""

from __future__ import annotations

import itertools
import os
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hera_utils.image_policies import policy_for_all
from hera_utils.images.table import ImageTable
from hera_utils.interpreter.events import Event, PodFinished, PodProgressed, PodStarted
from hera_utils.local_platform.pods.process import ProcessRuntime
from hera_utils.local_platform.pods.runtime import Launch

Json = dict[str, Any]


class Stage:
    """state: the runtime's folder. prepares: whether it creates processes for the first pods at once. `run` waits for a pod's end;
    `events` has all reports.
    """

    def __init__(
        self,
        state: Path,
        *,
        images: ImageTable | None = None,
        cores: float | None = 4,
        memory: float | None = None,
        prepares: bool = True,
    ) -> None:
        self.state = state
        self.images = images or ImageTable(policy_for_all("stand-in"))
        self.cores, self.memory, self.prepares = cores, memory, prepares
        self.events: dict[str, list[Event]] = {}
        self.order: list[tuple[str, str]] = []
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._launched: dict[str, str] = {}
        # Pods of different stages have different addresses, because the kernel keeps a closed port for a minute.
        self._mark = zlib.crc32(os.fsencode(state))
        self.runtime = self._open()

    def _open(self) -> ProcessRuntime:
        runtime = ProcessRuntime(self.state, self._report, images=self.images, cores=self.cores, memory=self.memory)
        if self.prepares:
            runtime.prepare()
        return runtime

    def restart(self) -> None:
        self.runtime.close()
        self.runtime = self._open()

    def _report(self, run: str, event: Event) -> None:
        with self._changed:
            node = event.node_id  # type: ignore[attr-defined]
            self.events.setdefault(node, []).append(event)
            self.order.append((node, type(event).__name__))
            self._changed.notify_all()

    def wait(self, condition: Callable[[], object], timeout: float = 60.0) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, timeout), f"nothing of the sort in {timeout} s: {self.events}"

    def launch(self, pod: Launch) -> str:
        self._launched[pod.node_id] = uid(pod)
        self.runtime.launch(pod)
        return pod.node_id

    def started(self, node: str) -> PodStarted:
        self.wait(lambda: any(isinstance(e, PodStarted) for e in self.events.get(node, [])))
        return next(e for e in self.events[node] if isinstance(e, PodStarted))

    def finished(self, node: str, timeout: float = 60.0) -> PodFinished:
        self.wait(lambda: any(isinstance(e, PodFinished) for e in self.events.get(node, [])), timeout)
        found = [e for e in self.events[node] if isinstance(e, PodFinished)]
        assert len(found) == 1
        return found[0]

    def progress(self, node: str) -> list[str]:
        return [e.progress for e in self.events.get(node, []) if isinstance(e, PodProgressed)]

    def run(self, pod: Launch, timeout: float = 60.0) -> PodFinished:
        return self.finished(self.launch(pod), timeout)

    def log(self, pod: Launch, container: str = "main") -> list[str]:
        return [line for _, line in self.runtime.logs(uid(pod), container)]

    def shell(self, script: str, **more: Any) -> Launch:
        """A pod whose `main` container runs a shell script. more: as for `pod`."""
        main = {"command": ["sh", "-c"], "args": [script], **more.pop("main", {})}
        return self.pod(main, **more)

    def pod(self, main: Json, *, template: Json | None = None, spec: Json | None = None, **launch: Any) -> Launch:
        """A launch. main: the container; template, spec: further fields of them; launch: fields of Launch."""
        number = next(self._numbers)
        container = {"name": "main", "image": "alpine:3.20", **main}
        metadata = {
            "name": f"wf-{number}", "namespace": "default", "uid": f"uid-{self._mark}-{number}",
            "labels": {"workflows.argoproj.io/workflow": "wf", "colour": "red"},
        }  # fmt: skip
        spec = {"containers": [container], **(spec or {})}
        return Launch(
            run_uid="run", node_id=f"node-{number}", pod={"metadata": metadata, "spec": spec},
            template={"name": "t", "container": container, **(template or {})}, **launch,
        )  # fmt: skip

    def close(self) -> None:
        """End the pods that a failed test left running, because pods outlive their server."""
        for node, pod in self._launched.items():
            if not any(isinstance(event, PodFinished) for event in self.events.get(node, [])):
                self.runtime.kill(pod, force=True)
        self.runtime.close()


def uid(pod: Launch) -> str:
    return str(pod.pod["metadata"]["uid"])
