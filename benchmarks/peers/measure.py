"""One run of one tool: seconds from its process's start to its end, processor seconds of all that it started, and whether its tasks printed
what they had to.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools import Job, Tool
from workloads import Workload

_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Measured:
    """others: the share of the machine that anybody else used meanwhile."""

    tool: str
    workload: str
    size: int
    round: int
    seconds: float
    processor: float
    others: float
    problem: str = ""

    @property
    def each(self) -> float:
        """Milliseconds a task."""
        return self.seconds / self.size * 1000

    def row(self) -> dict[str, Any]:
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


@functools.cache
def _everything() -> str:
    """The folder of all runs of this program."""
    folder = tempfile.mkdtemp(prefix="hera-utils-benchmarks-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def adopt_orphans() -> None:
    """What a tool leaves running becomes a child of this process: it is counted, and ended."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def measure(tool: Tool, workload: Workload, size: int, number: int, python: str, limit: float) -> Measured:
    """python: the tasks' interpreter. limit: seconds after which the run is given up.

    What a run leaves is there until the program ends: ext4 makes a new file slowly beside many that were removed within the last minutes.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{tool.name}-{workload.name}-", dir=_everything()))
    try:
        job = Job(workload, size, folder, python)
        command, problem = tool.prepare(job, tool.python()), ""
        with (folder / "said.log").open("wb") as said:
            busy, mine, begin = _machine(), _own(), time.perf_counter()
            process = subprocess.Popen(
                command, cwd=folder, env=job.environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
            in_time = _wait(process.pid, limit)
            seconds = time.perf_counter() - begin
        if in_time:
            process.wait()
        end_children()
        mine = _own() - mine
        others = max(0.0, _machine() - busy - mine) / (seconds * (os.cpu_count() or 1))
        if not in_time:
            problem = f"not over after {limit:.0f} s"
        elif process.returncode:
            problem = f"status {process.returncode}: {_last_words(folder)}"
        elif sorted(tool.outputs(job)) != workload.expected(size):
            problem = f"its tasks did not print what they had to: {_last_words(folder)}"
        return Measured(tool.name, workload.name, size, number, seconds, mine, min(1.0, others), problem)
    finally:
        end_children()


def _wait(pid: int, limit: float) -> bool:
    """Whether it ended in time; it is not waited for in steps."""
    fd = os.pidfd_open(pid)
    try:
        waiter = select.poll()
        waiter.register(fd, select.POLLIN)
        return bool(waiter.poll(limit * 1000))
    finally:
        os.close(fd)


def end_children() -> None:
    """End by number what is below this process, and wait for it."""
    while below := _below(os.getpid()):
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.01)


def _below(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found[1:]


def _machine() -> float:
    """Processor seconds that all programs of the machine have used."""
    fields = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / os.sysconf("SC_CLK_TCK")


def _own() -> float:
    """Processor seconds of this process and of all below it that have ended."""
    return sum(os.times()[:4])


def _last_words(folder: Path) -> str:
    lines = (folder / "said.log").read_text(errors="replace").strip().splitlines()
    return " / ".join(lines[-3:])
