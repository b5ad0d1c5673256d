"""A laboratory in the test bed: settings of a researcher whose Argo server is reached through a front that can lie, delay and count."""

from __future__ import annotations

import copy
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import requests

from hera_utils.settings.sources import Surroundings, read_settings


class Turnstile:
    """Lets answers through in waves: all waiting ones, once no new request has come for a moment. `waves` counts them.

    A request counts from its arrival: on a busy machine its answer takes longer than the moment to come from the server behind.
    """

    def __init__(self, quiet: float = 0.5) -> None:
        self.quiet, self.waves = quiet, 0
        self._arrived = 0
        self._waiting: list[threading.Event] = []
        self._last = time.monotonic()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def arrive(self) -> None:
        with self._lock:
            self._arrived += 1

    def wait(self) -> None:
        mine = threading.Event()
        with self._lock:
            self._waiting.append(mine)
            self._last = time.monotonic()
        mine.wait(30)

    def _run(self) -> None:
        while not self._over.wait(0.01):
            with self._lock:
                whole = len(self._waiting) == self._arrived
                if self._waiting and whole and time.monotonic() - self._last > self.quiet:
                    self.waves += 1
                    self._arrived = 0
                    for one in self._waiting:
                        one.set()
                    self._waiting = []

    def close(self) -> None:
        self._over.set()
        self._thread.join()


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        server = self.server
        if server.turnstile is not None:
            server.turnstile.arrive()
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        headers = {
            k: v
            for k, v in self.headers.items()
            if k.lower() not in ("host", "connection", "content-length", "accept-encoding")
        }
        with server.session() as session:
            reply = session.request(self.command, server.target + self.path, data=body, headers=headers)
        status, kind, content = reply.status_code, reply.headers.get("Content-Type", ""), reply.content
        date = reply.headers.get("Date", formatdate(usegmt=True))
        for lie in server.lies:
            status, kind, content, date = lie(self.path, status, kind, content, date)
        if server.turnstile is not None:
            server.turnstile.wait()
        server.seen.append(f"{self.command} {urlsplit(self.path).path}")
        self.send_response_only(status)
        for name, value in (("Date", date), ("Content-Type", kind), ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def log_message(self, *_):
        pass


class Front(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, target, authority, certificate=None, turnstile=None):
        super().__init__(("127.0.0.1", 0), _Front)
        parts = urlsplit(target)
        self.target, self.base = f"{parts.scheme}://{parts.netloc}", parts.path
        self.authority, self.certificate, self.turnstile = str(authority), certificate, turnstile
        self.lies, self.seen = [], []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}{self.base}"

    def session(self):
        session = requests.Session()
        session.verify, session.cert, session.trust_env = self.authority, self.certificate, False
        return session


@contextmanager
def front(*arguments, **options):
    server = Front(*arguments, **options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- lies ----------------------------------------------------------------------------------------------------------------


def old_version(path, status, kind, content, date):
    if path.endswith("/api/v1/version"):
        content = json.dumps({**json.loads(content), "version": "v3.2.9"}).encode()
    return status, kind, content, date


def page(path, status, kind, content, date):
    return 200, "text/html", b"<html>please log in</html>", date


def late(path, status, kind, content, date):
    return status, kind, content, formatdate(time.time() + 600, usegmt=True)


# --- a workflow ----------------------------------------------------------------------------------------------------------


def workflow(*, tasks=3, **spec):
    """One that needs a claim, a config map's key, a secret's key, an account: all there in the bed's furnished namespace."""
    container = {
        "image": "busybox",
        "command": ["true"],
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        "env": [
            {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cluster", "key": "site"}}},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "password"}}},
        ],
    }
    whole = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "doctor-"},
        "spec": {
            "entrypoint": "dag",
            "serviceAccountName": "runner",
            "imagePullSecrets": [{"name": "registry"}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "inequality"}}],
            "templates": [
                {"name": "dag", "dag": {"tasks": [{"name": f"t{n}", "template": "one"} for n in range(tasks)]}},
                {"name": "one", "container": container},
            ],
            **spec,
        },
    }
    return copy.deepcopy(whole)


@dataclass
class Case:
    """The subject of checks: a place of the bed, flags, a workflow. A fault changes it."""

    place: object
    front: Front
    flags: dict = field(default_factory=dict)
    document: dict = field(default_factory=workflow)
    variables: dict = field(default_factory=dict)

    @property
    def container(self):
        return self.document["spec"]["templates"][1]["container"]

    def settings(self, tmp_path):
        around = Surroundings(environ=self.variables, directory=tmp_path, home=tmp_path)
        return read_settings({"state": str(tmp_path / "state"), **self.flags}, around=around)
