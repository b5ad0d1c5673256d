"""kill -9 at any moment, disks that fail, interpreters that raise: nothing is lost, nothing runs twice, the server continues."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_parts as toys

from hera_utils.errors import PlatformError
from hera_utils.interpreter.commands import LaunchPod
from hera_utils.interpreter.events import PodFinished
from hera_utils.local_platform.controller.turn import Turn
from hera_utils.local_platform.platform import LocalPlatform
from waiting import until

HERE = Path(__file__).parent
TASKS = 40


class Flaky:
    """Makes some writes of turns fail, as on a disk that is full for a moment."""

    def __init__(self, monkeypatch, message, chance):
        self.dice, self.failed, self.write = random.Random(7), 0, Turn.write
        flaky = self

        def write(turn, journal):
            if flaky.dice.random() < chance:
                flaky.failed += 1
                raise sqlite3.OperationalError(message)
            flaky.write(turn, journal)

        monkeypatch.setattr(Turn, "write", write)


def launches(state):
    return [json.loads(path.read_text()) for path in (state / "pods").glob("*/launch")]


def test_a_disk_that_is_full_at_times_loses_nothing(tmp_path, monkeypatch):
    platform = LocalPlatform(tmp_path / "state", advance=toys.advance, runtime=toys.ToyRuntime)
    monkeypatch.setattr("hera_utils.local_platform.controller.controller.AGAIN_SECONDS", 0.02)
    try:
        # Before the run starts: a fast one would be finished.
        flaky = Flaky(monkeypatch, "database or disk is full", 0.6)
        stored = None
        while stored is None:
            with contextlib.suppress(PlatformError):
                stored = platform.submit("default", toys.workflow("true", count=TASKS))
        last = toys.wait(platform, "default", stored.name)
        assert flaky.failed > 0
        assert last["status"]["phase"] == "Succeeded"
        assert len(list((tmp_path / "state/pods").iterdir())) == TASKS
    finally:
        platform.close()


def test_a_request_on_a_full_disk_is_refused_whole(tmp_path, monkeypatch):
    platform = LocalPlatform(tmp_path / "state", advance=toys.advance, runtime=toys.ToyRuntime)
    try:
        with monkeypatch.context() as patch:
            Flaky(patch, "database or disk is full", 1.0)
            with pytest.raises(PlatformError, match="is full") as refused:
                platform.submit("default", toys.workflow("true"))
            assert "hera-utils gc" in str(refused.value.fix)
            with pytest.raises(PlatformError, match="is full"):
                platform.create("ConfigMap", "default", {"metadata": {"name": "a"}})
        assert platform.list("Workflow")[0] == []
        assert platform.list("ConfigMap")[0] == []
        assert list((tmp_path / "state/pods").iterdir()) == []
        assert toys.wait(platform, "default", platform.submit("default", toys.workflow("true")).name)
    finally:
        platform.close()


def test_an_interpreter_that_raises_ends_the_run_alone(tmp_path):
    def advance(run, event):
        if isinstance(event, PodFinished) and run.document["spec"].get("hostNetwork"):
            raise ZeroDivisionError("a bug")
        return toys.advance(run, event)

    platform = LocalPlatform(tmp_path / "state", advance=advance, runtime=toys.ToyRuntime)
    try:
        bad = platform.submit("default", toys.workflow("true", hostNetwork=True))
        good = platform.submit("default", toys.workflow("true"))
        status = toys.wait(platform, "default", bad.name)["status"]
        assert (status["phase"], status["message"]) == ("Error", "ZeroDivisionError: a bug")
        assert toys.wait(platform, "default", good.name)["status"]["phase"] == "Succeeded"
    finally:
        platform.close()


SERVER = """
import sys, time
from pathlib import Path
sys.path[:0] = {folders!r}
import toy_parts as toys
from hera_utils.local_platform.platform import LocalPlatform
platform = LocalPlatform(Path({state!r}), advance=toys.advance, runtime=toys.ToyRuntime)
print("open", flush=True)
if not platform.list("Workflow")[0]:
    platform.submit("default", toys.workflow("sh", "-c", "echo ran >> {out}/$$", count={tasks}))
while platform.busy():
    time.sleep(0.005)
print("over")
"""


def test_kill_9_at_any_moment(tmp_path):
    """The toy runtime's tasks die with the server or continue; the journal has everything that the server knew."""
    state, out = tmp_path / "state", tmp_path / "out"
    out.mkdir()
    code = SERVER.format(folders=[str(HERE), str(HERE.parent)], state=str(state), out=str(out), tasks=TASKS)
    dice = random.Random(20261123)
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "open\n"
        time.sleep(dice.uniform(0.0, 0.03))
        process.kill()
        said, _ = process.communicate()
        assert process.returncode == -signal.SIGKILL or "over" in said
        if not (state / "journal.sqlite").exists():
            continue
        with sqlite3.connect(state / "journal.sqlite") as journal:
            assert journal.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            if not journal.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'outbox'").fetchone()[0]:
                continue
            unsettled = {row[0] for row in journal.execute("SELECT node FROM outbox WHERE command = 'launch'")}
            for run, finished in journal.execute("SELECT uid, finished FROM runs").fetchall():
                nodes = journal.execute("SELECT id, text FROM nodes WHERE run = ?", (run,)).fetchall()
                assert len(nodes) == TASKS
                open_ones = {node for node, text in nodes if json.loads(text)["phase"] not in ("Succeeded", "Failed")}
                assert open_ones == unsettled, "a node is open as long as its launch is in the outbox"
                assert (finished is None) == bool(open_ones)
        journal.close()
        if "over" in said:
            break
    runs = [path.read_text() for path in out.iterdir()]
    assert set(runs) <= {"ran\n"}, "nothing ran twice"


def test_the_stored_events_give_the_same_run(tmp_path):
    platform = LocalPlatform(tmp_path / "state", advance=toys.advance, runtime=toys.ToyRuntime)
    try:
        stored = platform.submit("default", toys.workflow("true", count=3))
        last = toys.wait(platform, "default", stored.name)
        replayed = replay(platform, "default", stored.name, last)
        assert replayed["nodes"] == last["status"]["nodes"]
        assert replayed["phase"] == last["status"]["phase"]
    finally:
        platform.close()


def replay(platform, namespace, name, last):
    from hera_utils.interpreter.events import from_json
    from hera_utils.interpreter.state import Run

    run = Run({"metadata": {**last["metadata"]}, "spec": last["spec"], "status": {}})
    launched = 0
    for data in platform.events(namespace, name):
        commands = toys.advance(run, from_json(data))
        launched += sum(isinstance(command, LaunchPod) for command in commands)
    assert launched == 3
    return run.document["status"]


def test_a_deleted_runs_pods_are_ended_by_the_next_server(tmp_path, monkeypatch):
    state = tmp_path / "state"
    first = LocalPlatform(state)  # the real runtime, whose tasks outlive the server
    stored = first.submit("default", toys.workflow("sleep", "600"))
    until(lambda: json.loads(first.pods("default", stored.name)[0].text)["status"]["phase"] == "Running")
    (pod,) = first.pods("default", stored.name)
    monkeypatch.setattr(first._launcher, "kill", lambda *_, **__: None)  # as if the server died before it
    first.delete("Workflow", "default", stored.name)
    first.close()
    second = LocalPlatform(state)
    try:
        until(lambda: not (state / "pods" / pod.uid).exists() and not second._journal.read("all_outbox"))
    finally:
        second.close()


@pytest.mark.parametrize("most", [("PODS_AT_ONCE", 10), ("CHARACTERS_AT_ONCE", 1)], ids=["pods", "characters"])
def test_the_pods_of_a_deleted_run_go_in_pieces_and_by_the_next_server_too(tmp_path, monkeypatch, most):
    monkeypatch.setattr("hera_utils.local_platform.controller.lifecycle._READ_AT_ONCE", 10)
    monkeypatch.setattr(f"hera_utils.local_platform.controller.lifecycle.{most[0]}", most[1])
    state = tmp_path / "state"
    first = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)
    stored = first.submit("default", toys.workflow("true", count=TASKS))
    toys.wait(first, "default", stored.name)
    monkeypatch.setattr(first._controller, "later", lambda act: None)  # as if the server died after the first piece
    first.delete("Workflow", "default", stored.name)
    assert len(first.pods("default")) == TASKS - 10
    first.close()
    second = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)
    try:
        assert second.list("Workflow", "default")[0] == []
        until(lambda: not any((state / "pods").iterdir()))
        until(lambda: not second._journal.read("all_outbox") and not second.pods("default"))
    finally:
        second.close()
