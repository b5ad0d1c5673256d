"""What /proc says of processes: when they started, their descendants, their memory, their processor time."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection

_PAGE = os.sysconf("SC_PAGE_SIZE")


def born(pid: int | str) -> str:
    """When a process started, in the kernel's ticks: with its id it identifies a process for ever. "" when it has exited."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""


SPAWNER = "from pod import spawner; spawner.main("
"""What the command line of the spawner holds, and of the workers that it forks. No task can change it: it has fewer rights than they."""


def is_of_a_pod(pid: int) -> bool:
    """Whether a process is a worker, or was started below one. A process whose parents have ended is its worker's child."""
    while pid > 1:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if SPAWNER.encode() in file.read():
                    return True
            with open(f"/proc/{pid}/stat") as text:
                pid = int(text.read().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            return True  # it has just ended: nothing is known of it
    return False


def descendants(pid: int) -> list[int]:
    """The process and everything it started, by this namespace's process ids."""
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
    """The processes of a container, of those that `proc` (a mounted /proc) shows; never its first process.

    namespace: of the container's mounts; others: of the pod's other containers. A process may have gone on to a mount namespace of its own:
    its ancestors say whose it is, and when these have ended nothing does. orphans: whether such a process is counted.
    """
    of_process: dict[int, str] = {}
    for name in os.listdir(proc):
        if name.isdecimal():
            with contextlib.suppress(OSError):
                of_process[int(name)] = os.readlink(f"{proc}/{name}/ns/mnt")
    known = {namespace, *others, of_process.pop(1, "")}

    def is_member(pid: int) -> bool:
        while of_process.get(pid, namespace) not in known:
            pid = _parent(proc, pid)
        return of_process[pid] == namespace if pid in of_process else orphans

    return [pid for pid in of_process if is_member(pid)]


def _parent(proc: str, pid: int) -> int:
    """0 when it has ended."""
    try:
        with open(f"{proc}/{pid}/stat") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def resident(proc: str, namespace: str, others: Collection[str] = ()) -> int:
    """Bytes of memory of its own that a container holds."""
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
    """Processor seconds of a process and its descendants, and whether one of them is runnable now, so that it is short of time."""
    ticks, is_short = 0, False
    for process in descendants(pid):
        try:
            with open(f"/proc/{process}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            ticks += sum(int(f) for f in fields[11:15])  # its own, and of children that it has waited for
            is_short = is_short or fields[0] == "R"
        except (OSError, IndexError, ValueError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK"), is_short


def end_others(proc: str, spared: int, dead: int, seconds: float, reap: Callable[[], bool]) -> bool:
    """SIGKILL to every process of this namespace but its first, which is this one. Whether they are gone, after so many seconds at most.

    spared: one that goes on, 0 for none. dead: one that has ended, and is waited for by another; 0. proc: a mounted /proc of the namespace.
    reap: waits for the children that have ended; whether none is left.
    """
    until, pause = time.monotonic() + seconds, 0.0005
    while spared and time.monotonic() < until - seconds / 2:
        reap()
        last = newest()
        others = {int(name) for name in os.listdir(proc) if name.isdecimal()} - {1, spared, dead}
        if not others and last == newest():  # none was born meanwhile: these were all
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
    """The process id that this namespace gave last."""
    file = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 256).split()[-1]
    finally:
        os.close(file)
