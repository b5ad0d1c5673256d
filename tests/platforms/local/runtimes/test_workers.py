"""Workers that end while they wait for a pod cost nothing but themselves."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from stage import Stage


def test_workers_killed_while_idle(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "state")
    try:
        for n in range(30):
            pods = [stage.shell("true") for _ in range(4)]
            for pod in pods:
                stage.launch(pod)
            for pod in pods:
                assert stage.finished(pod.node_id).phase == "Succeeded"
            idle = list(stage.runtime._workers._idle)
            for worker in idle if n % 2 else idle[:1]:
                with contextlib.suppress(OSError):
                    os.kill(worker.pid, signal.SIGKILL)
    finally:
        stage.runtime.close()


def test_a_worker_that_closed_its_connection_gets_no_pod(tmp_path: Path) -> None:
    """The end of the connection may be seen before the end of the process: the next pod goes to another worker."""
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
