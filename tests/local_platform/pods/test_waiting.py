"""Pods that wait for this machine: how long, for what, and with which message."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stage import Stage, uid

from hera_utils.interpreter.events import PodWaiting
from waiting import until

BIG = {"resources": {"requests": {"cpu": "30", "memory": "110Gi"}}}


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Stage]:
    """A machine of one core."""
    stage = Stage(tmp_path / "state", cores=1)
    yield stage
    stage.close()


def daemon(stage: Stage, script: str = "exec sleep 60", **more: Any) -> str:
    return stage.launch(stage.shell(script, template={"daemon": True}, **more))


def test_one_that_is_too_big_runs_beside_a_ready_daemon_and_blocks_nobody(small: Stage) -> None:
    small.started(daemon(small, main={"resources": {"requests": {"cpu": "100m"}}}))
    big, other = small.shell("true", main=BIG), small.shell("true")
    for pod in (big, other):
        small.launch(pod)
    assert small.finished(big.node_id).phase == small.finished(other.node_id).phase == "Succeeded"


def test_a_daemon_that_is_not_ready_and_sleeps_lets_the_one_run_that_it_waits_for(small: Stage, tmp_path: Path) -> None:
    probe = {"exec": {"command": ["test", "-e", "/data/ready"]}, "periodSeconds": 1}
    claim: dict[str, Any] = {
        "spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]},
        "claims": {"data": str(tmp_path)},
    }
    mount = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    server = daemon(small, main={"readinessProbe": probe, **mount}, **claim)
    assert small.run(small.shell("touch /data/ready", main=mount, **claim)).phase == "Succeeded"
    small.started(server)


def says(stage: Stage) -> dict[str, str]:
    stage.runtime._waits.look_again()  # look again at once, without the usual pause
    return stage.runtime.waiting().get("run", {})


def test_a_pod_that_waits_for_a_core_says_so_with_numbers(small: Stage) -> None:
    running = small.shell("while :; do :; done")
    small.launch(running)
    small.started(running.node_id)
    waiting = [small.shell("true") for _ in range(3)]
    for pod in waiting:
        small.launch(pod)
    said = says(small)
    start = "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu: waits for a free core (1 of 1 busy"
    assert said[waiting[0].node_id] == f"{start})"
    assert said[waiting[2].node_id] == f"{start}; 2 before it)"
    small.wait(lambda: small.events.get(waiting[0].node_id))
    assert small.events[waiting[0].node_id][0].message == f"{start})"  # type: ignore[attr-defined]
    small.runtime.kill(uid(running), force=True)
    for pod in waiting:
        assert small.finished(pod.node_id).phase == "Succeeded"
    assert says(small) == {}
    told = [event for pod in waiting for event in small.events[pod.node_id] if isinstance(event, PodWaiting)]
    assert len(told) == 1, "one pod of a run says it, once"


def test_a_pod_that_waits_for_memory_or_asks_for_too_much_says_so(small: Stage) -> None:
    total = small.runtime._queue.memory
    first, second = (
        small.shell("exec sleep 60", main={"resources": {"requests": {"memory": str(int(total * 0.75))}}})
        for _ in range(2)
    )
    small.launch(first)
    small.started(first.node_id)
    small.launch(second)
    big = small.shell("true", main=BIG)
    small.launch(big)
    until(lambda: "waits for a free core" not in says(small)[second.node_id])  # a sleeping pod holds no core
    said = says(small)
    assert "Insufficient memory: waits for " in said[second.node_id]
    assert "of which running pods have requested" in said[second.node_id]
    assert said[big.node_id].endswith("1 before it; it requests 30 cores and runs with the 1 of this machine")
    for pod in (first, second):
        small.runtime.kill(uid(pod), force=True)
    assert small.finished(big.node_id).phase == "Succeeded"


def test_many_that_wait_are_looked_at_seldom_and_told_once(small: Stage) -> None:
    running = small.shell("while :; do :; done")
    small.launch(running)
    small.started(running.node_id)
    waiting = [small.shell("true") for _ in range(2000)]
    for pod in waiting:
        small.launch(pod)
    small.wait(lambda: any(small.events.get(pod.node_id) for pod in waiting))
    assert len(says(small)) == 2000
    assert sum(len(small.events.get(pod.node_id, ())) for pod in waiting) == 1
    for pod in [*waiting, running]:
        small.runtime.kill(uid(pod), force=True)
    small.finished(running.node_id)


def test_a_pod_that_can_never_run_here_says_what_to_do(small: Stage) -> None:
    pod = small.shell("true", spec={"nodeSelector": {"kubernetes.io/arch": "s390x"}})
    small.launch(pod)
    small.wait(lambda: small.events.get(pod.node_id))
    message = small.events[pod.node_id][0].message  # type: ignore[attr-defined]
    assert message.startswith(
        "Unschedulable: 0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector"
    )
    assert "kubernetes.io/arch=s390x (here " in message
    assert "leave out the nodeSelector" in message
    small.runtime.kill(uid(pod), force=True)
