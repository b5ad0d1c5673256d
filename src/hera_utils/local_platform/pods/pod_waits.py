"""Why pods wait for room or for an image. The sentences are built when somebody reads them, and reported when they change.

For ten thousand waiting pods the sentences are as large as everything else that the runtime stores about them, and are rarely read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from . import waiting
from .disk_pressure import DiskPressure
from .image_pulls import ImagePulls
from .resource_queue import Need, ResourceQueue
from .runtime import Launch

_TELL = 1.0  # seconds before a waiting pod is reported, and between two searches for waiting pods
Waits = dict[str, dict[str, str]]
"""Run → node → why its pod waits."""
News = tuple[str, int]


class WaitingPod(Protocol):
    """A pod that waits. queued_at: time by the monotonic clock."""

    launch: Launch
    need: Need
    queued_at: float


class PodWaits:
    """Used by the runtime's thread; `recent` by any thread. report: tells watchers of a pod's run why it waits."""

    def __init__(
        self,
        pods: Mapping[str, WaitingPod],
        queue: ResourceQueue,
        disk: DiskPressure,
        pulls: ImagePulls,
        report: Callable[[WaitingPod, str], None],
    ) -> None:
        self._pods, self._queue, self._disk, self._pulls, self._report = pods, queue, disk, pulls, report
        self.last: Waits = {}
        self._last_until = self._next_report = 0.0
        self._reported: dict[str, News] = {}
        """Run → the cause that was last reported for its first waiting pod."""

    def recent(self) -> Waits | None:
        """The last result of `find`; None when it is too old."""
        return self.last if time.monotonic() < self._last_until else None

    def look_again(self) -> None:
        """Search again at the next call, because something has changed."""
        self._last_until = self._next_report = 0.0

    def find(self) -> Waits:
        if (recent := self.recent()) is not None:
            return recent
        start = time.monotonic()
        waits: Waits = {}
        for pod, message in self._of_queue(lambda pod, news: True):
            waits.setdefault(pod.launch.run_uid, {})[pod.launch.node_id] = message
        for uid, message in self._pulls.messages():
            launch = self._pods[uid].launch
            waits.setdefault(launch.run_uid, {})[launch.node_id] = message
        self.last, self._last_until = waits, _next_time(start)
        return waits

    def sweep(self) -> None:
        """Report the first waiting pod of each run, and drop old results.

        A report is written to the journal and sent to all watchers. Therefore only a change of the cause, or of the place in the queue by a
        power of two, is reported.
        """
        now = time.monotonic()
        if self.last and now >= self._last_until:
            self.last = {}
        if not len(self._queue) and not self._pulls.is_busy:
            self._reported.clear()
        elif now >= self._next_report:
            self._report_first(now)
            self._next_report = _next_time(now)

    def _report_first(self, now: float) -> None:
        looked_at: set[str] = set()

        def is_news(pod: WaitingPod, news: News) -> bool:
            run = pod.launch.run_uid
            if run in looked_at:
                return False
            looked_at.add(run)
            if now - pod.queued_at < _TELL or self._reported.get(run) == news:
                return False
            self._reported[run] = news
            return True

        for pod, message in self._of_queue(is_news):
            self._report(pod, message)
        for uid, message in self._pulls.messages():
            pod = self._pods[uid]
            if self._pulls.is_news(pod.launch.run_uid, uid):
                self._report(pod, message)

    def _of_queue(self, choose: Callable[[WaitingPod, News], bool]) -> Iterator[tuple[WaitingPod, str]]:
        """(pod, why it waits) of the queue's pods that `choose` selects. choose: gets a pod and the reportable part of its cause."""
        total = Need(self._queue.cores, self._queue.memory)
        disk = self._disk.shortage()
        for uid, shortage in self._queue.shortages():
            if shortage.resource == "nothing" and not disk:
                continue
            pod = self._pods[uid]
            if choose(pod, ("disk", 0) if disk else (shortage.resource, shortage.before.bit_length())):
                yield pod, waiting.for_disk(disk) if disk else waiting.for_room(shortage, pod.need, total)


def _next_time(start: float) -> float:
    """When to search again: the longer a search took, the later."""
    now = time.monotonic()
    return now + max(_TELL, 20 * (now - start))
