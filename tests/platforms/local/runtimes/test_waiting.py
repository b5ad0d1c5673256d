"""Pods that wait for this machine: for how long, for what, and what they say of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stage import Stage

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
