"""A failed task's last output is part of its error; terminal escape sequences and endless output are not."""

from __future__ import annotations

import json

import pytest
from hand_made_image import PYTHON
from stage import Stage

from hera_utils.interpreter.events import PodFinished
from hera_utils.interpreter.outcomes import of_pod, ran


def line_of(ended: PodFinished) -> str:
    return (ran(ended, {"container": {}}) or {}).get("errorLine", "")


@pytest.mark.parametrize(("command", "line"), [
    (f"{PYTHON} -c 'print(1); raise ValueError(2)'", "ValueError: 2"),
    ("echo on stdout; exit 3", "on stdout"),
    (f"{PYTHON} -c 'print(9 * 100); 1 / 0'", "ZeroDivisionError: division by zero"),  # Python writes its buffered stdout after stderr
    ("yes | head -c 3000000 >&2; echo the end >&2; exit 1", "the end"),
    ("exit 3", ""),
])  # fmt: skip
def test_what_is_kept(stage: Stage, command: str, line: str) -> None:
    ended = stage.run(stage.shell(command))
    assert line_of(ended) == line
    assert of_pod(ended, {"container": {}}).message.startswith("main: Error (exit code ")
    assert line not in of_pod(ended, {"container": {}}).message or not line
    assert len(json.dumps(ended.containers[0].tail)) < 30_000


def test_of_a_task_that_succeeds_nothing_is_kept(stage: Stage) -> None:
    ended = stage.run(stage.shell("echo a warning >&2"))
    assert (ended.containers[0].tail, line_of(ended)) == ("", "")
