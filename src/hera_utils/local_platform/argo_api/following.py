"""Follows the logs of a run: batches of lines ordered by time, at most four per second, read when the client is ready for them.

A follower has no thread of its own, because hundreds of them may follow a run with a hundred running pods. Then they poll less often.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

from hera_utils.errors import HeraUtilsError, Refused
from hera_utils.local_platform.argo_api.answers import encode
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.pods.log_lines import BATCH, Line, LogOptions, PodLog, is_heartbeat, merge_logs
from hera_utils.local_platform.serving.watch import metadata_of, pause_after
from hera_utils.local_platform.storage.records import ObjectChange, StoredObject

PAUSE_SECONDS = 0.25
"""Minimal seconds between batches."""
_ENTRY = 50
_COMPLETED = "workflows.argoproj.io/completed"


class Follower:
    """run: the workflow. log_of: gives the log of a pod, None when it is not selected or has not begun."""

    def __init__(
        self,
        request: ArgoRequest,
        run: StoredObject,
        log_of: Callable[[StoredObject], PodLog | None],
        options: LogOptions,
    ) -> None:
        self._platform, self._watches = request.platform, request.watches
        self._run = run
        self._log_of = log_of
        self._options = options
        self._lock = threading.Lock()
        self._changed_pods: dict[str, StoredObject] = {}
        self._followed: set[str] = set()
        self._live: dict[str, tuple[str, Iterator[Line]]] = {}
        self._ended: Iterator[tuple[float, PodLog, str]] | None = None

    async def results(self) -> AsyncIterator[list[str]]:
        """Batches of log entries as JSON text, until the run and all its pods have ended."""
        stop = self._platform.subscribe("Pod", self._on_change)
        self._watches.latest.enter()
        loop, threads = asyncio.get_running_loop(), self._watches.threads
        try:
            await loop.run_in_executor(threads, self._begin)
            while True:
                batch, cost, has_ended = await loop.run_in_executor(threads, self._next_batch)
                if batch:
                    yield batch
                if has_ended:
                    return
                size = sum(map(len, batch))
                if size < BATCH // 2:
                    await asyncio.sleep(max(PAUSE_SECONDS, pause_after(cost, size, self._watches.latest.watchers)))
        finally:
            stop()
            self._watches.latest.leave()

    def _on_change(self, change: ObjectChange) -> None:
        """Remember that the pod changed. The writer's thread calls this."""
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
            self._ended = merge_logs(ended, lambda pod: pod.lines(self._platform, self._options))

    def _next_batch(self) -> tuple[list[str], float, bool]:
        """(new lines as JSON, seconds of processor time that it took, whether the run and all pods have ended)."""
        started = time.thread_time()
        completed = self._run_has_ended()
        with self._lock:
            changed, self._changed_pods = self._changed_pods, {}
        for stored in changed.values():
            log = self._log_of(stored)
            if log is not None:
                self._follow(log)
        lines = self._lines()
        lines.sort(key=lambda line: line[0])
        batch = [encode({"content": self._options.text((at, text)), "podName": pod}) for at, pod, text in lines]
        has_ended = completed and not (lines or self._live or self._ended)
        return batch, time.thread_time() - started, has_ended

    def _lines(self) -> list[tuple[float, str, str]]:
        lines, left = list[tuple[float, str, str]](), BATCH
        if self._ended is not None:
            for at, log, text in self._ended:
                lines.append((at, log.pod, text))
                left -= _cost(text)
                if left <= 0:
                    return lines
            self._ended = None
            if lines:
                return lines
        # Pods share a batch, so that one pod with many lines does not delay the others.
        share = BATCH // max(1, len(self._live))
        for uid, (pod, entries) in list(self._live.items()):
            if left <= 0:
                break
            until = left - share
            # The pod moves to the end, so that the next batch begins with pods that had no share.
            self._live[uid] = self._live.pop(uid)
            try:
                for at, text in entries:
                    if is_heartbeat((at, text)):
                        break
                    lines.append((at, pod, text))
                    left -= _cost(text)
                    if left <= until:
                        break
                else:
                    del self._live[uid]
            except HeraUtilsError:
                del self._live[uid]  # the pod was deleted; lines that were read are still sent
        return lines

    def _run_has_ended(self) -> bool:
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


def _cost(text: str) -> int:
    """The part of a batch that a line takes; an empty line is an entry too."""
    return len(text) + _ENTRY
