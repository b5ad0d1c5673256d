"""Workers that die while they wait for a pod do no harm."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
from pathlib import Path

import pytest
from stage import Stage

from hera_utils.local_platform.pods import workers
from hera_utils.local_platform.pods.pod import mount_faults


def test_workers_killed_while_idle(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "state")
    try:
        for n in range(30):
            pods = [stage.shell("true") for _ in range(4)]
            for pod in pods:
                stage.launch(pod)
            for pod in pods:
                assert stage.finished(pod.node_id).phase == "Succeeded"
            idle = [*stage.runtime._workers._cleaning, *stage.runtime._workers._idle]
            assert idle
            for worker in idle if n % 2 else idle[:1]:
                with contextlib.suppress(OSError):
                    os.kill(worker.pid, signal.SIGKILL)
    finally:
        stage.runtime.close()


def test_a_pod_goes_to_a_worker_that_still_cleans_up_instead_of_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, make = [], workers.Workers._new

    def count(self: workers.Workers) -> workers.Worker:
        made.append(make(self))
        return made[-1]

    monkeypatch.setattr(workers.Workers, "_new", count)
    monkeypatch.setattr(workers, "_CLEANING", 60.0)
    stage = Stage(tmp_path / "state", cores=1)
    try:
        pods = [stage.shell("mkdir /tmp/d; for i in $(seq 60); do : > /tmp/d/$i; done; ls /tmp") for _ in range(8)]
        for pod in pods:
            stage.launch(pod)
        for pod in pods:
            assert stage.finished(pod.node_id).phase == "Succeeded"
            assert stage.log(pod) == ["d"]
        assert len(made) <= 2  # one worker runs a pod, and one cleans up
    finally:
        stage.runtime.close()


def test_a_worker_that_is_killed_with_two_pods_loses_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pod has ended, the other one waits until the worker has cleaned up."""
    killed, hear = [], workers.Workers._on_message

    def kill(self: workers.Workers, worker: workers.Worker, answer: bytes) -> None:
        if worker.owed > 1:
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(worker)
        hear(self, worker, answer)

    monkeypatch.setattr(workers.Workers, "_on_message", kill)
    monkeypatch.setattr(workers, "_CLEANING", 60.0)
    stage = Stage(tmp_path / "state", cores=1)
    try:
        while len(killed) < 3:
            pods = [stage.shell("echo once") for _ in range(3)]
            for pod in pods:
                stage.launch(pod)
            for pod in pods:
                end = stage.finished(pod.node_id)
                assert (end.phase, end.message) in (("Succeeded", ""), ("Failed", "pod deleted"))
                assert stage.log(pod) in (["once"], [])
    finally:
        stage.runtime.close()


def test_a_worker_that_closed_its_connection_gets_no_pod(tmp_path: Path) -> None:
    """The end of the connection may be noticed before the end of the process: the next pod then gets another worker."""
    stage = Stage(tmp_path / "state")
    try:
        assert stage.run(stage.shell("true")).phase == "Succeeded"
        workers = stage.runtime._workers
        stage.wait(lambda: workers._idle, 5) if not workers._idle else None
        worker = workers._idle[0]
        stage.runtime._call(lambda: workers._unlink(worker))
        assert stage.run(stage.shell("true")).phase == "Succeeded"
    finally:
        stage.runtime.close()


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), 9)", "sys.exit(1)"])
def test_a_spawner_that_ends_while_it_starts_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """The first spawner is started with the server, the second one for the pod."""
    count = tmp_path / "count"
    dies = f"import os, sys; open({str(count)!r}, 'a').write('.'); os.path.getsize({str(count)!r}) > 2 or {end}; "
    monkeypatch.setattr(workers, "_START", dies + workers._START)
    stage = Stage(tmp_path / "state")
    try:
        end_of_pod = stage.run(stage.shell("true"))
        assert (end_of_pod.phase, end_of_pod.message) == ("Succeeded", "")
        assert count.read_text() == "..."
    finally:
        stage.runtime.close()


def test_a_spawner_that_never_starts_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_START", "raise SystemExit(1)")
    stage = Stage(tmp_path / "state")
    try:
        message = stage.run(stage.shell("true")).message
        assert message.startswith("the process that starts tasks does not answer: it ended before it was ready")
        assert "kernel" not in message
    finally:
        stage.runtime.close()


def test_the_obstacle_of_private_mounts_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"apparmor_restrict_unprivileged_userns": "1"}
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(mount_faults, "_setting", lambda name: settings.get(name, ""))
    denied = PermissionError(errno.EPERM, "Operation not permitted")
    assert mount_faults.reason_of(denied) == "AppArmor restricts user namespaces"
    old = OSError(errno.EPERM, "Linux 5.4.0 does not permit overlays", "/state")
    assert mount_faults.reason_of(old) == "Linux 5.4.0 does not permit overlays: /state"
    settings = {"unprivileged_userns_clone": "0"}
    assert mount_faults.reason_of(denied) == "only root may create user namespaces"
    settings = {}
    assert mount_faults.reason_of(denied) == "Operation not permitted"
    assert mount_faults.reason_of(OSError(errno.EUSERS, "Too many users", "unshare")).startswith(
        "no more user namespaces"
    )


@pytest.mark.parametrize(
    ("answer", "fix"),
    [
        ("! no more user namespaces can be created", "sudo sysctl -w user.max_user_namespaces=10000"),
        ("! AppArmor restricts user namespaces", "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
        ("! only root may create user namespaces", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        ("! Operation not permitted: unshare", "allow unprivileged user namespaces"),
        ("! Linux 5.4.0 does not permit overlays: /state/pods/.shared", "use Linux 5.11 or a later one"),
    ],
)
def test_a_kernel_that_cannot_run_tasks_is_told_in_a_sentence_with_its_fix(
    answer: str, fix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    error = workers.refusal(answer)
    assert str(error).startswith("this machine's kernel refuses private mounts for tasks (")
    assert (error.fix or "").startswith(fix)
    monkeypatch.setattr(
        os, "getuid", lambda: 0
    )  # it was told to run as root, which it did: in a container without the right to mount
    assert "docker run --privileged" in (workers.refusal(answer).fix or "")
