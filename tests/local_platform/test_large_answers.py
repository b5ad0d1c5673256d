"""Answers that nobody reads: few are kept in memory, their clients are disconnected, and clients that read are served meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import requests
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from test_server_streams import HEADERS, submit

from hera_utils.local_platform.argo_api import answers
from hera_utils.local_platform.serving import large_answers
from hera_utils.local_platform.serving.large_answers import ABORT, LARGE, LargeAnswers

SIZE = 10 * LARGE


class Client:
    """A client that reads nothing until the test lets it."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.aborted = False
        self.size = 0

    async def send(self, message) -> None:
        if message["type"] == "http.response.body" and self.size:
            await self.reads.wait()
        self.size += len(message.get("body", b""))

    def scope(self):
        return {"type": "http", "extensions": {ABORT: lambda: setattr(self, "aborted", True)}}


class Place:
    """An application with room for three answers."""

    def __init__(self) -> None:
        self.answers, self.computed = LargeAnswers(3 * SIZE), 0

    async def _compute(self, size) -> Response:
        self.computed += 1
        return Response(b"x" * size)

    async def ask(self, client: Client, size: int = SIZE, *, change: bool = False) -> None:
        lane = contextlib.nullcontext
        answer = await self.answers.answer(lane, lambda: self._compute(size), change=change)
        await answer(client.scope(), None, client.send)


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def test_few_answers_are_held_small_ones_do_not_wait_and_each_has_its_turn(monkeypatch):
    monkeypatch.setattr(large_answers, "_TICK", 60.0)

    async def go():
        place, clients = Place(), [Client() for _ in range(8)]
        tasks = [asyncio.ensure_future(place.ask(one)) for one in clients]
        await settled()
        assert [bool(one.size) for one in clients] == [True] * 3 + [False] * 5
        small = Client()
        await asyncio.wait_for(place.ask(small, 10), 5)
        assert small.size == 10
        for one in clients:
            one.reads.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
        assert {one.size for one in clients} == {SIZE}
        # A waiting request that is woken computes once, not all of them each time one ends.
        assert place.computed <= 1 + 2 * len(clients)

    asyncio.run(go())


def test_what_changes_something_is_done_once_and_an_answer_larger_than_the_room_comes_too(monkeypatch):
    monkeypatch.setattr(large_answers, "_TICK", 60.0)

    async def go():
        place, clients = Place(), [Client() for _ in range(5)]
        tasks = [asyncio.ensure_future(place.ask(one, 4 * SIZE, change=True)) for one in clients]
        await settled()
        assert [bool(one.size) for one in clients] == [True] + [False] * 4
        for one in clients:
            one.reads.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
        assert place.computed == len(clients)
        assert {one.size for one in clients} == {4 * SIZE}

    asyncio.run(go())


def test_who_takes_nothing_makes_room(monkeypatch):
    monkeypatch.setattr(large_answers, "_TICK", 0.01)
    monkeypatch.setattr(large_answers, "SHORT_UNREAD_SECONDS", 0.05)

    async def go():
        place, silent, reader = Place(), [Client() for _ in range(9)], Client()
        reader.reads.set()
        asked = [*silent, reader]
        await asyncio.wait_for(asyncio.gather(*(place.ask(one) for one in asked[:-1]), place.ask(reader)), 20)
        assert all(client.aborted for client in silent[:6])  # nobody waits for the room of the last ones
        assert reader.size == SIZE

    monkeypatch.setattr(large_answers, "UNREAD_SECONDS", 0.2)
    asyncio.run(go())


def test_a_connection_that_takes_nothing_is_ended_by_the_server(url, platform, monkeypatch):
    monkeypatch.setattr(large_answers, "_TICK", 0.05)
    monkeypatch.setattr(large_answers, "UNREAD_SECONDS", 0.2)
    monkeypatch.setattr(large_answers, "SHORT_UNREAD_SECONDS", 0.2)
    spec = {"entrypoint": "m", "arguments": {"parameters": [{"name": "x", "value": "x" * 20_000_000}]}}
    platform.put(
        "Workflow", {"metadata": {"name": "large", "namespace": "argo", "uid": "u-large"}, "spec": spec, "status": {}}
    )
    host, port = url.removeprefix("http://").split(":")
    head = f"GET /api/v1/workflows/argo/large HTTP/1.1\r\nHost: localhost\r\nAuthorization: {HEADERS['Authorization']}\r\n\r\n"
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        silent.connect((host, int(port)))
        silent.sendall(head.encode())
        answer = requests.get(f"{url}/api/v1/workflows/argo/large", headers=HEADERS, timeout=30)
        assert json.loads(answer.text)["spec"] == spec
        time.sleep(1.0)
        received = b"-"
        total = 0
        with contextlib.suppress(ConnectionResetError):
            while received:
                received = silent.recv(1 << 20)
                total += len(received)
        assert total < 15_000_000


def test_of_a_large_list_few_runs_are_read_before_its_client_takes_them(url, platform, monkeypatch):
    for number in range(30):
        submit(platform, f"run-{number}")
    address = f"{url}/api/v1/workflows/argo"
    whole = requests.get(address, headers=HEADERS, timeout=10)
    chosen = requests.get(f"{address}?fields=items.metadata.name", headers=HEADERS, timeout=10).json()
    monkeypatch.setattr(answers, "LARGEST", 1000)
    parts = requests.get(address, headers=HEADERS, timeout=10)
    assert parts.json() == whole.json()
    assert len(parts.json()["items"]) == 30
    assert [set(whole.headers), set(parts.headers)] == [
        {*parts.headers, "content-length"} - {"transfer-encoding"},
        set(parts.headers),
    ]
    assert requests.get(f"{address}?fields=items.metadata.name", headers=HEADERS, timeout=10).json() == chosen

    assert json.loads(answers.list_reply({}, [], None).json) == {"items": None}


class Reader(Client):
    """A client that reads everything, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = b""

    async def send(self, message) -> None:
        self.taken += message.get("body", b"")

    async def receive(self):
        await asyncio.Event().wait()


class Listed:
    """A list of `count` items of SIZE bytes; counts how often items were made."""

    def __init__(self, threads, count=6) -> None:
        self.made = 0
        self.threads, self.items = threads, [self._make] * count

    def _make(self):
        self.made += 1
        return json.dumps({"name": "x" * SIZE})

    async def ask(self, place, client, receive) -> None:
        async def compute():
            return answers.list_reply({"metadata": {}}, self.items, self.threads)

        answer = await place.answers.answer(contextlib.nullcontext, compute, change=False)
        await answer(client.scope(), receive, client.send)


async def never():
    await asyncio.Event().wait()


def test_the_items_of_a_large_list_count_as_answers(monkeypatch):
    """Three hundred clients that asked for a list of runs of 15 MB used to hold one run each, and all earlier ones."""
    monkeypatch.setattr(answers, "LARGEST", SIZE)
    monkeypatch.setattr(large_answers, "_TICK", 60.0)

    async def go(threads):
        place, listed, clients = Place(), Listed(threads), [Client() for _ in range(30)]
        tasks = [asyncio.ensure_future(listed.ask(place, one, never)) for one in clients]
        for _ in range(100):
            await asyncio.sleep(0.01)
        assert place.answers._size <= 3 * (SIZE + 100)
        assert listed.made < 30 * 4
        for one in clients:
            one.reads.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 60)
        assert {one.size > 6 * SIZE for one in clients} == {True}
        assert place.answers._size == 0
        reader = Reader()
        await listed.ask(place, reader, never)
        assert [len(one["name"]) for one in json.loads(reader.taken)["items"]] == [SIZE] * 6

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(go(threads))


def test_nothing_is_made_for_a_client_that_has_gone(monkeypatch):
    monkeypatch.setattr(answers, "LARGEST", SIZE)
    monkeypatch.setattr(large_answers, "_WAITED", -1.0)

    async def gone():
        return {"type": "http.disconnect"}

    async def is_gone():
        return True

    async def go(threads):
        place, listed = Place(), Listed(threads)
        await listed.ask(place, Reader(), gone)
        assert listed.made <= 3  # two items were made before the list was known to be large
        with contextlib.suppress(ClientDisconnect):
            await place.answers.answer(contextlib.nullcontext, lambda: place._compute(1), change=False, is_gone=is_gone)
        assert place.computed == 0

    with ThreadPoolExecutor(1) as threads:
        asyncio.run(go(threads))
