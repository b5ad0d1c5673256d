"""The log of a container for its readers: all lines as they are written, the lines that one reader asks for, and the lines of many
pods in the order of time. A line is (time, text); `pod/logs.py` writes them.
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
"""A followed log has nothing new: its reader may leave, or wait a little and read on."""
BATCH = 1 << 18
"""Characters of lines that are read for one client before it has taken them; a line may have four times as many."""
_FRESH = 0.1  # seconds for which what was seen of a log holds for all its readers
_MANY = 1000
_BLOCK = 1 << 18


class LogSizes:
    """How large logs are and whether their pods are over, looked up once for all who follow them."""

    def __init__(self) -> None:
        self._looks: dict[Path, tuple[float, int, bool]] = {}

    def look(self, path: Path, pod: PodFolder) -> tuple[int, bool]:
        """(bytes, -1 for none; whether the pod is over)"""
        now = time.monotonic()
        last_look = self._looks.get(path)
        if last_look is None or now - last_look[0] > _FRESH:
            over = pod.is_over()  # looked at before the size: nothing is written after it
            try:
                size = path.stat().st_size
            except OSError:
                size = -1
            if len(self._looks) > _MANY:
                self._looks = {}
            last_look = self._looks[path] = (now, size, over)
        return last_look[1], last_look[2]


def read(folder: Path, container: str, sizes: LogSizes, *, follow: bool, tail: int | None = None) -> Iterator[Line]:
    """The lines of a container of the pod in `folder`; with follow, until the pod has an outcome, with a heartbeat whenever none is new.

    tail: only so many of the last ones that are there now, then those that come.
    """
    pod = PodFolder(str(folder))
    path = Path(pod.log(container))
    older = folder / "logs" / path.name  # of a pod that an older version ran
    was_there = False  # a pod that was just launched has no folder yet, one that was removed has none any more
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
            with path.open("rb") as file:  # not kept open: there may be more readers than descriptors
                file.seek(place)
                data = file.read(_BLOCK)
        except FileNotFoundError:  # it was removed
            return
        if not data:
            if over:
                return
            yield HEARTBEAT  # its size was looked up before it was there
            continue
        place += len(data)
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            stamp, _, text = line.partition(b" ")
            yield float(stamp), text.decode(errors="replace")


def _place_of_tail(path: Path, tail: int) -> int:
    """Where the last lines of a file begin, searched from its end: a log may have more lines than can be held."""
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
    """Where the lines of a container are read: the local platform."""

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
        return f"{timestamps.nano(line[0])} {line[1]}" if self.timestamps else line[1]


def chosen(lines: Iterable[Line], options: LogOptions) -> Iterator[Line]:
    """The lines of one container that the options ask for. Heartbeats of a followed log, (0.0, ""), pass through for whoever waits."""
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
"""Patterns are searched one after the other: outside of Python's own lock two of them would take both cores from the event loop."""


def grep(lines: Iterable[Line], options: LogOptions) -> Iterator[Line]:
    """The lines that the pattern is found in; it sees the time stamp too when that is asked for, as Argo's does."""
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
    """One pod of a run: where its log is and when it began (no line of it is older)."""

    namespace: str
    pod: str
    started: float = 0.0
    live: bool = False
    uid: str = field(default="", compare=False)

    def lines(self, source: LogSource, options: LogOptions, *, follow: bool = False) -> Iterator[Line]:
        lines = source.pod_log(
            self.namespace, self.pod, options.container, uid=self.uid, follow=follow, tail=options.tail
        )
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
