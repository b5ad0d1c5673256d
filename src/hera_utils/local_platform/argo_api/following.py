"""Following the logs of a run: batches in the order of time, four a second, read when the client is ready for them.

No follower has a thread: hundreds of them may follow a run of which a hundred pods are running.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice

from hera_utils.errors import HeraUtilsError, Refused
from hera_utils.local_platform.argo_api.answers import encode
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.pods.log_lines import Line, LogOptions, PodLog, is_heartbeat, merged
from hera_utils.local_platform.serving.watch import metadata_of
from hera_utils.local_platform.storage.records import ObjectChange, StoredObject

PAUSE = 0.25
"""Seconds between batches."""
_MOST_LINES = 5000
"""Of a batch. Pods share them, so that none is in the way of the others."""
_COMPLETED = "workflows.argoproj.io/completed"


class Follower:
    """run: the workflow. log_of: the log of a pod, None when it is not wanted (yet)."""

    def __init__(
        self,
        platform: LocalPlatform,
        run: StoredObject,
        log_of: Callable[[StoredObject], PodLog | None],
        options: LogOptions,
    ) -> None:
        self._platform = platform
        self._run = run
        self._log_of = log_of
        self._options = options
        self._lock = threading.Lock()
        self._changed_pods: dict[str, StoredObject] = {}
        self._followed: set[str] = set()
        self._live: dict[str, tuple[str, Iterator[Line]]] = {}
        self._ended: Iterator[tuple[float, PodLog, str]] | None = None

    async def results(self) -> AsyncIterator[list[str]]:
        """Batches of log entries as JSON text, until the run and all its pods are over."""
        stop = self._platform.subscribe("Pod", self._note)
        try:
            await asyncio.to_thread(self._begin)
            while True:
                batch, over = await asyncio.to_thread(self._turn)
                if batch:
                    yield batch
                if over:
                    return
                if len(batch) < _MOST_LINES // 2:
                    await asyncio.sleep(PAUSE)
        finally:
            stop()

    def _note(self, change: ObjectChange) -> None:
        """In the writer's thread: remember that the pod changed."""
        if change.type != "DELETED" and change.stored.namespace == self._run.namespace:
            with self._lock:
                if change.stored.uid not in self._followed:
                    self._changed_pods[change.stored.uid] = change.stored

    def _begin(self) -> None:
        ended = []
        for stored in self._platform.pods(self._run.namespace, self._run.name):
            log = self._log_of(stored)
            if log is None:
                continue
            if log.live:
                self._follow(log)
            elif log.uid not in self._followed:
                self._followed.add(log.uid)
                ended.append(log)
        if ended:
            self._ended = merged(ended, lambda pod: pod.lines(self._platform, self._options))

    def _turn(self) -> tuple[list[str], bool]:
        """What is new, also of pods that began; whether everything is over."""
        completed = self._run_is_over()
        with self._lock:
            changed, self._changed_pods = self._changed_pods, {}
        for stored in changed.values():
            log = self._log_of(stored)
            if log is not None:
                self._follow(log)
        lines = self._lines()
        lines.sort(key=lambda line: line[0])
        batch = [encode({"content": self._options.text((at, text)), "podName": pod}) for at, pod, text in lines]
        return batch, completed and not (lines or self._live or self._ended)

    def _lines(self) -> list[tuple[float, str, str]]:
        if self._ended is not None:
            lines = [(at, pod.pod, text) for at, pod, text in islice(self._ended, _MOST_LINES)]
            if lines:
                return lines
            self._ended = None
        lines, each = [], _MOST_LINES // max(1, len(self._live))
        for uid, (pod, entries) in list(self._live.items()):
            left = max(1, each)
            try:
                for at, text in entries:
                    if is_heartbeat((at, text)):
                        break
                    lines.append((at, pod, text))
                    left -= 1
                    if not left:
                        break
                else:
                    del self._live[uid]
            except HeraUtilsError:
                del self._live[uid]  # the pod is gone: what was read stays
        return lines

    def _run_is_over(self) -> bool:
        try:
            latest = self._platform.get("Workflow", self._run.namespace, self._run.name, nodes=False)
        except Refused:
            return True
        labels = metadata_of(latest.text).get("labels") or {}
        return latest.uid != self._run.uid or labels.get(_COMPLETED) == "true"

    def _follow(self, log: PodLog) -> None:
        if log.uid in self._followed:
            return
        self._followed.add(log.uid)
        self._live[log.uid] = log.pod, log.lines(self._platform, self._options, follow=True)
