"""Measures what the processes of a pod use, as the kernel counts it: processor time, memory, bytes read and written.

A process is counted after it has ended and before it is reaped: then the kernel still knows its totals, and those of its descendants that
it waited for. A process whose parent ended before becomes the worker's child, and is counted by itself. So only one figure is sampled:
the memory of several processes together, for which there is no total.

docs/resources.md says where the figures mislead, and what is done about it.
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
    """The use of one process and the descendants that it waited for. cpu: seconds. memory: bytes of the largest process. read, written:
    bytes through system calls; from_disk, to_disk: bytes of them that went to storage.
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
    """The use of a child that has ended and is not reaped yet. proc: descriptor of a mounted /proc."""
    data = b""
    with contextlib.suppress(OSError):  # a process of another user, or with more rights, cannot be read
        file = os.open(f"{end.pid}/io", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
        try:
            data = os.read(file, _MOST)
        finally:
            os.close(file)
    return Use(end.cpu, end.memory, *_counters(data))


def _counters(data: bytes) -> list[int]:
    """[rchar, wchar, read_bytes, write_bytes] from the text of /proc/PID/io."""
    words = data.split() or _NONE
    return [int(words[1]), int(words[3]), int(words[9]), int(words[11])]


class Meter:
    """Measures what a worker's current pod uses, from `begin` on. proc: a mounted /proc of the worker's process-id namespace."""

    def __init__(self, proc: str) -> None:
        self._proc = proc
        self._peak = os.open(f"{proc}/self/clear_refs", os.O_WRONLY | os.O_CLOEXEC)
        self._own = os.open(f"{proc}/self/io", os.O_RDONLY | os.O_CLOEXEC)
        self.begin()

    def begin(self) -> None:
        self._use = Use()
        self._inherited = self._at_once = 0
        self.look_at = time.monotonic() + _FIRST_LOOK
        """When `look` is to be called next."""

    def before_start(self) -> None:
        """Reset this process's peak of memory before it starts a program.

        Until exec the program has this process's memory, and the kernel counts this process's peak as the program's.
        """
        os.write(self._peak, _RESET_PEAK)
        self._inherited = max(self._inherited, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB)

    def add(self, use: Use) -> None:
        self._use = self._use.plus(use)

    def reap(self, is_foreign: Callable[[int], bool]) -> tuple[int, int] | None:
        """Reap a child that has ended: (process id, exit code or minus its signal); None while all run. is_foreign: whether a child is not
        of the pod. Raises ChildProcessError when there are no children.
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
        """The bytes of a child that was just reaped: the kernel adds them to this process's, which is several times cheaper to read."""
        then, now = _counters(before), _counters(os.pread(self._own, _MOST, 0))
        then[0] += len(before)  # read by this process
        return [late - early for early, late in zip(then, now, strict=True)]

    # --- the memory of several processes together -----------------------------------------------------------------------

    def look(self, now: float, others: Collection[int]) -> None:
        """Sample the memory if it is time. others: processes of the namespace that do not belong to the pod."""
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
        """The process's proportional share of memory: of a page that several processes share, each counts its part."""
        return self._field(f"{self._proc}/{pid}/smaps_rollup", b"Pss:") * _KIB

    def _field(self, path: str, name: bytes) -> int:
        try:
            with open(path, "rb", buffering=0) as file:
                words = file.read(1 << 14).split()
            return int(words[words.index(name) + 1])
        except (OSError, ValueError, IndexError):  # the process may have just ended, or may not be read
            return 0

    def figures(self) -> Json:
        """The figures in the form of argo.annotations.RAN."""
        use = self._use
        # A peak below the memory that the process began with is the worker's own.
        largest = use.memory if use.memory > self._inherited or not self._at_once else 0
        return {
            "cpuSeconds": round(use.cpu, 4),
            "peakMemory": max(largest, self._at_once),
            "readBytes": use.read,
            "writtenBytes": use.written,
            "diskReadBytes": use.from_disk,
            "diskWrittenBytes": use.to_disk,
        }
