"""One server per state folder: it is started, joined, stopped and killed, and reports why it cannot start."""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from hera_utils.errors import PlatformError
from hera_utils.local_platform import daemon
from hera_utils.local_platform.server import Serving
from waiting import until


@pytest.fixture
def state(tmp_path):
    yield tmp_path / "state"
    daemon.stop(tmp_path / "state")


def call(known, path, token=None):
    headers = {"Authorization": f"Bearer {token or known['token']}"}
    with urllib.request.urlopen(
        urllib.request.Request(known["argo_server"] + path, headers=headers), timeout=10
    ) as answer:
        return json.loads(answer.read())


def test_start_join_stop(state):
    known = daemon.start_or_join(state)
    assert call(known, "/api/v1/version")["version"].startswith("v4.1")
    assert daemon.start_or_join(state) == known == daemon.status(state)
    assert stat.S_IMODE((state / "server.json").stat().st_mode) == 0o600
    with pytest.raises(urllib.error.HTTPError) as refused:
        call(known, "/api/v1/workflows/default", token="wrong")
    assert refused.value.code == 401
    assert daemon.stop(state)
    assert daemon.status(state) is None
    assert not daemon.stop(state)
    assert "Traceback" not in (state / "server.log").read_text()
    again = daemon.start_or_join(state)
    assert again["token"] != known["token"], "a token lives as long as its server"
    with pytest.raises(urllib.error.HTTPError) as refused:
        call(again, "/api/v1/workflows/default", token=known["token"])
    assert refused.value.code == 401


def test_a_server_that_was_begun_is_the_one_that_is_joined(state):
    daemon.begin(state)
    daemon.begin(state)
    known = daemon.start_or_join(state)
    assert call(known, "/api/v1/version")["version"].startswith("v4.1")
    daemon.begin(state)
    assert daemon.start_or_join(state) == known


def test_a_server_that_was_begun_and_does_not_start_says_why(state, monkeypatch):
    def begin_and_join():
        daemon.begin(state)  # raises the error if the process has ended before its order
        daemon.start_or_join(state)

    monkeypatch.setattr(daemon.sys, "executable", "/bin/false")
    with pytest.raises(PlatformError, match="ended at once"):
        begin_and_join()
    monkeypatch.undo()
    assert call(daemon.start_or_join(state), "/api/v1/version")["version"].startswith("v4.1")


def test_a_killed_server_is_replaced(state):
    first = daemon.start_or_join(state)
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: not daemon._is_locked(state))
    second = daemon.start_or_join(state)
    assert second["pid"] != first["pid"]
    assert call(second, "/api/v1/workflows/default")["items"] is None


def test_many_clients_at_once_get_one_server(state):
    code = "import sys, json; from pathlib import Path; from hera_utils.local_platform import daemon;"
    code += "print(daemon.start_or_join(Path(sys.argv[1]))['pid'])"

    def client(_):
        return subprocess.run([sys.executable, "-c", code, str(state)], capture_output=True, text=True, timeout=60)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(client, range(4)))
    assert [answer.stderr for answer in answers] == [""] * 4
    assert len({answer.stdout for answer in answers}) == 1


def test_a_port_in_use_is_named_with_its_fix(state):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PlatformError, match=f"port {port} of 127.0.0.1 is in use") as refused:
            daemon.start_or_join(state, Serving(port=port))
    assert "--port" in str(refused.value.fix)
    assert daemon.status(state) is None


def test_an_explicit_port_is_used(state):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert daemon.start_or_join(state, Serving(port=port))["argo_server"] == f"http://127.0.0.1:{port}"


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "state").write_text("")
    with pytest.raises(PlatformError, match="cannot be used") as refused:
        daemon.start_or_join(tmp_path / "state")
    assert "HERA_UTILS_STATE" in str(refused.value.fix)


def test_a_damaged_journal_says_so(state):
    state.mkdir()
    (state / "journal.sqlite").write_bytes(b"nonsense" * 1000)
    with pytest.raises(PlatformError, match="damaged") as refused:
        daemon.start_or_join(state)
    assert refused.value.fix


def test_the_second_foreground_server_is_refused(state):
    known = daemon.start_or_join(state)
    with pytest.raises(PlatformError, match=f"already running .* .process {known['pid']}."):
        daemon.serve(state, ready=lambda known: None)


def test_an_idle_server_of_another_version_is_replaced(state):
    known = daemon.start_or_join(state)
    (state / "server.json").write_text(json.dumps({**known, "version": "0.0.1"}))
    assert daemon.start_or_join(state)["pid"] != known["pid"]


def test_a_server_ends_when_nobody_needs_it(state):
    known = daemon.start_or_join(state, Serving(idle_seconds=0.3))
    until(lambda: daemon.status(state) is None)
    assert daemon.status(state) is None
    assert "Traceback" not in (state / "server.log").read_text()
    with contextlib.suppress(ProcessLookupError):
        os.kill(known["pid"], 0)


def test_a_server_that_is_killed_while_another_one_starts_is_followed_by_a_third(state, monkeypatch):
    """The second server finds the first one's lock, which is released at once; the client that starts it looks again."""
    state.mkdir(mode=0o700)
    receiver, sender = os.pipe()
    monkeypatch.setattr(daemon, "_take_lock", lambda _: None)
    monkeypatch.setattr(daemon, "_move_to", lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["-c", str(sender)])
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps({"state": str(state), "log": "", "serving": {}}) + "\n"))
    with pytest.raises(SystemExit):
        daemon.background()
    with open(receiver, encoding="utf-8") as answer:
        assert json.loads(answer.read()) == {"taken": True}


@pytest.mark.parametrize("loopback", ["true", "ip link set lo up; ip address del 127.0.0.1/8 dev lo"])
@pytest.mark.skipif(os.geteuid() != 0, reason="makes a network namespace: only root may")
def test_without_a_way_to_127_0_0_1_it_says_so(tmp_path, loopback):
    serve = f"{loopback}; exec {sys.executable} -m hera_utils serve"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", serve],
        env=os.environ | {"HERA_UTILS_STATE": str(tmp_path / "state")},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "this machine has no way to 127.0.0.1" in done.stderr
    assert "fix: bring its loopback interface up" in done.stderr


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "[]", '{"pid": null, "argo_server": "http://127.0.0.1:1", "images": 1}']
)
def test_a_broken_server_json_names_no_server(tmp_path, content):
    """Its reader raised RecursionError, and `status` TypeError for the pid."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "server.json").write_text(content)
    with (state / "server.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert daemon.status(state) is None
