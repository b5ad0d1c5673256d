"""Bounds on what clients may cost by their connections, and by the heads and bodies of their requests."""

import asyncio
import contextlib
import json
import os
import socket
import ssl
import threading
from pathlib import Path

import pytest
import yaml

from hera_utils.argo import yaml_limits
from hera_utils.local_platform import daemon
from hera_utils.local_platform.serving import http
from hera_utils.local_platform.serving.connections import MOST_HEAD, MOST_HEADERS, OPEN_TO_ALL, Connections
from hera_utils.local_platform.serving.tls_or_plain import TlsOrPlain
from hera_utils.local_platform.socket_owner import end_uid, peer_uid

FOREIGNER = os.geteuid() + 1
TABLES = [Path("/proc/self/net/tcp")]


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    state = tmp_path_factory.mktemp("home") / "state"
    yield daemon.start_or_join(state)
    daemon.stop(state)


def address(known, which="argo_server"):
    host, port = known[which].partition("//")[2].split(":")
    return host, int(port)


def answer_to(known, head, rest=b"", which="argo_server"):
    """The first line of the server's answer; "" when it closes the connection."""
    text = head.replace(b"TOKEN", known["token"].encode())
    with socket.create_connection(address(known, which), timeout=60) as connection:
        with contextlib.suppress(OSError):  # the server may close the connection before everything is sent
            connection.sendall(text + rest)
        with contextlib.suppress(ConnectionError):
            return connection.recv(1000).split(b"\r\n")[0].decode()
    return ""


HEAD = b"GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer TOKEN\r\n"


@pytest.mark.parametrize("which", ["argo_server", "kubernetes"])
def test_a_head_has_a_bound_in_lines_and_bytes(known, which):
    path = HEAD if which == "argo_server" else HEAD.replace(b"/api/v1/version", b"/version")
    assert answer_to(known, path + b"X: y\r\n" * 900 + b"\r\n", which=which) == "HTTP/1.1 200 OK"
    for more in (b"X: y\r\n" * MOST_HEADERS, b"X: " + b"y" * (MOST_HEAD + 1) + b"\r\n"):
        assert answer_to(known, path + more, b"\r\n", which=which) in (
            "HTTP/1.1 431 Request Header Fields Too Large",
            "",
        )
    assert answer_to(known, path + b"X: y\r\n" * MOST_HEADERS + b"\r\n", which=which).startswith("HTTP/1.1 431 ")
    assert answer_to(known, path + b"\r\n", which=which) == "HTTP/1.1 200 OK"


def test_all_lines_of_one_header_are_read(known):
    """Event bindings see every value of a header."""
    body = b"{}"
    head = HEAD.replace(b"GET /api/v1/version", b"POST /api/v1/events/default/e") + b"X-A: 1\r\nx-a: 2\r\n"
    assert answer_to(known, head + b"Content-Length: %d\r\n\r\n" % len(body), body) == "HTTP/1.1 200 OK"


def test_a_query_has_as_many_parameters_as_go_allows(known):
    assert answer_to(known, HEAD.replace(b"version ", b"version?" + b"a=b&" * 9000 + b" ") + b"\r\n").endswith("200 OK")
    many = HEAD.replace(b"version ", b"version?" + b"a=b&" * 10_000 + b" ")
    assert answer_to(known, many + b"\r\n") == "HTTP/1.1 400 Bad Request"


def pair(listener):
    client = socket.create_connection(listener.getsockname())
    return client, listener.accept()[0]


def test_the_kernel_knows_whose_a_connection_is():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client, accepted = pair(listener)
        ends = accepted.getpeername(), accepted.getsockname()
        assert peer_uid(*ends) == peer_uid(*ends, TABLES) == os.geteuid()
        client.close()
        assert peer_uid(*ends) is peer_uid(*ends, TABLES) is None
        accepted.close()


def test_who_has_not_accepted_yet_is_the_one_who_listens():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()) as client:
            there, here = client.getpeername(), client.getsockname()
            for tables in (None, TABLES):
                assert end_uid(there, here, tables=tables) is None
                assert end_uid(there, here, awaited=True, tables=tables) == os.geteuid()
                assert end_uid(there, (here[0], 1), awaited=True, tables=tables) is None


class Ends:
    """Stands in for a socket whose client has this user id."""

    def __init__(self, user):
        self.user = user

    def getpeername(self):
        return self

    def getsockname(self):
        return None


def ledger(most):
    return Connections(most, lambda client, _: client.user)


def test_others_get_no_connection_once_a_few_are_open():
    connections, closed = ledger(OPEN_TO_ALL + 2), []
    for number in range(OPEN_TO_ALL):
        assert connections.admits(Ends(FOREIGNER))
        connections.wait(number, lambda number=number: closed.append(number))
    assert not connections.admits(Ends(FOREIGNER))
    for number in ("a", "b"):
        assert connections.admits(Ends(os.geteuid()))
        connections.wait(number, lambda: closed.append("mine"))
        connections.serve(number)
    assert closed == []
    assert connections.admits(Ends(os.geteuid()))  # the oldest connection without a request is closed for it
    assert closed == [0]


def test_connections_that_are_served_do_not_make_room():
    connections = ledger(OPEN_TO_ALL)
    for number in range(OPEN_TO_ALL):
        connections.wait(number, lambda: pytest.fail("it was being served"))
        connections.serve(number)
    assert not connections.admits(Ends(os.geteuid()))
    connections.leave(0)
    assert connections.admits(Ends(os.geteuid()))


def test_a_request_that_does_not_come_ends_its_connection(monkeypatch):
    connections, closed = ledger(1000), []
    connections.wait("early", lambda: closed.append("early"))
    connections.close_late()
    assert closed == []
    monkeypatch.setattr("hera_utils.local_platform.serving.connections.REQUEST_SECONDS", -1.0)
    connections.wait("served", lambda: closed.append("served"))
    connections.serve("served")
    connections.close_late()
    assert closed == ["early"]


def test_who_floods_the_port_does_not_keep_the_next_one_out():
    """With as many silent connections as allowed, the next one is answered, and silent ones are closed, the oldest first."""
    answered = []

    class Answer(asyncio.Protocol):
        def connection_made(self, transport):
            transport.write(b"welcome")

    async def serve():
        connections = Connections(OPEN_TO_ALL + 8)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        port = TlsOrPlain(listener, Answer, ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), 256, connections)

        def flood():
            silent = [socket.create_connection(listener.getsockname(), timeout=60) for _ in range(OPEN_TO_ALL + 20)]
            with socket.create_connection(listener.getsockname(), timeout=60) as mine:
                mine.sendall(b"x")
                answered.append(mine.recv(10))
            answered.append(silent[0].recv(1))
            for one in silent:
                one.close()

        await asyncio.to_thread(flood)
        port.close()
        listener.close()

    asyncio.run(serve())
    assert answered == [b"welcome", b""]


def test_a_body_has_a_bound_in_values_too():
    assert len(http.read_json(b"[" + b"1," * 900_000 + b"1]")) == 900_001
    with pytest.raises(ValueError, match="more than 1000000 values"):
        http.read_json(b"[" + b"[]," * 1_000_000 + b"1]")
    text = json.dumps({"a": 'x,"\\' * 1_100_000})
    assert len(http.read_json(text.encode())["a"]) == 4_400_000


def test_a_body_that_is_too_deep_is_an_error_of_its_sender():
    assert http.read_json(b"[" * 150 + b"]" * 150)
    for depth in (250, 900, 100_000):
        with pytest.raises((ValueError, RecursionError), match="depth"):
            http.read_json(b"[" * depth + b"]" * depth)


LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[" * 100_000, "max depth"),
        ("[" * 100_000 + "]" * 100_000, "max depth"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "max depth"),
        ("\n".join(" " * n + "a:" for n in range(2000)), "max depth"),
        (LAUGHS, "excessive aliasing"),
        ("- {a: b}\n" * 100_000, "too large"),
    ],
)
def test_yaml_has_bounds(text, complaint):
    """Nested lists used to crash the process, aliases to fill the memory, and large texts took minutes."""
    with pytest.raises(yaml.YAMLError, match=complaint):
        yaml_limits.parse(text)


def test_aliases_and_dates_are_read():
    assert yaml_limits.parse("a: &x [1, 2]\nb: *x\nc: 2020-01-01")["b"] == [1, 2]
    assert yaml_limits.parse("c: 2020-01-01") == {"c": "2020-01-01"}


def test_a_manifest_that_is_nested_without_end_does_not_end_the_server(known):
    import requests

    main = {"name": "m", "resource": {"action": "create", "manifest": "[" * 100_000}}
    url = f"{known['argo_server']}/api/v1/workflows/default"
    workflow = {"metadata": {"generateName": "deep-"}, "spec": {"entrypoint": "m", "templates": [main]}}
    headers = {"Authorization": f"Bearer {known['token']}"}
    answer = requests.post(url, json={"workflow": workflow}, headers=headers, timeout=60)
    assert (answer.status_code, answer.json()["message"]) == (
        400,
        "templates.m.resource.manifest must be a valid yaml",
    )


def test_large_bodies_wait_for_each_other():
    """More large bodies are sent than are read at the same time; all are answered."""

    async def application(scope, receive, send):
        from starlette.requests import Request
        from starlette.responses import Response

        async with bodies.read(Request(scope, receive)) as data:
            response = Response(str(len(data)))
        await response(scope, receive, send)

    bodies = http.Bodies()
    import requests
    from serving import served

    with served(application) as url:
        sizes = []
        threads = [
            threading.Thread(target=lambda: sizes.append(requests.post(url, data=b"x" * 3_000_000, timeout=60).text))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sizes == ["3000000"] * 6


def test_others_have_their_turn_while_many_streams_are_written():
    """A hundred watchers of a large run used to write a megabyte each in one round of the event loop: GET /version took over a second."""
    written = 0

    async def content():
        for _ in range(20):
            yield b"x"

    async def send(message):
        nonlocal written
        written += len(message.get("body", b""))

    async def never():
        await asyncio.Event().wait()

    async def between_rounds():
        pace = http.Pace()
        streams = [http.EventResponse(content(), {}, pace)({}, never, send) for _ in range(100)]
        all_of_them = asyncio.ensure_future(asyncio.gather(*streams))
        most = 0
        while not all_of_them.done():
            before = written
            await asyncio.sleep(0)
            most = max(most, written - before)
        return most

    assert 0 < asyncio.run(between_rounds()) <= 16
    assert written == 2000


def test_requests_behind_each_other_are_answered_in_their_order(known):
    """Two thousand on each of 200 connections used to cost the server a gigabyte, and made others wait for three seconds."""
    one = HEAD.replace(b"TOKEN", known["token"].encode()) + b"\r\n"
    other = one.replace(b"/api/v1/version", b"/api/v1/info")
    with socket.create_connection(address(known), timeout=60) as connection:
        connection.sendall((one + other) * 300)
        taken = b""
        while taken.count(b"HTTP/1.1 200") < 600:
            more = connection.recv(65536)
            assert more, taken[-200:]
            taken += more
    bodies = [part.partition(b"\r\n\r\n")[2] for part in taken.split(b"HTTP/1.1 200 OK")[1:]]
    assert all((b'"version"' in body) == (place % 2 == 0) for place, body in enumerate(bodies))


def test_no_connection_sends_requests_without_end_before_one_is_answered(known):
    """Requests behind a stream are not read, or the connection is closed."""
    follow = HEAD.replace(b"/api/v1/version", b"/api/v1/workflow-events/default")
    with socket.create_connection(address(known), timeout=5) as connection:
        connection.sendall(follow.replace(b"TOKEN", known["token"].encode()) + b"\r\n")
        sent = 0
        with contextlib.suppress(ConnectionError, TimeoutError):
            while sent < 40_000_000:
                sent += connection.send((HEAD + b"\r\n") * 10_000)
        assert sent < 40_000_000
