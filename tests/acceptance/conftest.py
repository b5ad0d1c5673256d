"""The product from outside: the installed command, its own processes, its HTTP addresses. Nothing of it is imported."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from waiting import until

COMMAND = [sys.executable, "-m", "hera_utils"]
SETTINGS = ("ARGO_", "KUBE", "HERA_UTILS_", "ARGOCONFIG")


class Machine:
    """A user's machine: an empty home, a state folder of its own, nothing configured."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.home = folder, folder / "state", folder / "home"
        self.home.mkdir()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
        self.environment |= {"HOME": str(self.home), "HERA_UTILS_STATE": str(self.state), "NO_COLOR": "1"}

    def run(self, *arguments, timeout=120, **environment):
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def python(self, script, *arguments, timeout=120, **environment):
        return subprocess.run(
            [sys.executable, str(script), *map(str, arguments)],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def serve(self):
        answer = self.run("serve", "--detach")
        assert answer.returncode == 0, answer.stderr
        return self.connection()

    def connection(self):
        answer = self.run("connection", "--output", "json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def server_pid(self):
        return json.loads((self.state / "server.json").read_text())["pid"]

    def kill_server(self):
        """kill -9 of the server alone; its tasks go on."""
        pid = self.server_pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: self.process_state(pid) in "XZ")

    @staticmethod
    def process(pid):
        return Path(f"/proc/{pid}")

    def process_fields(self, pid):
        """The fields of /proc/PID/stat from the state on; ["X"] if the process is gone."""
        try:
            return (self.process(pid) / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ["X"]

    def process_state(self, pid):
        return self.process_fields(pid)[0]

    def born(self, pid):
        """The clock tick at which the process started, "" if it is gone."""
        fields = self.process_fields(pid)
        return "" if fields[0] in "XZ" else fields[19]

    def children(self, pid):
        found = []
        with contextlib.suppress(OSError):
            for task in (self.process(pid) / "task").iterdir():
                found += map(int, (task / "children").read_text().split())
        return found

    def call(self, method, path, body=None, *, api="argo_server", token=None):
        """-> (status, parsed answer) of one HTTP call to the local platform."""
        connection = self.connection_cache = getattr(self, "connection_cache", None) or self.connection()
        request = urllib.request.Request(
            connection[api] + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token or connection['token']}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def submit(self, document, namespace="default"):
        status, answer = self.call("POST", f"/api/v1/workflows/{namespace}", {"workflow": document})
        assert status == 200, answer
        return answer["metadata"]["name"]

    def phase(self, name, namespace="default"):
        status, answer = self.call("GET", f"/api/v1/workflows/{namespace}/{name}?fields=status.phase")
        assert status == 200, answer
        return (answer.get("status") or {}).get("phase")

    def wait(self, name, namespace="default", limit=120.0):
        """The workflow when it has ended. limit: seconds."""

        def has_ended():
            status, answer = self.call("GET", f"/api/v1/workflows/{namespace}/{name}?fields=status.phase")
            return status == 200 and answer["status"].get("phase") in ("Succeeded", "Failed", "Error")

        until(has_ended, limit)
        return self.call("GET", f"/api/v1/workflows/{namespace}/{name}")[1]


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    yield machine
    machine.run("serve", "--stop")


@pytest.fixture(scope="module")
def shared_machine(tmp_path_factory):
    """One machine with a running server for the tests of a file that leave nothing behind."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.serve()
    yield machine
    machine.run("serve", "--stop")
