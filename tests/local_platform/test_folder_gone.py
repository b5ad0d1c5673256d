"""A state folder that is removed or moved while its server runs, has no locks, or belongs to another machine's server."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hera_utils.errors import PlatformError
from hera_utils.local_platform import daemon
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connect import connect
from hera_utils.settings.sources import Surroundings, read_settings
from waiting import until

SECONDS = "86421357"
SLEEPING = {
    "metadata": {"name": "sleeping"},
    "spec": {
        "entrypoint": "main",
        "templates": [{"name": "main", "container": {"image": "busybox", "command": ["sleep", SECONDS]}}],
    },
}


def sleeps() -> bool:
    return SECONDS in subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout


def is_removed(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)  # the server may still write into the folder
    return not folder.exists()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    yield folder
    for one in (folder, tmp_path / "elsewhere"):
        daemon.stop(one)


@pytest.fixture
def client(state: Path, tmp_path: Path) -> Iterator[ArgoClient]:
    around = Surroundings(environ={}, directory=tmp_path, home=tmp_path)
    with ArgoClient(connect(read_settings({"state": str(state)}, around=around))) as found:
        yield found


def server_process() -> subprocess.Popen[bytes]:
    return daemon._STARTED[-1]


def test_a_server_whose_folder_was_removed_ends_with_its_pods(client: ArgoClient, state: Path) -> None:
    client.create(SLEEPING)
    until(sleeps)
    until(lambda: is_removed(state))
    assert server_process().wait(60) == 0
    until(lambda: not sleeps())
    with pytest.raises(PlatformError, match=f"the state folder {state} was removed, and the runs in it with it"):
        client.list()
    assert not state.exists()


def test_the_next_server_of_a_removed_folder_is_found_also_after_the_end_of_the_first(
    client: ArgoClient, state: Path
) -> None:
    """On a busy machine the first server may notice the removal late, when the folder already has the next server's files."""
    first = server_process()
    first.send_signal(signal.SIGSTOP)
    until(lambda: is_removed(state))
    second = daemon.start_or_join(state)
    first.send_signal(signal.SIGCONT)
    assert first.wait(60) == 0
    assert second["pid"] != first.pid
    assert daemon.status(state) == second


def test_a_server_whose_folder_was_moved_ends_and_its_runs_are_there(client: ArgoClient, state: Path) -> None:
    client.create({**SLEEPING, "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]}})
    elsewhere = state.with_name("elsewhere")
    state.rename(elsewhere)
    assert server_process().wait(60) == 0
    assert "was moved: this server ends" in (elsewhere / "server.log").read_text()
    around = Surroundings(environ={}, directory=state.parent, home=state.parent)
    with ArgoClient(connect(read_settings({"state": str(elsewhere)}, around=around))) as there:
        assert [one["metadata"]["name"] for one in there.list()] == ["sleeping"]


def test_a_journal_that_was_removed_ends_the_server_too(client: ArgoClient, state: Path) -> None:
    (state / "journal.sqlite").unlink()
    assert server_process().wait(60) == 0


# --- locks ---------------------------------------------------------------------------------------------------------------

WITHOUT_LOCKS = """
import errno, fcntl
def flock(*_):
    raise OSError(errno.ENOLCK, "No locks available")
fcntl.flock = flock
"""
TOLD = "has no file locks (no locks available)"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_folder_without_locks_is_refused(state: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """As on NFS without its lock service: two servers could use the folder, and each task would run twice."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(PlatformError, match="has no file locks") as refused:
        daemon.serve(state, ready=lambda _: None)
    assert "HERA_UTILS_STATE" in str(refused.value.fix)
    assert not (state / "journal.sqlite").exists()


def test_a_command_says_that_its_folder_has_no_locks(state: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_LOCKS)
    (tmp_path / "a.yaml").write_text(json.dumps({"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", **SLEEPING}))
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "HERA_UTILS_STATE": str(state),
        "PYTHONPATH": str(tmp_path),
    }
    command = [sys.executable, "-m", "hera_utils", "run", "a.yaml"]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert f"hera-utils: the file system of the state folder {state} {TOLD}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_another_machines_server_has(client: ArgoClient, state: Path) -> None:
    """In a home folder on a network the lock holds for all machines, but a loopback address and a process exist on one only."""
    known = json.loads((state / "server.json").read_text())
    (state / "server.json").write_text(json.dumps({**known, "host": "node17"}))
    with pytest.raises(PlatformError, match=f"a server on the machine node17 has the state folder {state}"):
        daemon.start_or_join(state)
    (state / "server.json").write_text(json.dumps(known))
