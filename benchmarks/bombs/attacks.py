"""A server to attack, and requests to it, one by one, many at once, or read by nobody: what the bombs are made of."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflows import HOLD, SHELL, Json, loop, workflow

LASTS = 6.0
RUNS = "/api/v1/workflows/default"
CORE = "/api/v1/namespaces/default"


@dataclass
class Server:
    """The server under test."""

    pid: int
    argo: tuple[str, int]
    kubernetes: tuple[str, int]
    token: str

    def call(self, method: str, path: str, body: Any = None, *, kubernetes: bool = False, timeout: float = 60.0,
             headers: Any = ()) -> tuple[int, bytes]:  # fmt: skip
        connection = http.client.HTTPConnection(*(self.kubernetes if kubernetes else self.argo), timeout=timeout)
        data = body if isinstance(body, bytes | type(None)) else json.dumps(body).encode()
        with contextlib.closing(connection):
            connection.putrequest(method, path)
            connection.putheader("Authorization", f"Bearer {self.token}")
            for name, value in headers:
                connection.putheader(name, value)
            if data is not None:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def memory(self, kind: str = "VmHWM") -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(kind))

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


@contextlib.contextmanager
def server_of(state: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "hera_utils", "serve"]
    environment = os.environ | {"HERA_UTILS_STATE": str(state), "HERA_UTILS_IMAGES": "stand-in"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told = state / "server.json"
        while not told.exists() or "argo_server" not in told.read_text():
            if process.poll() is not None:
                raise SystemExit("the server ended at once")
            time.sleep(0.05)
        known = json.loads(told.read_text())
        argo, kubernetes = (known[name].partition("//")[2].split(":") for name in ("argo_server", "kubernetes"))
        yield Server(process.pid, (argo[0], int(argo[1])), (kubernetes[0], int(kubernetes[1])), known["token"])
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


Attack = Callable[[Server], str]


def request(method: str, path: str, body: Callable[[], Any] = lambda: None, **how: Any) -> Attack:
    def attack(server: Server) -> str:
        return said(*server.call(method, path, body(), **how))

    return attack


def said(status: int, answer: bytes) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        answer = json.loads(answer)["message"].encode()
    return f"{status} {answer[:110].decode('utf-8', 'replace')}"


def raw(first: bytes, then: bytes = b"", times: int = 0, pause: float = 0.0) -> Attack:
    """A client that writes what it likes."""

    def attack(server: Server) -> str:
        with socket.create_connection(server.argo, timeout=10) as connection:
            with contextlib.suppress(OSError):
                connection.sendall(first.replace(b"TOKEN", server.token.encode()))
                for _ in range(times):
                    connection.sendall(then)
                    time.sleep(pause)
            try:
                answer = connection.recv(200)
            except OSError as error:
                return f"{type(error).__name__}"
            return answer.split(b"\r\n")[0].decode("latin-1") or "closed"

    return attack


def at_once(count: int, function: Callable[[], None]) -> None:
    """The function in so many threads, until all have ended."""

    threads = [threading.Thread(target=function, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def together(count: int, method: str, path: str, body: Callable[[], Any] = lambda: None) -> Attack:
    """The same request from many clients at once."""

    def attack(server: Server) -> str:
        answers: list[str] = []
        value = body()
        data = None if value is None else json.dumps(value).encode()

        def one() -> None:
            try:
                answers.append(said(*server.call(method, path, data)))
            except OSError as error:
                answers.append(type(error).__name__)

        at_once(count, one)
        return f"{len(answers)} answers, such as {answers[0] if answers else '-'}"

    return attack


def run(server: Server, document: Json) -> str:
    """Submit a workflow and follow it for a while: what was said."""
    end = time.monotonic() + LASTS
    status, answer = server.call("POST", RUNS, {"workflow": document}, timeout=120)
    if status != 200:
        return said(status, answer)
    name = json.loads(answer)["metadata"]["name"]
    found: Json = {}
    while time.monotonic() < end:
        time.sleep(0.3)
        fields = "status.phase,status.message,status.progress"
        found = json.loads(server.call("GET", f"{RUNS}/{name}?fields={fields}", timeout=120)[1]).get("status") or {}
        if found.get("phase") not in (None, "", "Pending", "Running"):
            break
    text = f"{found.get('phase')} {found.get('progress', '')} {found.get('message', '')}".strip()
    server.call("PUT", f"{RUNS}/{name}/terminate", {}, timeout=120)
    server.call("DELETE", f"{RUNS}/{name}", timeout=120)
    return text


# --- clients ---------------------------------------------------------------------------------------------------------
def large_run(server: Server, template: Json = HOLD, count: int = 10_000) -> str:
    """A run whose nodes are all open; its name."""
    status, answer = server.call("POST", RUNS, {"workflow": loop(template, count)})
    assert status == 200, answer
    name = str(json.loads(answer)["metadata"]["name"])
    for _ in range(200):
        found = json.loads(server.call("GET", f"{RUNS}/{name}?fields=status.progress,status.phase")[1])["status"]
        if found.get("progress", "").endswith(f"/{count}") or found.get("phase") not in ("Running", "Pending", None):
            break
        time.sleep(0.3)
    return name


def stored(
    count: int, path: str, one: Callable[[int], Any], *, kubernetes: bool = False, then: Json | None = None
) -> Attack:
    """Many objects; then a workflow; then all of them go. one: the body of the request for the n-th."""

    def attack(server: Server) -> str:
        answers: dict[str, int] = {}
        names: list[str] = []
        for n in range(count):
            status, answer = server.call("POST", path, one(n), kubernetes=kubernetes)
            text = said(status, answer) if status not in (200, 201) else str(status)
            answers[text] = answers.get(text, 0) + 1
            if status in (200, 201):
                names.append(json.loads(answer)["metadata"]["name"])
        server.call("GET", path, kubernetes=kubernetes)
        text = run(server, then) if then is not None else ""
        if then is None:
            time.sleep(LASTS)
        for name in names:
            server.call("DELETE", f"{path}/{name}", kubernetes=kubernetes)
        return f"{answers} {text}"

    return attack


TEMPLATES = "/api/v1/workflow-templates/default"


# --- clients that do not read ----------------------------------------------------------------------------------------
@contextlib.contextmanager
def unread(
    server: Server, count: int, path: str, *, kubernetes: bool = False, accept: str = "*/*"
) -> Iterator[list[socket.socket]]:
    """Clients that ask and take nothing of the answer."""
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {server.token}\r\nAccept: {accept}\r\n\r\n".encode()
    held: list[socket.socket] = []
    try:
        for _ in range(count):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.settimeout(5)
            with contextlib.suppress(OSError):
                one.connect(server.kubernetes if kubernetes else server.argo)
                one.sendall(head)
            held.append(one)
        yield held
    finally:
        for one in held:
            one.close()


# --- logs ------------------------------------------------------------------------------------------------------------
def logged(script: str, ask: Callable[[Server, str], str]) -> Attack:
    """A task that writes, and who wants to have it."""

    def attack(server: Server) -> str:
        document = workflow({"name": "m", "container": SHELL | {"args": [script]}})
        name = json.loads(server.call("POST", RUNS, {"workflow": document})[1])["metadata"]["name"]
        for _ in range(100):
            found = json.loads(server.call("GET", f"{RUNS}/{name}?fields=status.phase")[1])
            if (found.get("status") or {}).get("phase") not in (None, "", "Pending", "Running"):
                break
            time.sleep(0.1)
        try:
            return ask(server, name)
        finally:
            server.call("DELETE", f"{RUNS}/{name}", timeout=120)

    return attack


LOG = f"{RUNS}/NAME/log?logOptions.container=main"


def asks(path: str, count: int = 1, *, kubernetes: bool = False, reads: bool = True) -> Callable[[Server, str], str]:
    def ask(server: Server, name: str) -> str:
        with unread(server, count, path.replace("NAME", name), kubernetes=kubernetes) as held:
            for one in held:
                one.setblocking(False)
            end = time.monotonic() + LASTS
            taken = 0
            while time.monotonic() < end:
                time.sleep(0.1 if not reads else 0.01)
                for one in held if reads else ():
                    with contextlib.suppress(OSError):
                        taken += len(one.recv(1 << 20))
        return f"{taken} bytes"

    return ask


ARCHIVED = "/api/v1/archived-workflows?listOptions.namespace=default"
