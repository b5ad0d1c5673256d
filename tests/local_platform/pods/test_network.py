"""Each pod has its own address: where pods listen, and which pods can reach each other."""

from __future__ import annotations

import contextlib
import errno
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage import Stage, uid

from hera_utils.interpreter.events import PodWaiting
from hera_utils.local_platform.pods import workers
from hera_utils.local_platform.pods.runtime import Launch

SERVER = """
import http.server, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(sys.argv[1].encode())
    def log_message(self, *_): pass
class Server(http.server.HTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
    def server_bind(self):
        if len(sys.argv) > 4: self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(sys.argv[4]))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        self.socket.bind(self.server_address); self.server_name, self.server_port = "x", 0
Server((sys.argv[2], int(sys.argv[3])), Handler).serve_forever()
"""
PORT = 8771


def server(stage: Stage, text: str, host: str = "0.0.0.0", port: int = PORT, *more: str, **pod: object) -> Launch:
    main = {"image": "python:3", "command": ["python", "-c", SERVER, text, host, str(port), *more]}
    probe = {"readinessProbe": {"httpGet": {"path": "/", "port": port}}}
    return stage.pod({**main, **probe, **pod}, template={"daemon": True})


@contextlib.contextmanager
def running(stage: Stage, *pods: Launch) -> Iterator[list[str]]:
    """Runs daemons and gives their addresses."""
    for pod in pods:
        stage.launch(pod)
    try:
        yield [stage.started(pod.node_id).ip for pod in pods]
    finally:
        for pod in pods:
            stage.runtime.kill(uid(pod), force=True)
        for pod in pods:
            stage.finished(pod.node_id)


def get(address: str, port: int = PORT) -> str:
    with urllib.request.urlopen(f"http://{address}:{port}", timeout=5) as answer:
        return str(answer.read().decode())


def fetch(url: str) -> str:
    """A command that prints the answer of a URL, or the number of the error."""
    return (
        "python -c 'import urllib.request, sys\n"
        f'try: print(urllib.request.urlopen("{url}", timeout=5).read().decode())\n'
        "except OSError as error: print(error.reason.errno)'"
    )


def ask(stage: Stage, script: str, **more: object) -> list[str]:
    pod = stage.shell(script, main={"image": "python:3", **more})
    assert stage.run(pod).phase == "Succeeded"
    return stage.log(pod)


LAST_ADDRESSES = """
import os, sys
from hera_utils.local_platform.pods.pod import network, syscalls
syscalls.gain_nothing()  # then an ordinary user may have calls answered, too
network._BITS = network._OF_WORKER  # as if all others were taken
claim = network._claim_addresses() if sys.argv[1] == "taken" else None
pods = network.Network("/proc")
pods.open()
for _ in range(2):
    pods.begin()
    print(pods.address, flush=True)
    pods.end()
os._exit(0)
"""


@pytest.mark.parametrize(
    ("of_others", "addresses"), [("free", ["127.64.0.0", "127.64.0.1"]), ("taken", ["127.0.0.1"] * 2)]
)
def test_where_others_have_all_addresses_pods_share_the_machines(of_others: str, addresses: list[str]) -> None:
    said = subprocess.run([sys.executable, "-c", LAST_ADDRESSES, of_others], capture_output=True, text=True, check=True)
    assert said.stdout.split() == addresses


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "::"])
def test_daemons_on_one_port_are_servers_of_their_own(stage: Stage, host: str) -> None:
    with running(stage, server(stage, "v1", host), server(stage, "v2", host)) as (first, second):
        assert (get(first), get(second)) == ("v1", "v2")
        found = ask(stage, "; ".join(fetch(f"http://{address}:{PORT}") for address in (first, second, "127.0.0.1")))
        assert found == ["v1", "v2", str(errno.ECONNREFUSED)]


def test_a_pod_is_ready_when_its_own_server_answers(stage: Stage) -> None:
    mute = stage.shell(
        "exec sleep 60", template={"daemon": True}, main={"readinessProbe": {"tcpSocket": {"port": PORT}}}
    )
    with running(stage, server(stage, "v1")):
        stage.launch(mute)
        stage.wait(lambda: any(isinstance(event, PodWaiting) for event in stage.events.get(mute.node_id, ())))
        (event,) = stage.events[mute.node_id]
        assert isinstance(event, PodWaiting)
        assert event.message.startswith("Readiness probe of main failed: connection to 127.")
        stage.runtime.kill(uid(mute), force=True)
        stage.finished(mute.node_id)


@pytest.mark.parametrize(
    ("host", "only", "names"),
    [
        ("0.0.0.0", "", ["127.0.0.1", "localhost", "0.0.0.0"]),
        ("::", "0", ["[::1]", "127.0.0.1", "[::]"]),
        ("::", "1", ["[::1]", "[::]"]),
        ("::1", "", ["[::1]", "[::]"]),
    ],
)
def test_containers_of_a_pod_meet_at_localhost(stage: Stage, host: str, only: str, names: list[str]) -> None:
    """They do so while another pod uses the same port."""
    argv = ["python", "-c", SERVER, "own", host, str(PORT), *([only] if only else [])]
    sidecar = {"name": "side", "image": "python:3", "command": argv}
    wait = f'until [ own = "$({fetch(f"http://{names[0]}:{PORT}")})" ]; do sleep 0.1; done; '
    script = wait + "; ".join(fetch(f"http://{name}:{PORT}") for name in names)
    pod = stage.shell(script, main={"image": "python:3"}, template={"sidecars": [sidecar]})
    pod.pod["spec"]["containers"].append(sidecar)
    with running(stage, server(stage, "other")):
        assert stage.run(pod).phase == "Succeeded"
    assert stage.log(pod) == ["own"] * len(names)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_servers_of_the_machine_are_reached_at_localhost(stage: Stage, family: socket.AddressFamily) -> None:
    host = "127.0.0.1" if family == socket.AF_INET else "[::1]"
    with socket.create_server((host.strip("[]"), 0), family=family) as listener:
        port = listener.getsockname()[1]

        def answer() -> None:
            end = listener.accept()[0]
            end.recv(4096)
            end.sendall(b"HTTP/1.0 200 OK\r\n\r\nmachine")
            end.close()

        thread = threading.Thread(target=answer)
        thread.start()
        assert ask(stage, fetch(f"http://{host}:{port}")) == ["machine"]
        thread.join()


def test_a_pod_may_use_a_port_that_the_machine_uses(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with running(stage, server(stage, "pod", port=port)) as (address,):
            assert get(address, port) == "pod"


def test_ports_below_1024_are_everybodys(stage: Stage) -> None:
    with running(stage, server(stage, "v1", port=80), server(stage, "v2", port=80)) as addresses:
        assert ask(stage, "; ".join(fetch(f"http://{address}") for address in addresses)) == ["v1", "v2"]


def test_a_port_is_free_for_the_next_pod(stage: Stage) -> None:
    for _ in range(3):
        with running(stage, server(stage, "v", port=PORT + 1)) as (address,):
            assert get(address, PORT + 1) == "v"


def test_one_pod_cannot_have_a_port_twice(stage: Stage) -> None:
    bind = "import socket; s = [socket.socket() for _ in range(2)]; [(x.bind(('', 9000)), x.listen()) for x in s]"
    pod = stage.shell(f'python -c "{bind}"', main={"image": "python:3"})
    assert stage.run(pod).phase == "Failed"
    assert "Address already in use" in stage.log(pod)[-1]


def test_other_sockets_are_as_they_were(stage: Stage) -> None:
    script = """
import os, socket
d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.bind(("127.0.0.1", 0)); print(d.getsockname()[0])
u = socket.socket(socket.AF_UNIX); u.bind("/tmp/s"); u.listen()
v = socket.socket(socket.AF_UNIX); v.connect("/tmp/s"); print("unix")
s = socket.create_server(("127.0.0.1", 0)); c = socket.create_connection(s.getsockname())
print(c.getpeername() == s.getsockname())
n = socket.socket(); n.setblocking(False)
server = socket.create_server(("", 9001))
print(n.connect_ex(("127.0.0.1", 9001)) in (0, 115), os.get_blocking(n.fileno()))
server.accept(); c = socket.create_connection(("localhost", 9001))
print(c.getpeername() == server.getsockname(), os.get_blocking(c.fileno()))
"""
    pod = stage.pod({"image": "python:3", "command": ["python", "-c", script]})
    assert stage.run(pod).phase == "Succeeded", stage.log(pod)
    assert stage.log(pod) == ["127.0.0.1", "unix", "True", "True False", "True True"]


def test_a_blocking_connection_waits_for_room(stage: Stage) -> None:
    """The server's queue is full: only the caller waits."""
    script = """
import socket, threading, time
server = socket.socket(); server.bind(("", 9002)); server.listen(0)
def connect(): socket.create_connection(("127.0.0.1", 9002)); done.append(1)
done = []
threads = [threading.Thread(target=connect) for _ in range(4)]
[thread.start() for thread in threads]
time.sleep(0.3); print(len(done) < 4)
other = socket.create_server(("", 9003)); socket.create_connection(("127.0.0.1", 9003)); print("others go on")
kept = [server.accept() for _ in threads]
[thread.join() for thread in threads]; print(len(done))
"""
    pod = stage.pod({"image": "python:3", "command": ["python", "-c", script]})
    assert stage.run(pod).phase == "Succeeded", stage.log(pod)
    assert stage.log(pod) == ["True", "others go on", "4"]


def test_with_the_machines_network_a_pod_has_the_machines_address(stage: Stage) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pod = server(stage, "machine", port=port)
    pod.pod["spec"]["hostNetwork"] = True
    with running(stage, pod) as (address,):
        assert address == "127.0.0.1"
        assert get("127.0.0.1", port) == "machine"


def test_a_probe_sends_its_headers(stage: Stage) -> None:
    script = SERVER.replace("send_response(200)", 'send_response(200 if self.headers["X-Key"] == "k" else 403)')
    probe = {"httpGet": {"path": "/", "port": PORT, "httpHeaders": [{"name": "X-Key", "value": "k"}]}}
    pod = server(stage, "v", command=["python", "-c", script, "v", "", str(PORT)], readinessProbe=probe)
    with running(stage, pod):
        pass


def test_a_port_by_its_name(stage: Stage) -> None:
    probe = {"httpGet": {"path": "/", "port": "web"}}
    good = server(stage, "v", readinessProbe=probe, ports=[{"name": "web", "containerPort": PORT}])
    with running(stage, good) as (address,):
        assert get(address) == "v"
    unknown = server(stage, "v", readinessProbe=probe)
    stage.launch(unknown)
    stage.wait(lambda: any(isinstance(event, PodWaiting) for event in stage.events.get(unknown.node_id, ())))
    assert 'has no port named "web"' in stage.events[unknown.node_id][0].message  # type: ignore[attr-defined]
    stage.runtime.kill(uid(unknown), force=True)
    stage.finished(unknown.node_id)


def test_where_the_kernel_cannot_a_foreign_server_makes_no_pod_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        workers, "_START", workers._START.replace("; spawner.main", "; spawner.network.works = bool; spawner.main")
    )
    stage = Stage(tmp_path / "state")
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            pod = server(stage, "v", port=port, command=["sleep", "60"])
            stage.launch(pod)
            stage.wait(lambda: stage.events.get(pod.node_id))
            (waiting,) = stage.events[pod.node_id]
            assert isinstance(waiting, PodWaiting)
            assert f"port {port} of this machine is used by another program" in waiting.message
        own = server(stage, "own", port=port)
        with running(stage, own) as (address,):
            assert (address, get(address, port)) == ("127.0.0.1", "own")
    finally:
        stage.runtime.kill(uid(pod), force=True)
        stage.finished(pod.node_id)
        stage.close()


def test_after_a_restart_of_the_server_a_daemon_has_its_address_still(own_stage: Stage) -> None:
    pod = server(own_stage, "v", port=PORT + 2)
    with running(own_stage, pod) as (address,):
        own_stage.restart()
        own_stage.events.clear()
        own_stage.runtime.reattach(pod)
        assert own_stage.started(pod.node_id).ip == address
        assert ask(own_stage, fetch(f"http://{address}:{PORT + 2}")) == ["v"]
        own_stage.events.pop(pod.node_id)


def test_a_pod_may_make_a_network_of_its_own(stage: Stage) -> None:
    script = 'unshare --net --map-root-user sh -c \'ip link set lo up 2>/dev/null; exec python -c "$0"\' "$1"'
    program = "import socket; s = socket.socket(); s.bind(('', 9000)); print('bound')"
    pod = stage.pod({"image": "python:3", "command": ["sh", "-c", script, "sh", program]})
    end = stage.run(pod)
    if end.phase == "Failed" and "unshare" in " ".join(stage.log(pod)):
        pytest.skip("this kernel lets nobody make a network")
    assert stage.log(pod)[-1] == "bound"
