"""Pods that are hard to end (clocks that jump, processes that nothing kills), and pods whose worker dies before they begin."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import Stage, uid

from hera_utils.local_platform.pods import pod_deadlines, process, workers
from hera_utils.local_platform.pods.pod.errors import DEADLINE, UNENDABLE
from hera_utils.local_platform.pods.pod.processes import SPAWNER, born, descendants
from waiting import until

ODD = {
    "ignores SIGTERM": "trap '' TERM; echo here; while :; do sleep 1; done",
    "a session of its own": "setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' & sleep 1000",
    "stopped": "sleep 1000 & kill -STOP $!; kill -STOP $$; sleep 1000",
    "forks": "while :; do (trap '' TERM; sleep 1000) & sleep 0.01; done",
    "a chain of forks": "python3 -c 'import os, signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "while not os.fork() or os._exit(0): pass' & sleep 1000",
    "traced": "python3 -c 'import ctypes, os, time\nif os.fork() == 0:\n  ctypes.CDLL(None).ptrace(0, 0, 0, 0)\n"
    "  os.kill(os.getpid(), 19)\ntime.sleep(1000)'",
}


def tasks_below(worker: int) -> list[int]:
    """The processes of a pod: the children of a worker, except the fork server that waits for the next pod.

    A process that has ended has no command line: an idle worker reaps its last fork server with the next pod.
    """
    return [pid for pid in descendants(worker)[1:] if not is_ours_or_over(pid)]


def is_ours_or_over(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # the process has just ended
        return True
    return not command or SPAWNER.encode() in command


@pytest.mark.parametrize("how", ["deadline", "killed"])
@pytest.mark.parametrize("odd", ODD)
def test_nothing_of_it_is_left(stage: Stage, odd: str, how: str) -> None:
    spec = {"terminationGracePeriodSeconds": 0.2, **({"activeDeadlineSeconds": 0.3} if how == "deadline" else {})}
    pod = stage.shell(ODD[odd], spec=spec)
    stage.launch(pod)
    stage.started(pod.node_id)
    worker = stage.runtime._workers.worker_of(uid(pod))
    assert worker is not None
    if how != "deadline":
        stage.runtime.kill(uid(pod), grace=0.2)
    end = stage.finished(pod.node_id)
    assert (end.phase, end.message) == ("Failed", DEADLINE if how == "deadline" else "")
    until(lambda: not tasks_below(worker.pid))


# --- another kernel, another clock -------------------------------------------------------------------------------------------------


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A stage whose workers first run the test's code, `tmp_path/code.py`."""
    begin = f"exec(open({str(tmp_path / 'code.py')!r}).read()); from pod import spawner; "
    monkeypatch.setattr(workers, "_START", workers._START.replace("from pod import spawner; ", begin))
    (tmp_path / "code.py").touch()
    made: list[Stage] = []

    def of(code: str) -> Stage:
        (tmp_path / "code.py").write_text(code)
        made.append(Stage(tmp_path / "state"))
        return made[0]

    yield of  # type: ignore[misc]
    for one in made:
        one.close()


BACKWARDS = """
import os, time
real = time.time
time.time = lambda: real() - (86400 if os.path.exists({flag!r}) else 0)
"""


@pytest.mark.parametrize("how", ["killed", "deadline"])
def test_a_clock_that_is_set_back_ends_no_later(staged, tmp_path: Path, how: str) -> None:
    """When the clock was set back during the grace period or before the deadline, the pod ran a day longer."""
    stage = staged(BACKWARDS.format(flag=str(tmp_path / "flag")))
    spec = {"terminationGracePeriodSeconds": 1, **({"activeDeadlineSeconds": 3} if how == "deadline" else {})}
    pod = stage.shell(ODD["ignores SIGTERM"], spec=spec)
    stage.launch(pod)
    until(lambda: stage.log(pod))
    if how == "killed":
        stage.runtime.kill(uid(pod), grace=2)
    time.sleep(0.5)  # within the grace period
    (tmp_path / "flag").touch()
    end = stage.finished(pod.node_id)
    assert (end.message, end.containers[0].exit_code) == (DEADLINE if how == "deadline" else "", 137)


UNKILLABLE = """
import os
from pod import containers
containers.KILL_SECONDS = 0.3
kill = os.kill
os.kill = lambda pid, number: None if number == 9 else kill(pid, number)
"""


@pytest.mark.parametrize("how", ["killed", "deadline", "left behind"])
def test_what_even_sigkill_does_not_end_is_given_up(staged, how: str) -> None:
    """Such as a process that waits in the kernel for a network disk."""
    stage = staged(UNKILLABLE)
    spec = {"terminationGracePeriodSeconds": 0.2, **({"activeDeadlineSeconds": 0.3} if how == "deadline" else {})}
    pod = stage.shell(
        "trap '' TERM; echo here; sleep 1000" if how != "left behind" else "sleep 1000 & echo done", spec=spec
    )
    stage.launch(pod)
    worker = stage.runtime._workers.worker_of
    if how == "killed":
        until(lambda: stage.log(pod))
        stage.runtime.kill(uid(pod), grace=0.2)
    end = stage.finished(pod.node_id)
    assert (end.phase, end.message) == ("Failed", DEADLINE if how == "deadline" else UNENDABLE)
    assert worker(uid(pod)) is None
    assert stage.run(stage.shell("echo well", template={})).phase == "Succeeded"  # another worker runs it


@pytest.mark.parametrize("how", ["killed", "deadline", "unendable"])
def test_a_worker_that_stands_still_holds_nobody_up(
    own_stage: Stage, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(pod_deadlines, "LATE", 0.5)
    monkeypatch.setattr(pod_deadlines, "UNENDABLE_SECONDS", 0.5)
    monkeypatch.setattr(process, "_SWEEP", 0.2)
    spec = {"terminationGracePeriodSeconds": 0.2, **({"activeDeadlineSeconds": 0.3} if how == "deadline" else {})}
    pod = own_stage.shell("sleep 1000", spec=spec)
    own_stage.launch(pod)
    own_stage.started(pod.node_id)
    worker = own_stage.runtime._workers.worker_of(uid(pod))
    assert worker is not None
    os.kill(worker.pid, signal.SIGSTOP)
    if how == "unendable":
        monkeypatch.setattr(workers.Worker, "end", lambda self: None)
    if how != "deadline":
        own_stage.runtime.kill(uid(pod), grace=0.2)
    end = own_stage.finished(pod.node_id)
    assert end.message == {"killed": "pod deleted", "deadline": DEADLINE, "unendable": UNENDABLE}[how]
    monkeypatch.undo()
    if how == "unendable":
        worker.end()
    until(lambda: not born(worker.pid))


def test_the_deadlines_of_pods() -> None:
    deadlines = pod_deadlines.PodDeadlines()
    deadlines.begin("a", {"spec": {"activeDeadlineSeconds": 10, "terminationGracePeriodSeconds": 5}}, 100)
    deadlines.begin("b", {"spec": {}}, 100)
    assert deadlines.due(129.9) == []
    assert deadlines.due(130.1) == [("a", pod_deadlines.END_WORKER)]
    assert deadlines.has_passed("a")
    assert deadlines.due(140) == []
    assert deadlines.due(140.2) == [("a", pod_deadlines.GIVE_UP)]
    deadlines.killed("b", 1, 200)
    assert deadlines.due(216.1) == [("a", pod_deadlines.GIVE_UP), ("b", pod_deadlines.END_WORKER)]
    assert not deadlines.has_passed("b")
    for one in ("a", "b", "c"):
        deadlines.forget(one)
    assert deadlines.due(1e9) == []


# --- pods that have not begun -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("restart", [False, True])
def test_a_pod_that_had_not_begun_is_started_again(own_stage: Stage, restart: bool) -> None:
    """The worker is killed while it fetches the pod's inputs: no command has run, so nothing is lost and nothing runs twice."""
    with socket.create_server(("127.0.0.1", 0)) as store:
        url = f"http://127.0.0.1:{store.getsockname()[1]}/x"
        template = {
            "inputs": {"artifacts": [{"name": "a", "path": "/in", "http": {"url": url}, "archive": {"none": {}}}]}
        }
        pod = own_stage.shell("cat /in", template=template)
        own_stage.launch(pod)
        first, _ = store.accept()
        worker = own_stage.runtime._workers.worker_of(uid(pod))
        assert worker is not None
        if restart:
            own_stage.runtime.close()
        os.kill(worker.pid, signal.SIGKILL)
        first.close()
        if restart:
            until(lambda: not born(worker.pid))
            own_stage.restart()
            own_stage.runtime.reattach(pod)
        second, _ = store.accept()
        with second:
            second.recv(65536)
            second.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n")
            end = own_stage.finished(pod.node_id)
    assert (end.phase, end.message, end.error) == ("Succeeded", "", "")
    assert own_stage.log(pod) == ["hello"]
