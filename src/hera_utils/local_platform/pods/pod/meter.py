"""What the processes of a pod used, as the kernel counts it: processor time, memory, bytes read and written.

A process is counted when it has ended and before it is gone: then the kernel still knows its totals, and those of its descendants that it
waited for. One whose parent ended before it becomes the worker's child, and is counted by itself. So nothing is sampled but one figure:
what several processes hold together, which no total says.

Where the figures mislead, and what is done about it, says docs/resources.md.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from .syscalls import Ended

Json = dict[str, Any]
_FIRST_LOOK, _TICK = 0.1, 0.5  # seconds
_SHARE = 0.01  # share of a processor that measuring may take
_KIB = 1024
_MOST = 1024  # bytes of /proc/PID/io
_RESET_PEAK = b"5"  # proc(5), clear_refs
_NONE = ("0",) * 12


class Use(NamedTuple):
    """Of one process and the descendants that it waited for. cpu: seconds. memory: bytes, of the largest of them. read, written: bytes that
    went through system calls; from_disk, to_disk: what of it storage saw.
    """

    cpu: float = 0.0
    memory: int = 0
    read: int = 0
    written: int = 0
    from_disk: int = 0
    to_disk: int = 0

    def plus(self, other: Use) -> Use:
        return Use(self.cpu + other.cpu, max(self.memory, other.memory), *map(int.__add__, self[2:], other[2:]))


def of_ended(proc: int, end: Ended) -> Use:
    """Of a child that has ended and is not waited for yet. proc: descriptor of a mounted /proc."""
    data = b""
    with contextlib.suppress(OSError):  # another user's, or one with more rights
        file = os.open(f"{end.pid}/io", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
        try:
            data = os.read(file, _MOST)
        finally:
            os.close(file)
    return Use(end.cpu, end.memory, *_counters(data))


def _counters(data: bytes) -> list[int]:
    """rchar, wchar, read_bytes, write_bytes, of a /proc/PID/io."""
    words = data.split() or _NONE
    return [int(words[1]), int(words[3]), int(words[9]), int(words[11])]


class Meter:
    """Of one worker: what a pod uses from `begin` on. proc: a mounted /proc of its process-id namespace."""

    def __init__(self, proc: str) -> None:
        self._proc = proc
        self._peak = os.open(f"{proc}/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
        self._own = os.open(f"{proc}/self/io", os.O_RDONLY | os.O_CLOEXEC)
        self.begin()

    def begin(self) -> None:
        self._use = Use()
        self._inherited = self._at_once = 0
        self.look_at = time.monotonic() + _FIRST_LOOK
        """When `look` is to be called."""

    def before_start(self) -> None:
        """A program begins with this process's memory, until it has replaced it: the kernel counts that as its own peak. It shall be what
        this process has now, not the most that it ever had.
        """
        os.write(self._peak, _RESET_PEAK)
        self._inherited = max(self._inherited, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB)

    def add(self, use: Use) -> None:
        self._use = self._use.plus(use)

    def reap(self, is_foreign: Callable[[int], bool]) -> tuple[int, int] | None:
        """A child that has ended: its id and exit code (negative: by that signal); None while all run. is_foreign: whether a child is none
        of the pod's. Raises ChildProcessError when there is none.
        """
        before = os.pread(self._own, _MOST, 0)
        pid, status, totals = os.wait4(-1, os.WNOHANG)
        if pid == 0:
            return None
        if not is_foreign(pid):
            cpu, memory = totals.ru_utime + totals.ru_stime, totals.ru_maxrss * _KIB
            self.add(Use(cpu, memory, *self._counted_since(before)))
        return pid, os.waitstatus_to_exitcode(status)

    def _counted_since(self, before: bytes) -> list[int]:
        """With a child that was waited for, its bytes become this process's: to look at the child itself costs several times as much."""
        then, now = _counters(before), _counters(os.pread(self._own, _MOST, 0))
        then[0] += len(before)  # read by this process
        return [late - early for early, late in zip(then, now, strict=True)]

    # --- what several processes hold together -----------------------------------------------------------------------

    def look(self, now: float, others: Collection[int]) -> None:
        """If it is time. others: processes of the namespace that are none of the pod's."""
        if now < self.look_at:
            return
        begun = time.thread_time()
        pids = [name for name in os.listdir(self._proc) if name.isdecimal() and int(name) not in others]
        held = self._peak_of(pids[0]) if len(pids) == 1 else sum(map(self._share_of, pids))
        self._at_once = max(self._at_once, held)
        self.look_at = now + max(_TICK, (time.thread_time() - begun) / _SHARE)

    def _peak_of(self, pid: str) -> int:
        return self._field(f"{self._proc}/{pid}/status", b"VmHWM:") * _KIB

    def _share_of(self, pid: str) -> int:
        """Of a page that several processes have, each its part."""
        return self._field(f"{self._proc}/{pid}/smaps_rollup", b"Pss:") * _KIB

    def _field(self, path: str, name: bytes) -> int:
        try:
            with open(path, "rb", buffering=0) as file:
                words = file.read(1 << 14).split()
            return int(words[words.index(name) + 1])
        except (OSError, ValueError, IndexError):  # it has just ended, or may not be looked at
            return 0

    def figures(self) -> Json:
        """As argo.annotations.RAN has them."""
        use = self._use
        # below what it began with, the kernel's figure is that of the worker
        largest = use.memory if use.memory > self._inherited or not self._at_once else 0
        return {
            "cpuSeconds": round(use.cpu, 4),
            "peakMemory": max(largest, self._at_once),
            "readBytes": use.read,
            "writtenBytes": use.written,
            "diskReadBytes": use.from_disk,
            "diskWrittenBytes": use.to_disk,
        }
