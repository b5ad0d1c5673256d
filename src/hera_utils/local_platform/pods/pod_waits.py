"""Why the pods wait that the machine has no room for, or no image yet: put together when somebody reads it, and reported when it is news.

Of ten thousand pods that wait the sentences are as large as all else that the runtime knows of them, and mostly nobody reads them.
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

_TELL = 1.0  # seconds before a waiting pod is reported, and between two looks at which pods wait
Waits = dict[str, dict[str, str]]
"""Run → node → why its pod waits."""
News = tuple[str, int]


class WaitingPod(Protocol):
    """queued_at: of the monotonic clock."""

    launch: Launch
    need: Need
    queued_at: float


class PodWaits:
    """Used by the runtime's thread; `recent` by any. report: tells those who watch a pod's run why it waits."""

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
        """Run → what its first waiting pod said last, without its numbers."""

    def recent(self) -> Waits | None:
        """What was found a moment ago; None when it must be found again."""
        return self.last if time.monotonic() < self._last_until else None

    def look_again(self) -> None:
        """Something has changed that is worth a look at once."""
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
        """Report the first waiting pod of each run, and forget what was found for readers.

        A report is written to the journal and sent to all that watch: only a change of the cause, or of the place in the queue by a power
        of two, is worth that.
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
        """The pods of the queue that are chosen, by what of the cause is worth a report, and why each waits."""
        total = Need(self._queue.cores, self._queue.memory)
        disk = self._disk.shortage()
        for uid, shortage in self._queue.shortages():
            if shortage.resource == "nothing" and not disk:
                continue
            pod = self._pods[uid]
            if choose(pod, ("disk", 0) if disk else (shortage.resource, shortage.before.bit_length())):
                yield pod, waiting.for_disk(disk) if disk else waiting.for_room(shortage, pod.need, total)


def _next_time(start: float) -> float:
    """When one may look again: what takes long is done seldom."""
    now = time.monotonic()
    return now + max(_TELL, 20 * (now - start))
