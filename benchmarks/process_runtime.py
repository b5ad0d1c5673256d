"""What a shell task costs on the process runtime, against a bare subprocess, in one run of one machine.

    python benchmarks/process_runtime.py [tasks]

Prints milliseconds per task (wall clock, all cores of the machine) at a tenth of the tasks and at all of them, the time from
launch to the report of the end for a task alone, and how many times a plain `subprocess.run` of the same command that is.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from hera_utils.images.table import ImageTable
from hera_utils.interpreter.events import Event, PodFinished
from hera_utils.local_platform.pods.process import ProcessRuntime
from hera_utils.local_platform.pods.runtime import Launch

COMMAND = ["sh", "-c", "true"]


class Bench:
    """images: what images mean. image: the one of every task."""

    def __init__(self, state: Path, images: ImageTable, image: str) -> None:
        self.image = image
        self.left = threading.Semaphore(0)
        self.bad: list[Event] = []
        self.runtime = ProcessRuntime(state, self.report, images=images)
        self.number = 0

    def report(self, run: str, event: Event) -> None:
        if isinstance(event, PodFinished):
            if event.phase != "Succeeded":
                self.bad.append(event)
            self.left.release()

    def tasks(self, count: int) -> float:
        """Seconds that `count` tasks take, all launched at once."""
        begin = time.perf_counter()
        for _ in range(count):
            self.number += 1
            container = {"name": "main", "image": self.image, "command": COMMAND}
            metadata = {"name": f"p-{self.number}", "namespace": "default", "uid": f"u-{self.number}", "labels": {}}
            pod = {"metadata": metadata, "spec": {"containers": [container]}}
            self.runtime.launch(Launch("run", f"n-{self.number}", pod, {"container": container}))
        for _ in range(count):
            self.left.acquire()
        return time.perf_counter() - begin


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder) / "state", ImageTable({"*": {"policy": "stand-in"}}), "alpine:3")
        bench.tasks(20)
        alone = min(bench.tasks(1) for _ in range(20))
        few = bench.tasks(count // 10) / (count // 10)
        many = bench.tasks(count) / count
        begin = time.perf_counter()
        for _ in range(200):
            subprocess.run(COMMAND, check=True)
        plain = (time.perf_counter() - begin) / 200
        bench.runtime.close()
    found = {
        "tasks": count,
        "ms_per_task": round(many * 1e3, 3),
        "ms_per_task_at_a_tenth": round(few * 1e3, 3),
        "growth": round(many / few, 3),
        "ms_alone_best": round(alone * 1e3, 3),
        "ms_subprocess": round(plain * 1e3, 3),
        "times_a_subprocess": round(many / plain, 2),
        "failed": len(bench.bad),
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
