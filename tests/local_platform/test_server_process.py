"""The process of a server that is started before it is known whether one is needed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hera_utils.errors import PlatformError
from hera_utils.local_platform import daemon, server_process
from waiting import until


@pytest.fixture
def state(tmp_path):
    yield tmp_path / "state"
    daemon.stop(tmp_path / "state")
    server_process.end_waiting()


@pytest.mark.parametrize(
    ("arguments", "environment", "expected"),
    [
        ("run script.py", {}, True),
        ("run --detach script.py", {"HERA_UTILS_STATE": "{empty}"}, True),
        ("run --state {empty} script.py", {"HERA_UTILS_STATE": "{served}"}, True),
        ("run script.py", {"HERA_UTILS_STATE": "{served}"}, False),
        ("run --state {served} script.py", {}, False),
        ("run script.py", {"ARGO_SERVER": "there"}, False),
        ("run --argo_server=there script.py", {}, False),
        ("run --help", {}, False),
        ("run", {}, False),
        ("ls", {}, False),
        ("", {}, False),
    ],
)
def test_when_one_is_probably_needed(tmp_path, monkeypatch, arguments, environment, expected):
    folders = {"served": tmp_path / "served", "empty": tmp_path / "empty"}
    folders["served"].mkdir()
    (folders["served"] / "server.json").write_text("{}")
    words = [word.format(**folders) for word in arguments.split()]
    given = {"HOME": str(tmp_path), **{name: text.format(**folders) for name, text in environment.items()}}
    monkeypatch.setattr(server_process, "ServerProcess", lambda: "started")
    server_process.start_early(words, given)
    assert server_process.take() == ("started" if expected else None)


def test_the_early_process_serves(state):
    server_process.start_early(["run", "x"], {"HOME": str(state)})
    (early,) = server_process._waiting
    assert daemon.start_or_join(state)["pid"] == early.process.pid
    assert server_process.take() is None
    assert os.readlink(f"/proc/{early.process.pid}/cwd") == str(state)
    descriptors = {os.readlink(f"/proc/{early.process.pid}/fd/{number}") for number in (1, 2)}
    assert descriptors == {str(state / "server.log")}


def test_where_it_was_killed_another_one_serves(state):
    server_process.start_early(["run", "x"], {"HOME": str(state)})
    (early,) = server_process._waiting
    early.process.send_signal(signal.SIGKILL)
    early.process.wait()
    assert daemon.start_or_join(state)["pid"] != early.process.pid


def test_a_process_that_cannot_import_its_modules_says_why(state, tmp_path, monkeypatch):
    (tmp_path / "uvicorn.py").write_text("raise ImportError('there is no libfoo.so')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server_process.start_early(["run", "x"], {"HOME": str(state)})
    with pytest.raises(PlatformError, match=r"ended at once: ImportError: there is no libfoo\.so"):
        daemon.start_or_join(state)


def test_a_process_that_takes_no_order_is_no_server(state, monkeypatch):
    monkeypatch.setattr(server_process.ServerProcess, "order", lambda self, _: self.end())
    with pytest.raises(PlatformError, match="cannot be started: its process ended at once"):
        daemon.start_or_join(state)


def test_it_ends_where_a_server_runs_already(state):
    first = daemon.start_or_join(state)
    server_process.start_early(["run", "x"], {"HOME": str(state)})
    (early,) = server_process._waiting
    daemon.begin(state)
    assert early.process.returncode == -signal.SIGKILL
    assert daemon.start_or_join(state)["pid"] == first["pid"]


def test_it_ends_with_its_client(tmp_path):
    """Also with one that is killed before it has given an order."""
    program = (
        "import os, sys; from hera_utils.local_platform import server_process as one; one.start_early(['run', 'x'], {'HOME': '/nowhere'});"
        "print(one._waiting[0].process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    process = Path(f"/proc/{done.stdout.strip()}")
    until(lambda: not process.exists() or "State:\tZ" in (process / "status").read_text())


def test_modules_beside_the_user_are_not_its_modules(state, tmp_path, monkeypatch):
    for name in ("json", "hera_utils", "asyncio"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    server_process.start_early(["run", "x"], {"HOME": str(state)})
    early = server_process._waiting[0].process.pid
    assert daemon.start_or_join(state)["pid"] == early


def test_a_command_that_needs_none_leaves_none(tmp_path):
    environment = {**os.environ, "HERA_UTILS_STATE": str(tmp_path / "state"), "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "hera_utils", "run", str(tmp_path / "missing.py")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert not (tmp_path / "state").exists()
    assert not [process for process in Path("/proc").glob("[0-9]*") if str(tmp_path).encode() in _environment(process)]


def test_a_command_without_standard_streams_has_a_server(tmp_path):
    """Their descriptors are not taken for the pipes of the server's process."""
    (tmp_path / "file.yaml").write_text(
        "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, metadata: {generateName: a-}, spec: {entrypoint: a, "
        "templates: [{name: a, suspend: {duration: '0'}}]}}"
    )
    state = tmp_path / "state"
    command = f"exec {sys.executable} -m hera_utils run --state {state} {tmp_path}/file.yaml <&- >&- 2>&-"
    try:
        assert subprocess.run(["sh", "-c", command], timeout=60, check=False).returncode == 0
    finally:
        daemon.stop(state)


def _environment(process):
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""
