"""Does the platform's own cost per task grow with the number of tasks? Without pods: a runtime that says at once that they ran.

    python benchmarks/scale.py [TASKS ...]          # default: 1000 10000; each workflow in a process and a state folder of its own
    python benchmarks/scale.py --workflows 100 100  # 100 workflows of 100 tasks each, all at once

Prints, of one `withSequence` of TASKS shell tasks (`--shape`: of other shapes, as their functions say): processor
milliseconds per task of the whole server process (controller, journal, launcher; no HTTP, no pods) and of the last tenth of the tasks;
the resident memory per node while the run goes on and after its end; the journal's bytes per node. `--profile` prints where the time
goes.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import math
import os
import pstats
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hera_utils.interpreter.events import ContainerState, PodFinished, PodStarted
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.pods.runtime import AT_HAND, Launch, Report

AT_ONCE = 2
"""Pods that run at the same time: so many events are in one turn, as on a machine of two cores."""


class InstantRuntime:
    """Every pod starts when its turn comes and ends at once; `AT_ONCE` of them between two turns of the controller."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.queue: deque[tuple[str, Launch]] = deque()
        self.ended = 0

    def run(self, platform: LocalPlatform, *, until: float = math.inf, rate: float = math.inf) -> None:
        """Let pods run for ever, or until so many have ended. rate: so many a second."""
        start, before = time.monotonic(), self.ended
        while self.ended < until:
            batch = [self.take() for _ in range(min(AT_ONCE, len(self.queue)))]
            for launch in batch:
                self.report(launch.run_uid, PodStarted(time.time(), "", launch.node_id))
            settle(platform)
            for launch in batch:
                now = time.time()
                state = ContainerState("main", 0, "Completed", "", now, now)
                self.report(launch.run_uid, PodFinished(now, "", launch.node_id, "Succeeded", containers=(state,)))
            settle(platform)
            self.ended += len(batch)
            time.sleep(max(0.0 if batch else 0.01, start + (self.ended - before) / rate - time.monotonic()))

    def take(self) -> Launch:
        """The next pod, as the runtime of processes has it in memory, or reads it again."""
        uid, launch = self.queue.popleft()
        whole = launch.again(uid) if not launch.whole and launch.again is not None else launch
        assert whole is not None
        return whole

    def prepare(self) -> None:
        pass

    def refusal(self) -> None:
        return None

    def launch(self, launch: Launch) -> None:
        uid = str(launch.pod["metadata"]["uid"])
        self.queue.append((uid, launch.stub() if len(self.queue) > AT_HAND else launch))

    reattach = launch

    def kill(self, pod_uid: str, *, grace: float = 30.0, force: bool = False) -> None:
        pass

    def logs(
        self, pod_uid: str, container: str, *, follow: bool = False, tail: int | None = None
    ) -> Iterator[tuple[float, str]]:
        return iter(())

    def waiting(self) -> dict[str, dict[str, str]]:
        return {}

    def forget(self, pod_uid: str) -> None:
        pass

    def close(self) -> None:
        pass


def settle(platform: LocalPlatform) -> None:
    """Return when the controller has taken what was reported."""
    platform._controller.call(lambda turn: lambda: None)


def fan_out(tasks: int) -> dict[str, Any]:
    item = {"name": "n", "value": "{{item}}"}
    task = {"name": "task", "template": "echo", "arguments": {"parameters": [item]}, "withSequence": {"count": tasks}}
    return {"name": "main", "dag": {"tasks": [task]}}


def items(tasks: int) -> dict[str, Any]:
    """As many items in the spec, each of a hundred characters."""
    main = fan_out(tasks)
    del main["dag"]["tasks"][0]["withSequence"]
    main["dag"]["tasks"][0]["withItems"] = [f"{n:0100}" for n in range(tasks)]
    return main


def chain(tasks: int) -> dict[str, Any]:
    number = {"name": "n", "value": "1"}
    steps = [
        {"name": f"t{n}", "template": "echo", "arguments": {"parameters": [number]}}
        | ({"depends": f"t{n - 1}"} if n else {})
        for n in range(tasks)
    ]
    return {"name": "main", "dag": {"tasks": steps}}


def limited(tasks: int) -> dict[str, Any]:
    """No more than ten at once: each end opens one."""
    return fan_out(tasks) | {"parallelism": 10}


def mutex(tasks: int) -> dict[str, Any]:
    """One at a time, all of them waiting for a lock."""
    main = fan_out(tasks)
    main["dag"]["tasks"][0]["template"] = "locked"
    return main


def steps(tasks: int) -> dict[str, Any]:
    """The items of a step, and one after it."""
    item = {"name": "n", "value": "{{item}}"}
    step = {"name": "task", "template": "echo", "arguments": {"parameters": [item]}, "withSequence": {"count": tasks}}
    last = {"name": "last", "template": "echo", "arguments": {"parameters": [{"name": "n", "value": "done"}]}}
    return {"name": "main", "steps": [[step], [last]]}


def retried(tasks: int) -> dict[str, Any]:
    """Each with a retry strategy: a node above its attempts."""
    main = fan_out(tasks)
    main["dag"]["tasks"][0]["template"] = "retried"
    return main


def fan_in(tasks: int) -> dict[str, Any]:
    """As many tasks, each written out, and one that depends on them all."""
    arguments = {"parameters": [{"name": "n", "value": "1"}]}
    written = [{"name": f"t{n}", "template": "echo", "arguments": arguments} for n in range(tasks)]
    names = " && ".join(f"t{n}" for n in range(tasks))
    last = {"name": "last", "template": "echo", "arguments": arguments, "depends": names}
    return {"name": "main", "dag": {"tasks": [*written, last]}}


SHAPES = {
    "fan-out": fan_out, "items": items, "chain": chain, "limited": limited, "mutex": mutex, "steps": steps, "retried": retried,
    "fan-in": fan_in,
}  # fmt: skip


def workflow(main: dict[str, Any]) -> dict[str, Any]:
    container = {"image": "busybox", "command": ["sh", "-c"], "args": ["echo {{inputs.parameters.n}}"]}
    echo = {"name": "echo", "inputs": {"parameters": [{"name": "n"}]}, "container": container}
    templates = [main, echo, echo | {"name": "locked", "synchronization": {"mutexes": [{"name": "one"}]}}]
    templates.append(echo | {"name": "retried", "retryStrategy": {"limit": 2}})
    return {"metadata": {"generateName": "scale-"}, "spec": {"entrypoint": "main", "templates": templates}}


def memory(kind: str = "VmRSS") -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024


def measure(tasks: int, workflows: int, shape: str, profile: bool) -> dict[str, float]:
    """One run in a fresh platform. Processor time is the whole process's: machines are noisy, clocks on the wall too."""
    with tempfile.TemporaryDirectory() as folder:
        runtimes: list[InstantRuntime] = []

        def runtime(state: Path, report: Report) -> InstantRuntime:
            runtimes.append(InstantRuntime(report))
            return runtimes[0]

        platform = LocalPlatform(Path(folder), runtime=runtime)
        document = workflow(SHAPES[shape](tasks))
        before, profiler = memory(), cProfile.Profile()
        if profile:
            platform._controller.call(lambda turn: lambda: profiler.enable())
        start = time.process_time()
        runs = [platform.submit("default", document) for _ in range(workflows)]
        opened, total = time.process_time() - start, tasks * workflows
        thread = threading.Thread(target=runtimes[0].run, args=(platform,), daemon=True)
        thread.start()
        late, halfway = 0.0, 0
        while any(phase(platform, run.name) == "Running" for run in runs):
            time.sleep(0.2)
            if not late and runtimes[0].ended >= total * 0.9:
                late, tenth = time.process_time(), total - runtimes[0].ended
                gc.collect()
                halfway = memory()
        end = time.process_time()
        if profile:
            platform._controller.call(lambda turn: lambda: profiler.disable())
            pstats.Stats(profiler).sort_stats("tottime").print_stats(45)
        assert all(phase(platform, run.name) == "Succeeded" for run in runs)
        journal = sum(path.stat().st_size for path in Path(folder).glob("journal.sqlite*"))
        document_bytes = len(platform.get("Workflow", "default", runs[0].name).text)
        gc.collect()
        after, peak = memory(), memory("VmHWM")
        return {
            "tasks": total,
            "ms/task": 1000 * (end - start) / total,
            "open": 1000 * opened / total,
            "last tenth": 1000 * (end - late) / max(tenth, 1) if late else 0.0,
            "kB/node at work": (halfway - before) / total / 1000,
            "kB/node after": (after - before) / total / 1000,
            "peak MB": peak / 1e6,
            "journal B/node": journal / total,
            "document B/node": document_bytes / tasks,
        }


def phase(platform: LocalPlatform, name: str) -> str:
    text = platform.get("Workflow", "default", name, nodes=False).text
    return str(json.loads(text)["status"].get("phase") or "Running").replace("Pending", "Running")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", type=int, default=[1000, 10000])
    parser.add_argument("--workflows", type=int, default=1)
    parser.add_argument("--shape", choices=SHAPES, default="fan-out")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measure(options.tasks[0], options.workflows, options.shape, options.profile)), flush=True)
        os._exit(0)  # the threads that pretend to be pods go on for ever
    first: dict[str, float] = {}
    os.environ["HERA_UTILS_MOST_NODES"] = str(10 + 3 * max(options.tasks))
    for tasks in options.tasks:
        command = [sys.executable, __file__, "--here", "--workflows", str(options.workflows), str(tasks)]
        command += ["--shape", options.shape] + ["--profile"] * options.profile
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()
        print("\n".join(lines[:-1]), end="\n" if lines[:-1] else "")
        row = json.loads(lines[-1])
        first = first or row
        print("  ".join([f"{name} {value:.4g}" for name, value in row.items()]), end="")
        print(f"  to the first {row['ms/task'] / first['ms/task']:.2f}", flush=True)


if __name__ == "__main__":
    main()
