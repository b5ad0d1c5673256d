"""A client of this machine's own server sends its token to a process of its user alone, also when the server has died."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
import requests
from hera.shared import global_config
from hera.workflows import WorkflowsService

from hera_utils.errors import HeraUtilsError
from hera_utils.local_platform import daemon
from hera_utils.local_platform.socket_owner import is_listening
from hera_utils.platforms import own_server
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connect import connect
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.hera_binding import bind_hera
from hera_utils.platforms.own_server_adapter import OwnServerAdapter
from hera_utils.settings.sources import Surroundings, read_settings
from waiting import until

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="starts a process of another user")

# Takes a port as soon as it is free, and writes down what is sent to it.
SQUATTER = """
import socket, sys, time
port, seen = int(sys.argv[1]), sys.stderr.buffer.raw
while True:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        break
    except OSError:
        listener.close()
        time.sleep(0.001)
listener.listen(64)
print("here", flush=True)
while True:
    one, _ = listener.accept()
    seen.write(b"connection\\n")
    one.settimeout(0.5)
    try:
        seen.write(one.recv(65536))
        one.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
    except OSError:
        pass
    one.close()
"""


@contextlib.contextmanager
def squatting(port, seen):
    """Another user of this machine, who waits for the port."""
    written = seen.open("ab")
    process = subprocess.Popen(
        ["/usr/bin/env", "-i", python_of_others(), "-I", "-c", SQUATTER, str(port)],
        stdout=subprocess.PIPE,
        stderr=written,
        text=True,
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        cwd="/",
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        written.close()


def python_of_others():
    """A Python that another user may run; skips the test if there is none."""
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            if not subprocess.run([python, "-I", "-c", ""], user=NOBODY, cwd="/", capture_output=True).returncode:
                return python
    pytest.skip("no other user can run Python here")


@pytest.fixture
def context(tmp_path):
    around = Surroundings(environ={}, directory=tmp_path, home=tmp_path)
    yield read_settings({"state": str(tmp_path / "state")}, around=around)
    daemon.stop(tmp_path / "state")


SLEEPER = {
    "metadata": {"generateName": "long-"},
    "spec": {
        "entrypoint": "main",
        "templates": [
            {
                "name": "main",
                "container": {"image": "busybox", "command": ["sh", "-c", "while ! [ -e $0 ]; do sleep 0.1; done"]},
            }
        ],
    },
}


@as_root
def test_a_follower_gives_nothing_to_who_takes_a_dead_servers_port(context, tmp_path):
    connection = connect(context)
    known = daemon.status(tmp_path / "state")
    goal = tmp_path / "goal"
    document = json.loads(json.dumps(SLEEPER))
    document["spec"]["templates"][0]["container"]["command"].append(str(goal))
    document["spec"]["volumes"] = [{"name": "here", "hostPath": {"path": str(tmp_path)}}]
    document["spec"]["templates"][0]["container"]["volumeMounts"] = [{"name": "here", "mountPath": str(tmp_path)}]
    seen, phases = tmp_path / "seen", []
    port = int(connection.argo_server.rpartition(":")[2])
    with ArgoClient(connection) as client, squatting(port, seen) as squatter:
        name = client.create(document)["metadata"]["name"]

        def follow():
            phases.extend(workflow["status"].get("phase") for _, workflow in client.watch(name))

        follower = threading.Thread(target=follow)
        follower.start()
        until(lambda: "Running" in phases)
        os.kill(known["pid"], signal.SIGKILL)
        assert squatter.stdout.readline() == "here\n"
        until(seen.read_bytes)  # the follower has connected
        goal.touch()
        follower.join(60)
        assert not follower.is_alive()
        assert client.connection.argo_server != connection.argo_server
        with pytest.raises(HeraUtilsError, match="another user of this machine has that port"):
            ArgoClient(replace(connection, rejoin=None)).version()
        with bind_hera(replace(connection, rejoin=None), insist=True), pytest.raises(requests.ConnectionError):
            WorkflowsService().list_workflows()
        # The squatter accepts the connections after the clients have gone.
        until(lambda: seen.read_bytes().count(b"connection") >= 3)
    assert phases[-1] == "Succeeded"
    said = seen.read_bytes()
    assert b"Authorization" not in said
    assert known["token"].encode() not in said
    now = daemon.status(tmp_path / "state")
    assert now["token"] != known["token"]
    for address in (
        now["argo_server"] + "/api/v1/workflows/default",
        now["kubernetes"] + "/api/v1/namespaces/default/secrets",
    ):
        answer = requests.get(address, headers={"Authorization": f"Bearer {known['token']}"}, timeout=10)
        assert answer.status_code == 401


def test_sessions_of_requests_find_the_next_server(context, tmp_path):
    connection = connect(context)
    with (
        bind_hera(connection, insist=True),
        WorkflowsService(session=requests.Session()) as given,
        WorkflowsService() as customized,
    ):
        customized.session.headers["X"] = "1"
        os.kill(daemon.status(tmp_path / "state")["pid"], signal.SIGKILL)
        until(lambda: daemon.status(tmp_path / "state") is None)
        assert given.list_workflows().items is customized.list_workflows().items is None


class Gone(OSError):
    pass


@pytest.mark.parametrize(
    ("method", "token", "first", "servers"),
    [
        ("GET", "old", Gone("was sent"), ["first", "next"]),
        ("POST", "old", Gone("was sent"), ["first"]),
        ("POST", "old", Gone("never sent"), ["first", "next"]),
        ("POST", "old", 401, ["first", "next"]),
        ("POST", "old", 500, ["first"]),
        ("GET", "old", TimeoutError(), ["first"]),
        ("GET", "script's own", 401, [None]),
    ],
)
def test_what_is_sent_again_to_the_next_server(method, token, first, servers):
    following = Connection("next", token="new", local=True)
    latest = own_server.LatestServer(
        Connection("first", token="old", local=True, rejoin=lambda: following),
        (Gone,),
        lambda error: str(error) == "never sent",
    )
    asked = []

    def send(server):
        asked.append(server and server.argo_server)
        if len(asked) == 1 and isinstance(first, OSError):
            raise first
        return SimpleNamespace(status_code=first if len(asked) == 1 else 200, close=lambda: None)

    with contextlib.suppress(OSError):
        latest.ask(method, f"Bearer {token}", send)
    assert asked == servers


@pytest.fixture
def answering(double):
    double.on("GET", "/", {})
    return double


def tokens(server):
    return [exchange.headers.get("Authorization") for exchange in server.seen]


def session():
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", OwnServerAdapter())
    made.headers["Authorization"] = "Bearer x"
    return made


def test_a_process_of_this_user_is_believed_and_asked_once_a_connection(answering, monkeypatch):
    asked = []
    real = own_server.owner
    monkeypatch.setattr(own_server, "owner", lambda sock: asked.append(sock) or real(sock))
    with session() as made:
        for _ in range(3):
            assert made.get(answering.url, timeout=5).text == "{}"
    assert tokens(answering) == ["Bearer x"] * 3
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("owner", "told"),
    [(os.geteuid() + 1, "another user of this machine has that port"), (None, "its process has just ended")],
)
def test_another_user_and_nobody_known_get_nothing(answering, monkeypatch, owner, told):
    monkeypatch.setattr(own_server, "end_uid", lambda *_, **__: owner)
    with session() as made, pytest.raises(requests.ConnectionError, match=told):
        made.get(answering.url, timeout=5)
    assert tokens(answering) == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_another_process_of_this_user_gets_nothing(scheme, tmp_path):
    """Another program, such as a task, has the port of a dead server; the server is the process that has the lock."""
    program = (
        "import socket, sys; one = socket.create_server(('127.0.0.1', 0)); print(one.getsockname()[1], flush=True); "
    )
    program += "here, _ = one.accept(); print(here.recv(9), flush=True)"
    with subprocess.Popen([sys.executable, "-I", "-c", program], stdout=subprocess.PIPE, text=True) as process:
        port = int(process.stdout.readline())
        made = requests.Session()
        made.trust_env = False
        made.mount(f"{scheme}://", OwnServerAdapter(os.getpid()))
        with made, pytest.raises(requests.ConnectionError) as error:
            made.get(f"{scheme}://127.0.0.1:{port}/", headers={"Authorization": "Bearer x"}, timeout=20, verify=False)
        assert scheme == "https" or "its port is another process's now" in str(error.value)
        heard = process.stdout.read()
    assert "GET" not in heard


def test_the_very_process_is_believed(answering):
    made = requests.Session()
    made.trust_env = False
    made.mount("http://", OwnServerAdapter(os.getpid()))
    with made:
        assert made.get(answering.url, timeout=20).text == "{}"


def test_where_nobody_can_look_into_the_process_its_user_is_enough(monkeypatch):
    def barred(folder):
        raise PermissionError(folder)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        assert is_listening(os.getpid(), address)
        assert not is_listening(os.getppid(), address)
        monkeypatch.setattr(os, "listdir", barred)
        assert is_listening(os.getpid(), address)
    monkeypatch.undo()
    assert not is_listening(2**22 + 1, address), "it has ended"


def test_a_connection_that_is_not_accepted_yet_is_the_listeners():
    """A busy server accepts late; the kernel lists the connection as root's until then."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        with socket.create_connection(listener.getsockname()) as client:
            assert own_server.owner(client) == os.geteuid()
            accepted, _ = listener.accept()
            with accepted:
                assert own_server.owner(client) == os.geteuid()


LISTENER = """
import socket, sys, time
listener = socket.socket()
listener.bind((sys.argv[1], 0))
listener.listen(5)
print(listener.getsockname()[1], flush=True)
time.sleep(60)
"""


@as_root
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_somebody_elses_listener_that_accepts_nothing(address):
    process = subprocess.Popen(
        [python_of_others(), "-I", "-c", LISTENER, address], stdout=subprocess.PIPE, text=True, user=NOBODY, cwd="/"
    )
    try:
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port)) as client:
            assert own_server.owner(client) != os.geteuid()
    finally:
        process.kill()
        process.communicate()


def test_hera_is_left_as_it_was():
    assert global_config.host is None
