"""Measures of tasks that use a known amount of processor time, memory and bytes, with stand-ins and with images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hand_made_image import PYTHON
from stage import Stage, uid

from hera_utils.local_platform.pods.pod import syscalls
from hera_utils.local_platform.pods.pod.meter import Use
from waiting import until

MIB = 1 << 20
BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"


def python(stage: Stage, source: str, **more: object):
    return stage.pod({"command": [PYTHON, "-c", source]}, **more)


def near(value: float) -> object:
    return pytest.approx(value, rel=0.1)


def test_processor_time(stage: Stage) -> None:
    assert stage.run(python(stage, BURN.format(seconds=0.5))).used["cpuSeconds"] == near(0.5)


def test_processor_time_of_children_and_of_those_that_outlive_their_parent(stage: Stage) -> None:
    burn = f"{PYTHON} -c '{BURN.format(seconds=0.4)}'"
    used = stage.run(stage.shell(f"{burn}; ({burn}; echo > /tmp/done) & sh -c '{burn.replace(chr(39), chr(34))} & '; "
                                 "while [ ! -e /tmp/done ]; do sleep 0.05; done; sleep 0.5")).used  # fmt: skip
    # The tolerance is for the start of three interpreters and a waiting shell.
    assert used["cpuSeconds"] == pytest.approx(1.2, rel=0.2)


def test_memory(stage: Stage) -> None:
    assert stage.run(python(stage, "b = bytearray(200 << 20)")).used["peakMemory"] == near(200 * MIB)


TOGETHER = """
import os, time
held = bytearray(100 << 20)
open(f"/tmp/held-{os.getpid()}", "w")
while len([name for name in os.listdir("/tmp") if name.startswith("held")]) < 3: time.sleep(0.05)
time.sleep(1.5)
"""


def test_memory_of_several_processes_at_once(stage: Stage) -> None:
    used = stage.run(stage.shell(f"for n in 1 2 3; do {PYTHON} -c '{TOGETHER}' & done; wait")).used
    assert used["peakMemory"] == pytest.approx(300 * MIB, rel=0.15)  # the programs themselves count too


def test_a_small_task_is_at_most_as_large_as_its_worker(stage: Stage) -> None:
    """The kernel counts for a program the memory that its process had before; the needs of the worker's last pod must not count."""
    main = {"command": ["cat"], "name": "main"}
    large = stage.shell(
        f"head -c {64 * MIB} /dev/zero | tr '\\0' x", template={"script": main}, include_script_output=True
    )
    assert stage.run(large).phase == "Succeeded"
    assert stage.run(stage.shell("true")).used["peakMemory"] < 40 * MIB


def test_bytes(stage: Stage) -> None:
    used = stage.run(stage.shell("dd if=/dev/zero of=/root/x bs=1M count=40; cat /root/x > /dev/null")).used
    assert used["writtenBytes"] == near(80 * MIB)  # also to /dev/null
    assert used["readBytes"] == near(80 * MIB)
    assert used["diskWrittenBytes"] in (0, near(40 * MIB))  # 0 where the state folder lies in memory
    quiet = stage.run(stage.shell("true")).used
    assert quiet["readBytes"] < MIB
    assert quiet["writtenBytes"] < 1000


def test_a_pod_that_was_killed_has_used_something(stage: Stage) -> None:
    pod = python(stage, BURN.format(seconds=0.3) + "print('burnt', flush=True)\ntime.sleep(600)")
    node = stage.launch(pod)
    until(lambda: stage.log(pod) == ["burnt"])
    stage.runtime.kill(uid(pod), grace=0.0, force=True)
    assert stage.finished(node).used["cpuSeconds"] >= 0.3


def test_the_delay_of_a_start(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "state", cores=1)
    first, second = stage.shell("i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done"), stage.shell("true")
    before = time.monotonic()
    nodes = [stage.launch(first), stage.launch(second)]
    between = time.monotonic() - before
    ends = [stage.finished(node) for node in nodes]
    times = [(one.started_at or 0.0, one.finished_at or 0.0) for end in ends for one in end.containers]
    assert ends[1].used["startDelay"] - ends[0].used["startDelay"] == pytest.approx(
        times[1][0] - times[0][0], abs=between + 0.1
    )
    assert times[1][0] > times[0][0]
    stage.close()


_BOTH_WAYS = """
import json, os, sys
from hera_utils.local_platform.pods.pod import meter, syscalls
one = meter.Meter("/proc")
program = [sys.executable, "-c", "import os; b = bytearray(50 << 20); os.write(os.open('/dev/null', os.O_WRONLY), b)"]
pid = os.posix_spawn(program[0], program, {})
end = syscalls.ended_child(os.pidfd_open(pid))
assert (end.pid, end.code) == (pid, 0)
alone = meter.of_ended(os.open("/proc", os.O_RDONLY), end)
assert one.reap(lambda pid: False) == (pid, 0)
figures = one.figures()
try:
    one.reap(lambda pid: False)
except ChildProcessError:
    print(json.dumps([alone, list(figures.values())]))
"""


def test_a_child_has_used_the_same_before_and_after_it_was_waited_for() -> None:
    """A fork server reads the usage before it reaps a child, a worker afterwards."""
    said = subprocess.run([sys.executable, "-c", _BOTH_WAYS], capture_output=True, text=True, check=True)
    (cpu, *others), (same_cpu, *same) = json.loads(said.stdout)
    assert (others, round(cpu, 4)) == (same, same_cpu)
    assert others[0] == near(60 * MIB)
    assert others[2] == 50 * MIB


def test_an_exit_code_and_a_signal_are_told_apart() -> None:
    for script, code in (("exit 3", 3), ("kill -9 $$", -9)):
        pidfd = os.pidfd_open(os.posix_spawn("/bin/sh", ["sh", "-c", script], {}))
        end = syscalls.ended_child(pidfd)
        os.waitpid(end.pid, 0)
        os.close(pidfd)
        assert end.code == code


def test_uses_are_joined() -> None:
    assert Use(1.5, 10, 1, 2, 3, 4).plus(Use(0.5, 7, 10, 20, 30, 40)) == Use(2.0, 10, 11, 22, 33, 44)
