"""A small HTTP server that answers what a test tells it to: what a real one never does when one waits for it."""

import copy
import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from hera_utils.platforms.connection import Connection
from hera_utils.testing import hera_utils_server, local_platform  # noqa: F401 - fixtures
from http_server import serving

TOKEN = "planted-token-5e1f"


class Exchange(BaseHTTPRequestHandler):
    """One request for a test's handler: `method`, `where`, `query`, `body`; the handler answers with `reply` or `events`."""

    protocol_version = "HTTP/1.1"
    server: "Double"

    def do_GET(self):
        self.method = self.command
        parts = urlsplit(self.path)
        self.where = parts.path
        self.query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        self.body = json.loads(self.rfile.read(length)) if length else None
        self.server.seen.append(copy.copy(self))  # one handler serves all requests of a connection
        answer = self.server.answers.get((self.method, self.where)) or self.server.answers.get("*")
        if answer is None:
            self.reply({"code": 12, "message": "Not Implemented"}, 501)
        else:
            answer(self)

    do_POST = do_PUT = do_DELETE = do_GET

    def reply(self, document, status=200, kind="application/json", **headers):
        text = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def begin_events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, result, pieces=1):
        line = b"data: " + json.dumps(result).encode() + b" \n\n\n"
        self.raw(line, pieces)

    def raw(self, line, pieces=1):
        size = -(-len(line) // pieces)
        for start in range(0, len(line), size):
            piece = line[start : start + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()

    def end_events(self):
        self.wfile.write(b"0\r\n\r\n")

    def cut(self):
        """End the connection in the middle of the reply."""
        self.close_connection = True

    def log_message(self, *_):
        pass


class Double(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Exchange)
        self.answers: dict[object, Callable[[Exchange], None]] = {}
        self.seen: list[Exchange] = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def connection(self):
        return Connection(self.url, namespace="lyon", token=TOKEN)

    def on(self, method, where, document=None, status=200, **headers):
        """Answer a path with a document, or by a function of the exchange."""
        answer = document if callable(document) else lambda exchange: exchange.reply(document, status, **headers)
        self.answers[method, where] = answer


@pytest.fixture
def double():
    server = Double()
    with serving(server):
        yield server
