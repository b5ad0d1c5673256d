"""The server, the spawner and workers are killed at any moment; every pod still runs exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stage import Stage, uid

from hera_utils.local_platform.pods.pod.pod_folder import PodFolder
from hera_utils.local_platform.pods.pod.processes import born
from waiting import until

HERE = Path(__file__).parent

SERVER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from stage import Stage
stage = Stage(Path(sys.argv[2]), cores=4)
pods = [stage.shell(f"echo x >> /c/{n}; sleep {sys.argv[4]}; echo {n}", main={"volumeMounts": [{"name": "c", "mountPath": "/c"}]},
        spec={"volumes": [{"name": "c", "persistentVolumeClaim": {"claimName": "c"}}]}, claims={"c": sys.argv[3]})
        for n in range(int(sys.argv[5]))]
for pod in pods:
    stage.runtime.reattach(pod)
print("ready", flush=True)
for pod in pods:
    end = stage.finished(pod.node_id, 60)
    assert end.phase == "Succeeded", end
    assert [line for _, line in stage.runtime.logs(pod.pod["metadata"]["uid"], "main")] == [pod.node_id.split("-")[1]]
stage.close()
print("all", flush=True)
"""


def serve(state: Path, claim: Path, pause: float, pods: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SERVER, str(HERE), str(state), str(claim), str(pause), str(pods)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_pods_outlive_a_killed_server_and_run_once(tmp_path: Path) -> None:
    claim = tmp_path / "claim"
    claim.mkdir()
    for n in range(6):
        server = serve(tmp_path / "state", claim, 0.15, 40)
        assert server.stdout is not None
        server.stdout.readline()
        time.sleep(0.05 + 0.08 * n)
        server.kill()
        server.wait()
        server.stdout.close()
    server = serve(tmp_path / "state", claim, 0.15, 40)
    out, _ = server.communicate(timeout=60)
    assert out.split() == ["ready", "all"]
    assert {p.name: p.read_text() for p in claim.iterdir()} == {str(n): "x\n" for n in range(40)}


def test_a_pod_that_ended_while_no_server_was_there(own_stage: Stage) -> None:
    pod = own_stage.shell("sleep 0.3; echo done; exit 5")
    own_stage.launch(pod)
    own_stage.started(pod.node_id)
    own_stage.runtime.close()
    until(PodFolder(str(own_stage.state / "pods" / uid(pod))).is_over)
    own_stage.restart()
    own_stage.runtime.reattach(pod)
    assert own_stage.finished(pod.node_id).containers[0].exit_code == 5
    assert own_stage.log(pod) == ["done"]


def test_one_that_still_runs_is_waited_for_and_can_be_killed(own_stage: Stage) -> None:
    first, second = own_stage.shell("sleep 0.6; echo done"), own_stage.shell("sleep 60")
    for pod in (first, second):
        own_stage.launch(pod)
        own_stage.started(pod.node_id)
    own_stage.restart()
    own_stage.events.clear()
    for pod in (first, second):
        own_stage.runtime.reattach(pod)
        own_stage.started(pod.node_id)
    assert own_stage.finished(first.node_id).phase == "Succeeded"
    own_stage.runtime.kill(uid(second))
    assert own_stage.finished(second.node_id).containers[0].exit_code == 143


def test_one_that_never_started_is_launched(own_stage: Stage) -> None:
    pod = own_stage.shell("echo late")
    own_stage.runtime.reattach(pod)
    assert own_stage.finished(pod.node_id).phase == "Succeeded"
    assert own_stage.log(pod) == ["late"]


def worker_of(stage: Stage, pod: object) -> int:
    claim = stage.state / "pods" / uid(pod) / "supervisor.jsonl"  # type: ignore[arg-type]
    return int(json.loads(claim.read_text().splitlines()[0])["pid"])


@pytest.mark.parametrize("restart", [False, True])
def test_a_killed_worker_takes_its_pod_with_it(own_stage: Stage, restart: bool) -> None:
    pod = own_stage.shell("setsid sh -c 'sleep 765432198' & sleep 765432198")
    own_stage.launch(pod)
    own_stage.started(pod.node_id)
    if restart:
        own_stage.runtime.close()
    os.kill(worker_of(own_stage, pod), signal.SIGKILL)
    if restart:
        own_stage.restart()
        own_stage.runtime.reattach(pod)
    end = own_stage.finished(pod.node_id)
    assert (end.phase, end.message) == ("Failed", "pod deleted")
    until(lambda: "765432198" not in subprocess.run(["ps", "axww"], capture_output=True, text=True).stdout)
    assert own_stage.run(own_stage.shell("true")).phase == "Succeeded"
    own_stage.restart()  # removes files that the dead worker left behind
    own_stage.run(own_stage.shell("true"))
    roots = own_stage.state / "pods" / ".roots"
    until(lambda: not any(p.name.startswith(f"{worker_of(own_stage, pod)}-") for p in roots.iterdir()))


def test_a_killed_spawner_is_replaced(own_stage: Stage) -> None:
    pod = own_stage.shell("sleep 0.5; echo done")
    own_stage.launch(pod)
    own_stage.started(pod.node_id)
    spawner = own_stage.runtime._workers._spawner
    assert spawner is not None
    spawner.kill()
    others = [own_stage.shell(f"echo {n}; sleep 0.2") for n in range(6)]
    for other in others:
        own_stage.launch(other)
    assert [own_stage.finished(p.node_id).phase for p in (pod, *others)] == ["Succeeded"] * 7
    assert own_stage.log(pod) == ["done"]


def test_a_supervisor_that_was_quicker_is_watched(own_stage: Stage) -> None:
    """A worker of an earlier server already had the launch, and waited for disk space, for example. The later worker must leave the pod
    alone.
    """
    quicker = subprocess.Popen(["sleep", "1000"])
    pod, files = own_stage.shell("echo never"), []
    workers = own_stage.runtime._workers
    assign = workers.assign

    def too_late(pod_uid: str, launch: bytes) -> object:
        files.append(PodFolder(str(own_stage.state / "pods" / pod_uid)))
        os.close(files[-1].claim({"pid": quicker.pid, "born": born(quicker.pid), "run": "run"}))
        workers.assign = assign  # type: ignore[method-assign]
        return assign(pod_uid, launch)

    workers.assign = too_late  # type: ignore[method-assign, assignment]
    try:
        own_stage.launch(pod)
        until(lambda: workers.worker_of(uid(pod)) and workers.worker_of(uid(pod)).pid == quicker.pid)
        other = own_stage.shell("sleep 765432197")  # on the later worker
        own_stage.launch(other)
        own_stage.started(other.node_id)
    finally:
        quicker.kill()
        quicker.wait()
    end = own_stage.finished(pod.node_id)
    assert (end.phase, end.message) == ("Failed", "pod deleted")
    os.kill(worker_of(own_stage, other), signal.SIGKILL)
    end = own_stage.finished(other.node_id)
    assert (end.phase, end.message) == ("Failed", "pod deleted")


def test_no_process_is_left_when_the_runtime_closes(own_stage: Stage) -> None:
    own_stage.run(own_stage.shell("true"))
    own_stage.close()
    mark = str(own_stage.state)

    def left() -> bool:
        return mark in subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout

    until(lambda: not left())
    until(lambda: not list((own_stage.state / "pods" / ".roots").iterdir()))
    own_stage.restart()


def test_a_state_folder_that_cannot_be_written(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "state")
    stage.run(stage.shell("true"))
    pod = stage.shell("true")
    (tmp_path / "state" / "pods" / uid(pod)).write_text("in the way")
    end = stage.run(pod)
    assert end.phase == "Failed"
    assert "File exists" in end.message or "Not a directory" in end.message
    stage.close()
