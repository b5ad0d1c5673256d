"""This machine's server is killed: whatever a client asks next, it finds the server that takes its place."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hera.workflows import Suspend, Workflow, WorkflowsService

from hera_utils.errors import PlatformError
from hera_utils.local_platform import daemon
from hera_utils.local_platform.server import Serving
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connect import connect
from hera_utils.platforms.hera_binding import bind_hera
from hera_utils.settings.sources import Surroundings, read_settings

WAITING = {
    "metadata": {"name": "waiting"},
    "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]},
}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "state"
    yield folder
    daemon.stop(folder)


@pytest.fixture
def client(state: Path, tmp_path: Path) -> Iterator[ArgoClient]:
    around = Surroundings(environ={}, directory=tmp_path, home=tmp_path)
    with ArgoClient(connect(read_settings({"state": str(state)}, around=around))) as found:
        yield found


def kill(state: Path) -> None:
    known = daemon.status(state)
    assert known is not None
    os.kill(known["pid"], signal.SIGKILL)
    for process in daemon._STARTED:
        if process.pid == known["pid"]:
            process.wait()


def test_any_call_is_answered_by_the_next_server(client: ArgoClient, state: Path) -> None:
    """A reading, a submission and a change each came to nobody, and said so with status 2."""
    assert client.list() == []
    kill(state)
    assert client.list() == []
    kill(state)
    client.create(WAITING)
    kill(state)
    client.act("waiting", "resume")
    kill(state)
    assert client.wait("waiting", timeout=60)["status"]["phase"] == "Succeeded"


def test_the_next_server_on_the_same_port_has_another_token(client: ArgoClient, state: Path) -> None:
    client.create(WAITING)
    port = int(client.connection.argo_server.rpartition(":")[2])
    kill(state)
    daemon.start_or_join(state, Serving(port=port))
    assert [one["metadata"]["name"] for one in client.list()] == ["waiting"]


def test_a_script_of_heras_goes_on_with_the_next_server(client: ArgoClient, state: Path) -> None:
    """It has one service for its whole life, and that one address."""
    with bind_hera(client.connection, insist=True):
        service = WorkflowsService()
        assert not service.list_workflows().items
        kill(state)
        with Workflow(name="made", entrypoint="wait") as workflow:
            Suspend(name="wait")
        workflow.create()
        kill(state)
        daemon.start_or_join(state, Serving(port=int(client.connection.argo_server.rpartition(":")[2])))
        assert [one.metadata.name for one in service.list_workflows().items] == ["made"]


def test_while_the_next_server_starts_nobody_takes_it_for_stopped(client: ArgoClient, state: Path) -> None:
    kill(state)
    lock = daemon._take_lock(state)
    assert lock is not None
    with lock:
        daemon._announce_start(state)
        # The killed server is not reported, even if another process has its number now.
        assert daemon.status(state) is None
    client.rejoin()
    daemon.stop(state)
    with pytest.raises(PlatformError, match="the local platform was stopped"):
        client.rejoin()
