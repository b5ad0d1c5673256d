"""Reads from /proc when processes started, their descendants, memory and processor time; ends processes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection

_PAGE = os.sysconf("SC_PAGE_SIZE")


def born(pid: int | str) -> str:
    """When a process started, in the kernel's ticks; together with the process id it identifies the process. "" when it has exited."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""


SPAWNER = "from pod import spawner; spawner.main("
"""A text in the command line of the spawner and of its workers. Tasks cannot change that line, because they have fewer rights."""


def is_of_a_pod(pid: int) -> bool:
    """Whether a process is a worker or its descendant. (A process whose parents have ended becomes a child of its worker.)"""
    while pid > 1:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if SPAWNER.encode() in file.read():
                    return True
            with open(f"/proc/{pid}/stat") as text:
                pid = int(text.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return True  # the process has just ended, so it cannot be excluded
    return False


def descendants(pid: int) -> list[int]:
    """The process ids of the process and its descendants, in this namespace."""
    pids, todo = [], [pid]
    while todo:
        parent = todo.pop()
        pids.append(parent)
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as file:
                todo += [int(p) for p in file.read().split()]
        except OSError:
            continue
    return pids


def members(proc: str, namespace: str, others: Collection[str] = (), *, orphans: bool = False) -> list[int]:
    """The processes of a container among those that `proc` (a mounted /proc) shows, without process 1.

    namespace: the container's mount namespace. others: those of the pod's other containers. A process may have created a mount namespace of
    its own; then its ancestors show to which container it belongs. orphans: whether to count such a process when its ancestors have ended.
    """
    namespaces: dict[int, str] = {}
    for name in os.listdir(proc):
        if name.isdecimal():
            with contextlib.suppress(OSError):
                namespaces[int(name)] = os.readlink(f"{proc}/{name}/ns/mnt")
    known = {namespace, *others, namespaces.pop(1, "")}

    def is_member(pid: int) -> bool:
        while namespaces.get(pid, namespace) not in known:
            pid = _parent(proc, pid)
        return namespaces[pid] == namespace if pid in namespaces else orphans

    return [pid for pid in namespaces if is_member(pid)]


def _parent(proc: str, pid: int) -> int:
    """The process id of a process's parent; 0 when the process has ended."""
    try:
        with open(f"{proc}/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def resident(proc: str, namespace: str, others: Collection[str]) -> int:
    """Bytes of memory of a container's processes, without shared memory."""
    total = 0
    for pid in members(proc, namespace, others, orphans=True):
        try:
            with open(f"{proc}/{pid}/statm") as file:
                fields = file.read().split()
            total += (int(fields[1]) - int(fields[2])) * _PAGE
        except (OSError, IndexError, ValueError):
            continue
    return total


def usage(pid: int) -> tuple[float, bool]:
    """(processor seconds of a process and its descendants, whether one of them is runnable now and so short of processor time)."""
    ticks, is_short = 0, False
    for process in descendants(pid):
        try:
            with open(f"/proc/{process}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            ticks += sum(int(f) for f in fields[11:15])  # its own, and those of children that it has reaped
            is_short = is_short or fields[0] == "R"
        except (OSError, IndexError, ValueError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK"), is_short


def end_others(proc: str, spared: int, dead: int, seconds: float, reap: Callable[[], bool]) -> bool:
    """Send SIGKILL to every process of this namespace except this one, its first. Gives whether they ended within so many seconds.

    spared: a process that continues, 0 for none. dead: a process that has ended and that another one reaps, 0 for none. proc: a mounted
    /proc of the namespace. reap: reaps children that have ended, and gives whether none is left.
    """
    until, pause = time.monotonic() + seconds, 0.0005
    while spared and time.monotonic() < until - seconds / 2:
        reap()
        last = newest()
        others = {int(name) for name in os.listdir(proc) if name.isdecimal()} - {1, spared, dead}
        if not others and last == newest():  # no process was started meanwhile, so the list was complete
            return True
        for pid in others:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if others:
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
    with contextlib.suppress(OSError):
        os.kill(-1, signal.SIGKILL)
    while not reap():
        if time.monotonic() >= until:
            return False
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
    return True


def newest() -> bytes:
    """The newest process id of this namespace."""
    file = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 256).split()[-1]
    finally:
        os.close(file)
