"""What does a task cost, and where? Processor time, in microseconds a task, so that it can be measured on a machine that others use too.

    python benchmarks/task_costs.py [fan-out|chain|python] [TASKS] [--parts] [--profile controller|process-runtime]

The platform runs in this process, without its two HTTP servers. Printed are its threads, its workers, what the workers wait for (the
tasks themselves), and beside them the bare command, started from here. --parts measures the controller's and the runtime's
steps as well, each by itself; that costs something itself. --profile prints the functions that one thread spends its time in.
"""

import argparse
import cProfile
import json
import os
import pstats
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from hera_utils.local_platform.controller import controller, effects, turn
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.pods import launcher, process, workers
from hera_utils.local_platform.storage import read_model

COMMAND = ["sh", "-c", "echo hello"]
PARTS = {
    "controller: interpreter": (controller, "interpreter_advance"),
    "controller: commands to rows": (effects.Effects, "carry_out"),
    "controller: pods' statuses": (controller.Controller, "_note_status"),
    "controller: event to text": (controller.Controller, "_record"),
    "controller: runs to rows": (turn.Turn, "seal"),
    "controller: transaction": (turn.Turn, "write"),
    "controller: to readers": (read_model.ReadModel, "publish"),
    "controller: references, hand-over": (launcher.Launcher, "launch"),
    "runtime: admission": (process.ProcessRuntime, "_admit"),
    "runtime: of this the launch as text": (process.ProcessRuntime, "_job"),
    "runtime: of this workers": (workers.Workers, "assign"),
    "runtime: messages, outcomes": (process.ProcessRuntime, "_hear"),
    "runtime: sweeps": (process.ProcessRuntime, "_sweep"),
}
THREADS = ("controller", "process-runtime")


def workflow(shape: str, count: int) -> dict:
    image, task = {"image": "busybox"}, {"name": "task", "template": "task"}
    template = {"name": "task", "container": {**image, "command": COMMAND}}
    tasks = [{**task, "withSequence": {"count": str(count)}}]
    if shape == "python":
        template = {
            "name": "task",
            "script": {"image": "python:3.11", "command": ["python"], "source": "print('hello')"},
        }
    if shape == "chain":
        tasks = [
            {**task, "name": f"t{n}", **({"dependencies": [f"t{n - 1}"]} if n else {})} for n in range(count)
        ]  # fmt: skip
    templates = [{"name": "main", "dag": {"tasks": tasks}}, template]
    return {"metadata": {"generateName": f"{shape}-"}, "spec": {"entrypoint": "main", "templates": templates}}


def run(platform: LocalPlatform, shape: str, count: int) -> float:
    """Seconds that a workflow takes."""
    over, found = threading.Event(), []

    def on_change(change):
        if found and change.stored.name == found[0] and platform.archive.uid_of("default", found[0]):
            over.set()

    stop, begin = platform.subscribe("Workflow", on_change), time.monotonic()
    found.append(platform.submit("default", workflow(shape, count)).name)
    over.wait()
    stop()
    status = json.loads(platform.get("Workflow", "default", found[0]).text)["status"]
    assert (status["phase"], status["progress"]) == ("Succeeded", f"{count}/{count}"), status["phase"]
    return time.monotonic() - begin


def clocks() -> dict[str, float]:
    """Processor seconds of this process's threads, of the workers, and of what workers have waited for."""
    seconds = {"whole server": time.process_time()}
    for thread in threading.enumerate():
        if thread.name in THREADS:
            seconds[f"of this {thread.name}"] = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    own = waited = 0
    for pid in below(os.getpid())[1:]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        own += int(fields[11]) + int(fields[12])
        waited += int(fields[13]) + int(fields[14])
    tick = os.sysconf("SC_CLK_TCK")
    return {**seconds, "workers": own / tick, "tasks": waited / tick}


def below(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


def measure_parts(spent: Counter) -> None:
    """Replace each part by itself with a clock around it."""

    def clocked(name, function):
        def around(*args, **kwargs):
            begin = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent[name] += time.thread_time() - begin

        return around

    for name, (owner, attribute) in PARTS.items():
        setattr(owner, attribute, clocked(name, getattr(owner, attribute)))


def profile_thread(name: str, profile: cProfile.Profile) -> None:
    owner, attribute = {
        "controller": (controller.Controller, "_loop"),
        "process-runtime": (process.ProcessRuntime, "_run"),
    }[name]
    loop = getattr(owner, attribute)
    setattr(owner, attribute, lambda self: profile.runcall(loop, self))


def bare(count: int) -> float:
    """Processor seconds of the command alone, as a shell would start it."""
    before = os.times()
    for _ in range(count):
        pid = os.posix_spawnp(
            COMMAND[0], COMMAND, os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
        )
        os.waitpid(pid, 0)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("shape", nargs="?", default="fan-out", choices=("fan-out", "chain", "python"))
    words.add_argument("tasks", nargs="?", type=int, default=1000)
    words.add_argument("--parts", action="store_true")
    words.add_argument("--profile", choices=THREADS)
    given = words.parse_args()
    spent, profile = Counter(), cProfile.Profile(timer=time.thread_time)
    if given.parts:
        measure_parts(spent)
    if given.profile:
        profile_thread(given.profile, profile)
    with tempfile.TemporaryDirectory() as folder:
        platform = LocalPlatform(Path(folder))
        run(platform, given.shape, 20)
        spent.clear()
        before = clocks()
        wall = run(platform, given.shape, given.tasks)
        after = clocks()
        platform.close()
    print(f"{given.shape}, {given.tasks} tasks: microseconds of processor time a task")
    rows = {name: after[name] - before[name] for name in after} | dict(spent)
    rows["the bare command"] = bare(200) / 200 * given.tasks
    for name, seconds in rows.items():
        print(f"{name:36} {seconds / given.tasks * 1e6:8.0f}")
    print(f"{'(wall clock)':36} {wall / given.tasks * 1e6:8.0f}")
    if given.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(60)


if __name__ == "__main__":
    sys.exit(main())
