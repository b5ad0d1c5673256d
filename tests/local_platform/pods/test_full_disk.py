"""A disk that fills up: pods wait and report it, nothing is lost or incomplete, and all continues when there is space again."""

from __future__ import annotations

import errno
import os
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stage import Stage, uid

from hera_utils.interpreter.events import PodWaiting
from hera_utils.local_platform.pods.pod import disk_room
from small_disk import Disk, disk, needs_root
from waiting import until

__all__ = ["disk"]
Json = dict[str, Any]
pytestmark = needs_root


@pytest.fixture
def small(disk: Disk) -> Iterator[Stage]:
    stage = Stage(disk.folder / "state")
    yield stage
    disk.empty()
    stage.close()


def told(stage: Stage, node: str) -> list[str]:
    return [event.message for event in list(stage.events.get(node, [])) if isinstance(event, PodWaiting)]


def waits(stage: Stage, node: str, words: str = "is full") -> None:
    stage.wait(lambda: any(words in message for message in told(stage, node)))
    time.sleep(0.7)
    assert not any(type(event).__name__ == "PodFinished" for event in stage.events[node])


def test_no_pod_starts_on_a_full_disk(small: Stage, disk: Disk) -> None:
    disk.fill(64 << 10)
    pods = [small.shell(f"echo {number}") for number in range(3)]
    for pod in pods:
        small.launch(pod)
    waits(small, pods[0].node_id)
    (said,) = told(small, pods[0].node_id)  # one event for all pods of the run
    assert said.startswith(
        f"Unschedulable: 0/1 nodes are available: 1 node(s) had disk pressure: the disk with {small.state} is full ("
    )
    assert said.endswith(" needed): free some space (`hera-utils gc` removes old runs)")
    disk.empty()
    for number, pod in enumerate(pods):
        assert small.finished(pod.node_id).phase == "Succeeded"
        assert small.log(pod) == [str(number)]


WRITING = "touch /tmp/ready; while [ ! -e /v/go ]; do sleep 0.05; done; "
CLAIM: Json = {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}


def begun(stage: Stage, claim: Path, script: str, **template: Any) -> Any:
    """A pod that continues its script when `go` is in its claim, which is on another disk."""
    claim.mkdir(exist_ok=True)
    pod = stage.shell(
        WRITING + script, main={"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, spec=CLAIM, template=template,
        claims={"c": str(claim)},
    )  # fmt: skip
    stage.launch(pod)
    stage.started(pod.node_id)
    return pod


def test_a_running_pod_waits_with_its_end(small: Stage, disk: Disk, tmp_path: Path) -> None:
    """Its outcome needs more than the rest of a disk block and cannot be written yet; the pod must not end as `pod deleted`."""
    claim, message = tmp_path / "claim", "x" * 4096
    claim.mkdir()
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    script = f"printf {message} > /argo/termination-log; touch /v/ready; {WRITING} exit 3"
    pod = small.shell(script, main=mounts, spec=CLAIM, claims={"c": str(claim)})
    small.launch(pod)
    until((claim / "ready").exists)
    disk.fill()
    (tmp_path / "claim" / "go").touch()
    waits(small, pod.node_id)
    disk.empty()
    end = small.finished(pod.node_id)
    assert (end.phase, end.message, end.containers[0].exit_code) == ("Failed", "", 3)
    assert end.containers[0].message == message
    assert told(small, pod.node_id)[-1] == ""


def test_no_line_of_a_log_is_lost(small: Stage, disk: Disk, tmp_path: Path) -> None:
    pod = begun(small, tmp_path / "claim", "seq 1 200000; echo end >&2")
    disk.fill()
    (tmp_path / "claim" / "go").touch()
    waits(small, pod.node_id)
    disk.empty()
    assert small.finished(pod.node_id).phase == "Succeeded"
    assert small.log(pod) == [*map(str, range(1, 200001)), "end"]


def test_artifacts_wait_and_are_whole(small: Stage, disk: Disk, tmp_path: Path) -> None:
    """The artifacts are made in /dev/shm, so that the task itself has enough space."""
    names = [("tar", {}), ("zip", {"archive": {"zip": {}}}), ("none", {"archive": {"none": {}}})]
    artifacts = [{"name": name, "path": "/dev/shm/out", **how} for name, how in names]
    pod = begun(
        small, tmp_path / "claim",
        "mkdir /dev/shm/out; head -c 3000000 /dev/urandom > /dev/shm/out/a; cp -r /dev/shm/out/a /v/a",
        outputs={"artifacts": artifacts, "parameters": [{"name": "p", "valueFrom": {"path": "/tmp/ready"}}]},
    )  # fmt: skip
    disk.fill(1 << 20)
    (tmp_path / "claim" / "go").touch()
    waits(small, pod.node_id)
    store = small.state / "artifacts" / "default"
    assert not [file for file in store.rglob("*") if file.is_file() and file.suffix in ("", ".partial")]
    disk.empty()
    end = small.finished(pod.node_id)
    assert (end.phase, end.error) == ("Succeeded", "")
    keys = [one["s3"]["key"] for one in end.outputs["artifacts"]]
    whole = (tmp_path / "claim" / "a").read_bytes()
    with tarfile.open(store / keys[0]) as archive:
        assert archive.extractfile("out/a").read() == whole  # type: ignore[union-attr]
    assert (store / keys[2] / "a").read_bytes() == whole
    assert not list(store.rglob("*.partial"))


def test_inputs_wait_and_are_whole(small: Stage, disk: Disk) -> None:
    big = small.state / "artifacts" / "default" / "big"
    big.parent.mkdir(parents=True)
    big.write_bytes(os.urandom(3 << 20))
    template = {"inputs": {"artifacts": [{"name": "a", "path": "/in", "s3": {"key": "big"}}]}}
    disk.fill(2 << 20)  # leaves enough space to start
    pod = small.shell("stat -c %s /in", template=template)
    small.launch(pod)
    waits(small, pod.node_id)
    disk.empty()
    assert small.finished(pod.node_id).phase == "Succeeded"
    assert small.log(pod) == [str(3 << 20)]


def test_archived_logs_wait(small: Stage, disk: Disk, tmp_path: Path) -> None:
    pod = begun(small, tmp_path / "claim", "seq 1 1000", archiveLocation={"archiveLogs": True})
    disk.fill()
    (tmp_path / "claim" / "go").touch()
    waits(small, pod.node_id)
    disk.empty()
    end = small.finished(pod.node_id)
    (kept,) = end.outputs["artifacts"]
    lines = (small.state / "artifacts" / "default" / kept["s3"]["key"]).read_text().splitlines()
    assert lines == list(map(str, range(1, 1001)))


@pytest.mark.parametrize("force", [False, True])
def test_a_pod_can_be_ended_on_a_full_disk(small: Stage, disk: Disk, tmp_path: Path, force: bool) -> None:
    pod = begun(small, tmp_path / "claim", "sleep 1000")
    worker = small.runtime._workers.worker_of(uid(pod))
    assert worker is not None
    disk.fill()
    small.runtime.kill(uid(pod), grace=1, force=force)
    until(lambda: not os.path.exists(f"/proc/{worker.pid}") or not children(worker.pid))
    disk.empty()
    assert small.finished(pod.node_id).phase == "Failed"


def children(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()
    except OSError:
        return ""


def test_a_deadline_ends_a_pod_that_waits_for_its_log(small: Stage, disk: Disk, tmp_path: Path) -> None:
    pod = small.shell(
        "while true; do echo a line of a log that never ends; done",
        spec={"activeDeadlineSeconds": 3, "terminationGracePeriodSeconds": 1},
    )
    small.launch(pod)
    small.started(pod.node_id)
    disk.fill()
    worker = small.runtime._workers.worker_of(uid(pod))
    assert worker is not None
    until(lambda: not children(worker.pid), 15)
    disk.empty()
    assert small.finished(pod.node_id).reason == "DeadlineExceeded"


def test_a_read_only_disk_is_waited_for_too(small: Stage, disk: Disk, tmp_path: Path) -> None:
    pod = small.shell("true")
    small.run(pod)
    disk.remount("ro")
    try:
        waiting = small.shell("echo here")
        small.launch(waiting)
        waits(small, waiting.node_id, "is read-only: make it writable again")
    finally:
        disk.remount("rw")
    assert small.finished(waiting.node_id).phase == "Succeeded"


def test_a_new_server_goes_on_with_what_waits(small: Stage, disk: Disk, tmp_path: Path) -> None:
    pod = begun(small, tmp_path / "claim", "echo done")
    disk.fill()
    (tmp_path / "claim" / "go").touch()
    waits(small, pod.node_id)
    small.restart()
    small.runtime.reattach(pod)
    disk.empty()
    assert small.finished(pod.node_id).phase == "Succeeded"
    assert small.log(pod) == ["done"]


def test_a_disk_without_inodes_says_so(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=2", "none", str(tmp_path)], check=True)
    try:
        assert disk_room.shortage(str(tmp_path)) == ""
        (tmp_path / "last").touch()
        said = disk_room.shortage(str(tmp_path), OSError(errno.ENOSPC, "No space left on device"))
        assert said.startswith(f"the disk with {tmp_path} can hold no more files")
        assert disk_room.shortage(str(tmp_path)) == said
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_what_counts_as_full() -> None:
    import errno

    assert [disk_room.is_full(OSError(number, "")) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)] == [
        True
    ] * 3
    assert not disk_room.is_full(OSError(errno.EACCES, ""))
    assert not disk_room.is_full(ValueError())
    assert disk_room.least(6 << 20) == (6 << 20) // 20
    assert disk_room.least(1 << 40) == 64 << 20
    assert "quota" in disk_room.shortage("/tmp", OSError(errno.EDQUOT, ""))
