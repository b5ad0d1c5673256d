"""When the processes for the first pods are created."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import Stage

from hera_utils import machine_size
from hera_utils.images.table import ImageTable
from waiting import until


def thread_has_begun(stage: Stage) -> None:
    stage.runtime.waiting()  # the runtime already answers


def test_on_few_cores_they_wait_until_the_server_answers(
    tmp_path: Path, images: ImageTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the client that started the server needs one core, and the server needs the other."""
    monkeypatch.setattr(machine_size, "cores", lambda: 2)
    stage = Stage(tmp_path, images=images, prepares=False)
    try:
        workers = stage.runtime._workers
        thread_has_begun(stage)
        assert workers._spawner is None
        stage.runtime.prepare()
        until(lambda: workers._idle)
        spawner, made = workers._spawner, list(workers._idle)
        stage.runtime.prepare()
        thread_has_begun(stage)
        assert workers._spawner is spawner
        assert list(workers._idle)[: len(made)] == made, "more may have begun meanwhile"
        assert stage.run(stage.shell("true")).phase == "Succeeded"
    finally:
        stage.close()


@pytest.mark.parametrize("cores", [2, 8])
def test_a_pod_needs_no_preparation(
    tmp_path: Path, images: ImageTable, monkeypatch: pytest.MonkeyPatch, cores: int
) -> None:
    monkeypatch.setattr(machine_size, "cores", lambda: cores)
    stage = Stage(tmp_path, images=images, prepares=False)
    try:
        assert stage.run(stage.shell("true")).phase == "Succeeded"
    finally:
        stage.close()
