"""Reads logs of containers: all lines, the lines that a reader's options select, and the lines of many pods merged by time.

A line is (time, text); `pod/logs.py` writes them.
"""

from __future__ import annotations

import heapq
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hera_utils.argo import timestamps
from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.errors import Refused
from hera_utils.expressions.regexp import Pattern

from .pod.pod_folder import PodFolder

Line = tuple[float, str]
HEARTBEAT: Line = (0.0, "")
"""Means that a followed log has nothing new, so that its reader can wait a little or stop."""
BATCH = 1 << 18
"""Characters that are read for one client before it has taken them; one line may have four times as many."""
_FRESH = 0.1  # seconds for which a log's size is cached for all its readers
_MANY = 1000
_BLOCK = 1 << 18


class LogSizes:
    """A cache of logs' sizes and of whether their pods have ended, shared by all followers."""

    def __init__(self) -> None:
        self._looks: dict[Path, tuple[float, int, bool]] = {}

    def look(self, path: Path, pod: PodFolder) -> tuple[int, bool]:
        """(bytes, -1 for a missing log; whether the pod has ended)."""
        now = time.monotonic()
        last_look = self._looks.get(path)
        if last_look is None or now - last_look[0] > _FRESH:
            over = pod.is_over()  # checked before the size, because nothing is written after the end
            try:
                size = path.stat().st_size
            except OSError:
                size = -1
            if len(self._looks) > _MANY:
                self._looks = {}
            last_look = self._looks[path] = (now, size, over)
        return last_look[1], last_look[2]


def read(folder: Path, container: str, sizes: LogSizes, *, follow: bool, tail: int | None = None) -> Iterator[Line]:
    """The lines of a container of the pod in `folder`. follow: until the pod has ended, with a heartbeat whenever there is no new line.

    tail: begin with so many of the last lines that exist now.
    """
    pod = PodFolder(str(folder))
    path = Path(pod.log(container))
    older = folder / "logs" / path.name  # where older versions wrote it
    was_there = False  # tells a removed pod, whose folder is gone, from a new one, which has no folder yet
    while not path.exists():
        if older.exists():
            path = older
            break
        is_there = folder.exists()
        if not follow or sizes.look(path, pod)[1] or (was_there and not is_there):
            return
        was_there = is_there
        yield HEARTBEAT
    rest, place = b"", _place_of_tail(path, tail) if tail is not None else 0
    while True:
        size, over = sizes.look(path, pod) if follow else (0, True)
        if follow and not over and 0 <= size <= place:
            yield HEARTBEAT
            continue
        try:
            with path.open("rb") as file:  # opened each time, as there may be more readers than file descriptors
                file.seek(place)
                data = file.read(_BLOCK)
        except FileNotFoundError:  # the log was removed
            return
        if not data:
            if over:
                return
            yield HEARTBEAT  # the cached size is older than the file
            continue
        place += len(data)
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            stamp, _, text = line.partition(b" ")
            yield float(stamp), text.decode(errors="replace")


def _place_of_tail(path: Path, tail: int) -> int:
    """The position where the last `tail` lines begin, searched from the end: a log may be larger than memory."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        at = file.seek(0, os.SEEK_END)
        if not tail:
            return at
        newlines = tail + 1  # each line ends with one, also the last
        while at > 0:
            begin = max(0, at - _BLOCK)
            file.seek(begin)
            data = file.read(at - begin)
            count = data.count(b"\n")
            if count >= newlines:
                place = len(data)
                for _ in range(newlines):
                    place = data.rfind(b"\n", 0, place)
                return begin + place + 1
            newlines, at = newlines - count, begin
    return 0


class LogSource(Protocol):
    """Gives the lines of a container: the local platform."""

    def pod_log(
        self, namespace: str, pod: str, container: str, *, uid: str = "", follow: bool = False, tail: int | None = None
    ) -> Iterator[Line]: ...


@dataclass(frozen=True)
class LogOptions:
    """Kubernetes' pod log options. tail: how many of the last lines, None for all. since: seconds since the epoch; 0 for all.

    limit_bytes: 0 for all. pattern: only lines in which it is found (Argo's grep). The tail is taken first, as in Kubernetes.
    """

    container: str = ""
    follow: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: float = 0.0
    limit_bytes: int = 0
    pattern: Pattern | None = None

    def __post_init__(self) -> None:
        for name, value in (("tailLines", self.tail or 0), ("limitBytes", self.limit_bytes)):
            if value < 0:
                message = f"{name}: Invalid value: {value}: must be greater than or equal to 0"
                raise Refused(INVALID_ARGUMENT, message, reason="Invalid")

    def text(self, line: Line) -> str:
        return f"{timestamps.nano_time(line[0])} {line[1]}" if self.timestamps else line[1]


def select_lines(lines: Iterable[Line], options: LogOptions) -> Iterator[Line]:
    """The lines of one container that the options select. Heartbeats of a followed log pass through."""
    if options.since:
        lines = (line for line in lines if line[0] >= options.since or is_heartbeat(line))
    left = options.limit_bytes
    for line in lines:
        if options.limit_bytes and not is_heartbeat(line):
            size = len(options.text(line).encode("utf-8", "replace")) + 1
            if size > left:
                return
            left -= size
        yield line


def is_heartbeat(line: Line) -> bool:
    return line == HEARTBEAT


_SEARCHES = threading.Lock()
"""Searches run one at a time: they release Python's interpreter lock, so two would take both cores from the event loop."""


def grep_lines(lines: Iterable[Line], options: LogOptions) -> Iterator[Line]:
    """The lines in which the pattern is found. As in Argo, it is also searched in the timestamps if these are requested."""
    if options.pattern is None:
        yield from lines
        return
    for line in lines:
        if is_heartbeat(line) or _is_found(options.pattern, options.text(line)):
            yield line


def _is_found(pattern: Pattern, text: str) -> bool:
    with _SEARCHES:
        return pattern.search(text) is not None


@dataclass(frozen=True)
class PodLog:
    """The log of one pod of a run. started: no line is older. live: whether the pod runs."""

    namespace: str
    pod: str
    started: float = 0.0
    live: bool = False
    uid: str = field(default="", compare=False)

    def lines(self, source: LogSource, options: LogOptions, *, follow: bool = False) -> Iterator[Line]:
        lines = source.pod_log(
            self.namespace, self.pod, options.container, uid=self.uid, follow=follow, tail=options.tail
        )
        return grep_lines(select_lines(lines, options), options)


def merge_logs(pods: Iterable[PodLog], read: Callable[[PodLog], Iterator[Line]]) -> Iterator[tuple[float, PodLog, str]]:
    """All lines of several pods, ordered by time. A log is opened only when its pod's start is reached, and closed at its end, so that
    of thousands of pods that ran one after the other few logs are open at once.
    """
    waiting = deque(sorted(pods, key=lambda pod: pod.started))
    heap: list[tuple[float, int, str, Iterator[Line], PodLog]] = []
    opened = 0
    while heap or waiting:
        while waiting and (not heap or waiting[0].started <= heap[0][0]):
            pod = waiting.popleft()
            lines = read(pod)
            first = next(lines, None)
            if first is not None:
                opened += 1
                heapq.heappush(heap, (first[0], opened, first[1], lines, pod))
        if not heap:
            continue
        at, order, text, lines, pod = heap[0]
        yield at, pod, text
        line = next(lines, None)
        if line is None:
            heapq.heappop(heap)
        else:
            # Lines of one log keep their order, also when the clock was set back.
            heapq.heapreplace(heap, (max(line[0], at), order, line[1], lines, pod))
