"""A session with the local server answers as a session of requests does, whatever happens to the connection."""

import http.server
import json
import os
import socket
import threading
import time

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from hera_utils.platforms import own_server_session
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.own_server_session import OwnServerSession
from http_server import serve_http

BIG = b"0123456789" * 100_000


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked; some paths have an answer of their own."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        self.server.ports.append(self.client_address[1])
        if path == "/moved":
            self._answer(302, b"", {"Location": "/there"})
        elif path == "/chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(BIG), 99_999):
                piece = BIG[start : start + 99_999]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"cut")
            self.close_connection = True
        elif path == "/slow":
            time.sleep(1)
        elif path == "/last":
            self._answer(200, b"last", {"Connection": "close"})
            self.close_connection = True
        elif path == "/until-the-end":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"whole")
            self.close_connection = True
        elif path == "/none":
            self._answer(204, b"", {})
        else:
            kept = {
                name.lower(): value for name, value in self.headers.items() if name.lower() in ("authorization", "x")
            }
            asked = [self.command, self.path, kept, body.decode()]
            self._answer(404 if path == "/missing" else 200, json.dumps(asked).encode(), {"X": "a"})

    do_GET = do_PUT = do_DELETE = do_POST

    def _answer(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with serve_http(Echo, ports=[]) as server:
        yield server


@pytest.fixture
def url(server):
    server.ports.clear()
    return server.url


@pytest.fixture
def own(url):
    with OwnServerSession(Connection(url, local=True, process=os.getpid())) as session:
        yield session


def outcome(session, method, url, **options):
    """What a caller sees of a request: the answer, or the class of the error."""
    try:
        reply = session.request(method, url, **options)
        return reply.status_code, reply.reason, reply.headers.get("x"), reply.ok, reply.content, reply.text, reply.url
    except requests.RequestException as error:
        return type(error)


CASES = [
    ("get", "/", {}),
    ("get", "/a b/ü?x=1#part", {"params": {"q": "ä &=", "none": None, "many": [1, None, "b"], "yes": True}}),
    ("GET", "/missing", {"headers": {"Authorization": "Bearer x", "X": None}}),
    ("post", "/", {"data": '{"a": "ü"}', "headers": {"Content-Type": "application/json"}}),
    ("post", "/", {"data": b"\x00"}),
    ("put", "/", {"data": ""}),
    ("delete", "/", {"verify": True, "cert": None}),
    ("post", "/", {"data": {"form": "x"}}),
    ("get", "/", {"json": {"a": 1}}),
    ("get", "/", {"headers": {"X": "a\r\nAuthorization: b"}}),
    ("get", "/moved", {}),
    ("get", "/moved", {"allow_redirects": False}),
    ("get", "/chunks", {}),
    ("get", "/", {"params": "a=b"}),
    ("get", "/", {"auth": ("user", "word")}),
    ("get", "/cut", {}),
    ("get", "/slow", {"timeout": 0.2}),
    ("get", "/last", {}),
    ("get", "/none", {}),
    ("get", "/until-the-end", {}),
    ("head", "/", {}),
]


@pytest.mark.parametrize(("method", "path", "options"), CASES)
def test_the_same_as_with_requests(own, url, method, path, options):
    data = options.get("data")
    theirs = options | {"data": data.encode()} if isinstance(data, str) else options  # requests 2.31 sends half of an ü
    with requests.Session() as other:
        expected = outcome(other, method, url + path, **theirs)
    assert [outcome(own, method, url + path, **options) for _ in range(2)] == [expected] * 2


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=20),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.none() | st.booleans() | st.integers()),
)
def test_targets_are_those_of_requests(path, params):
    server = "http://127.0.0.1:1"
    request = OwnServerSession(Connection(server, local=True))._request("GET", f"{server}/{path}", params=params)
    expected = requests.Request("GET", f"{server}/{path}", params=params).prepare().path_url
    assert request is None or request.target == expected


def test_a_connection_is_used_again_unless_the_server_has_closed_it(own, url, server):
    for path in ("/", "/chunks", "/last", "/", "/"):
        assert own.request("get", url + path).ok
    first, second, third, fourth, fifth = server.ports
    assert first == second == third != fourth == fifth
    with own.request("get", url + "/chunks", stream=True) as reply:
        assert BIG.startswith(next(reply.raw.stream()))
    assert own.request("get", url + "/").ok, "the rest of an answer that nobody read is not taken for the next one"
    assert server.ports[-1] != fifth


def test_another_thread_can_end_a_read(own, url):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        session = OwnServerSession(Connection(address, local=True))

        def answer():
            connected, _ = silent.accept()
            connected.recv(9999)
            connected.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            kept.append(connected)

        kept = []
        threading.Thread(target=answer).start()
        reply = session.request("get", address + "/", stream=True, timeout=30)
        threading.Timer(0.1, reply.raw.shutdown).start()
        with pytest.raises(OSError, match="closed within"):
            list(reply.raw.stream())
        kept[0].close()


def test_what_is_set_on_the_session_counts(own, url):
    own.headers["X"] = "mine"
    assert own.request("get", url + "/").json()[2] == {"x": "mine"}
    assert own.get(url + "/").json()[0] == "GET"


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_what_requests_does_for_it_passes_no_proxy(own, url, monkeypatch, variable):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert own.request("get", url + "/a b").json()[1] == "/a%20b"


def test_an_answer_has_whatever_one_of_requests_has(own, url):
    reply = own.request("get", url + "/missing", {"a": 1})
    assert reply.json()[1] == "/missing?a=1"
    reply = own.request("get", url + "/missing")
    with pytest.raises(requests.HTTPError, match="404"):
        reply.raise_for_status()
    assert list(reply.iter_lines()) == [reply.content] == list(reply.iter_content())
    assert (reply.encoding, reply.is_redirect) == (None, False)


def test_other_addresses_are_asked_by_requests(own, url, server):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert outcome(own, "get", f"http://127.0.0.1:{port}/") is requests.ConnectionError
    assert own._is_customized is False


def test_nothing_is_sent_without_a_connection(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    session = OwnServerSession(Connection(url, local=True))
    with pytest.raises(requests.ConnectionError) as error:
        session.request("post", url + "/", data="x")
    assert "NewConnectionError" in str(error.value)
    assert isinstance(error.value.__cause__, own_server_session.NotConnected)
