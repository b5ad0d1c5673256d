"""The log of a container for its readers: all lines as they are written, the lines that one reader asks for, and the lines of many
pods in the order of time. A line is (time, text); `pod/logs.py` writes them.
"""

from __future__ import annotations

import heapq
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hera_utils.argo import timestamps
from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.errors import Refused

from .pod.pod_folder import PodFolder

Line = tuple[float, str]
HEARTBEAT: Line = (0.0, "")
"""Between looks at a log that does not grow: a reader who left can close it then."""
_PAUSES = (0.02, 0.05, 0.1, 0.2)  # seconds between looks at a log that does not grow


def read(folder: Path, container: str, *, follow: bool) -> Iterator[Line]:
    """The lines of a container of the pod in `folder`; with follow, until the pod has an outcome."""
    pod = PodFolder(str(folder))
    path = Path(pod.log(container))
    idle = 0
    while not path.exists():
        if not follow or pod.is_over():
            return
        yield HEARTBEAT
        time.sleep(_PAUSES[min(idle, 3)])
        idle += 1
    with path.open("rb") as file:
        rest = b""
        while True:
            over = pod.is_over()  # looked at before the log is read: nothing is written after it
            data = file.read(1 << 16)
            if data:
                idle = 0
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    stamp, _, text = line.partition(b" ")
                    yield float(stamp), text.decode(errors="replace")
            elif not follow or over:
                return
            else:
                yield HEARTBEAT
                time.sleep(_PAUSES[min(idle, 3)])
                idle += 1


class LogSource(Protocol):
    """Where the lines of a container are read: the local platform."""

    def pod_log(
        self, namespace: str, pod: str, container: str, *, uid: str = "", follow: bool = False
    ) -> Iterator[Line]: ...


@dataclass(frozen=True)
class LogOptions:
    """Kubernetes' pod log options. tail: how many of the last lines, None for all. since: seconds since the epoch; 0 for all.

    limit_bytes: 0 for all. pattern: only lines in which it is found (Argo's grep).
    """

    container: str = ""
    follow: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: float = 0.0
    limit_bytes: int = 0
    pattern: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        for name, value in (("tailLines", self.tail or 0), ("limitBytes", self.limit_bytes)):
            if value < 0:
                message = f"{name}: Invalid value: {value}: must be greater than or equal to 0"
                raise Refused(INVALID_ARGUMENT, message, reason="Invalid")

    def text(self, line: Line) -> str:
        return f"{timestamps.nano(line[0])} {line[1]}" if self.timestamps else line[1]


def chosen(lines: Iterable[Line], options: LogOptions) -> Iterator[Line]:
    """The lines of one container that the options ask for. Heartbeats of a followed log, (0.0, ""), pass through for whoever waits."""
    if options.since:
        lines = (line for line in lines if line[0] >= options.since or is_heartbeat(line))
    if options.tail is not None:
        lines = _tail(lines, options)
    left = options.limit_bytes
    for line in lines:
        if options.limit_bytes and not is_heartbeat(line):
            size = len(options.text(line).encode("utf-8", "replace")) + 1
            if size > left:
                return
            left -= size
        yield line


def _tail(lines: Iterable[Line], options: LogOptions) -> Iterator[Line]:
    """The last lines of what is there now, then what comes (a followed log tells by its first heartbeat that it is at its end)."""
    last: deque[Line] = deque(maxlen=options.tail)
    following = iter(lines)
    for line in following:
        if is_heartbeat(line):
            break
        last.append(line)
    yield from last
    yield from following


def is_heartbeat(line: Line) -> bool:
    return line == HEARTBEAT


def grep(lines: Iterable[Line], options: LogOptions) -> Iterator[Line]:
    """The lines that the pattern is found in; it sees the time stamp too when that is asked for, as Argo's does."""
    if options.pattern is None:
        yield from lines
        return
    for line in lines:
        if is_heartbeat(line) or options.pattern.search(options.text(line)):
            yield line


@dataclass(frozen=True)
class PodLog:
    """One pod of a run: where its log is and when it began (no line of it is older)."""

    namespace: str
    pod: str
    started: float = 0.0
    live: bool = False
    uid: str = field(default="", compare=False)

    def lines(self, source: LogSource, options: LogOptions, *, follow: bool = False) -> Iterator[Line]:
        lines = source.pod_log(self.namespace, self.pod, options.container, uid=self.uid, follow=follow)
        return grep(chosen(lines, options), options)


def merged(pods: Iterable[PodLog], read: Callable[[PodLog], Iterator[Line]]) -> Iterator[tuple[float, PodLog, str]]:
    """All lines of several pods in the order of time. A log is opened only when its pod's start is reached, closed at its end:
    of thousands of pods that ran one after the other, few are open at once."""
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
            # A log is in order by itself; a clock that was set back must not turn it round.
            heapq.heapreplace(heap, (max(line[0], at), order, line[1], lines, pod))
