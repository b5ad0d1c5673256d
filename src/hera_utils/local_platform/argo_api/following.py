"""Following the logs of a run: one reader thread for each pod that runs, one for all that ended before; batches in the order of time.

The client gets a batch four times a second. Readers wait when the client is slow, so nothing piles up.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

from hera_utils.errors import HeraUtilsError, Refused
from hera_utils.local_platform.argo_api.answers import encode
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.pods.log_lines import Line, LogOptions, PodLog, is_heartbeat, merged
from hera_utils.local_platform.serving.watch import metadata_of
from hera_utils.local_platform.storage.records import ObjectChange, StoredObject

PAUSE = 0.25
"""Seconds between batches."""
_MOST_WAITING = 5000
"""Lines that may wait for the client before readers wait for it."""
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
        self._lock = threading.Condition()
        self._lines: list[tuple[float, str, str]] = []
        self._changed_pods: dict[str, StoredObject] = {}
        self._followed: set[str] = set()
        self._readers = 0
        self._closed = False

    async def results(self) -> AsyncIterator[list[str]]:
        """Batches of log entries as JSON text, until the run and all its pods are over."""
        stops = [self._platform.subscribe("Pod", self._note)]
        try:
            await asyncio.to_thread(self._begin)
            while True:
                over = await asyncio.to_thread(self._turn)
                batch = self._take()
                if batch:
                    yield batch
                if over and not batch:
                    return
                if not batch or not over:
                    await asyncio.sleep(PAUSE)
        finally:
            for stop in stops:
                stop()
            with self._lock:
                self._closed = True
                self._lock.notify_all()

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
            lines = merged(ended, lambda pod: pod.lines(self._platform, self._options))
            self._start((at, pod.pod, text) for at, pod, text in lines)

    def _turn(self) -> bool:
        """Follow the pods that began; whether everything is over."""
        completed = self._run_is_over()
        with self._lock:
            changed, self._changed_pods = self._changed_pods, {}
        for stored in changed.values():
            log = self._log_of(stored)
            if log is not None:
                self._follow(log)
        with self._lock:
            return completed and not self._readers and not self._lines

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
        lines = replace(log).lines(self._platform, self._options, follow=True)
        self._start((line[0], log.pod, line[1]) for line in lines)

    def _start(self, entries: Iterator[tuple[float, str, str]]) -> None:
        with self._lock:
            self._readers += 1
        threading.Thread(target=self._read, args=(entries,), name="log reader", daemon=True).start()

    def _read(self, entries: Iterator[tuple[float, str, str]]) -> None:
        try:
            for at, pod, text in entries:
                line: Line = (at, text)
                with self._lock:
                    while len(self._lines) >= _MOST_WAITING and not self._closed:
                        self._lock.wait()
                    if self._closed:
                        return
                    if not is_heartbeat(line):
                        self._lines.append((at, pod, text))
        except HeraUtilsError:
            return  # the pod is gone: what was read stays
        finally:
            close = getattr(entries, "close", None)
            if close is not None:
                close()
            with self._lock:
                self._readers -= 1

    def _take(self) -> list[str]:
        with self._lock:
            lines, self._lines = self._lines, []
            self._lock.notify_all()
        lines.sort(key=lambda entry: entry[0])
        return [encode({"content": self._options.text((at, text)), "podName": pod}) for at, pod, text in lines]
