"""No client waits for all requests of another client."""

import asyncio
import os
import socket
import subprocess
import sys
from types import SimpleNamespace

import pytest

from hera_utils.local_platform.serving import client_queue
from hera_utils.local_platform.serving.client_queue import ClientQueue, Clients
from hera_utils.local_platform.socket_owner import processes_of

SERVER = ("127.0.0.1", 1)


class Place:
    """A queue whose requests are served until the test ends them. The name of a connection is its client and a number."""

    def __init__(self, places=2, each=1):
        self.looks = 0
        self.queue = ClientQueue(places, each, Clients(self.processes))
        self.begun, self.ends, self.tasks = [], {}, {}

    def processes(self, connections):
        self.looks += 1
        return {one: ord(one[0][0]) for one in connections if one[0][0] != "?"}

    async def ask(self, client, number, seconds=0.0):
        async with self.queue.turn(((client, number), SERVER)):
            self.begun.append(f"{client}{number}")
            await self.ends[f"{client}{number}"].wait()
            self.now += seconds

    def come(self, client, number, seconds=0.0):
        name = f"{client}{number}"
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.ensure_future(self.ask(client, number, seconds))

    now = 0.0


async def settled():
    for _ in range(5):
        await asyncio.sleep(0.01)  # clients are looked up in a thread


@pytest.fixture
def play(monkeypatch):
    """Runs a test with a Place and a simulated clock."""

    def run(story, **how):
        async def go():
            place = Place(**how)
            monkeypatch.setattr(client_queue, "time", SimpleNamespace(monotonic=lambda: place.now))
            await story(place)
            for task in place.tasks.values():
                task.cancel()
            await asyncio.gather(*place.tasks.values(), return_exceptions=True)

        monkeypatch.setattr(client_queue, "LOOK_SECONDS", 0.0)
        asyncio.run(go())

    return run


def test_a_client_that_comes_later_does_not_wait_behind_the_requests_of_another(play):
    async def story(place):
        for number in range(30):
            place.come("a", number, seconds=3.0)
        await settled()
        place.come("b", 0)
        place.come("b", 1)
        await settled()
        assert place.begun == ["a0", "a1"]  # the queue did not know yet that both are of one client
        place.ends["a0"].set()
        await settled()
        assert place.begun[2:] == ["b0"]
        place.ends["b0"].set()
        await settled()
        assert place.begun[2:] == ["b0", "b1"]

    play(story)


def test_no_client_has_all_places(play):
    async def story(place):
        for number in range(8):
            place.come("a", number, seconds=1.0)
        await settled()
        for name in ("a0", "a1", "a2"):
            place.ends[name].set()
            await settled()
        assert place.begun == ["a0", "a1", "a2", "a3"]
        place.come("b", 0)
        await settled()
        assert place.begun[4:] == ["b0"], "at once: a place was free"

    play(story)


def test_who_had_least_is_served_next(play):
    async def story(place):
        place.come("a", 0, seconds=1.0)
        for number in range(1, 20):
            for client, seconds in (("a", 1.0), ("b", 3.0)):
                place.come(client, number, seconds)
                place.ends[f"{client}{number}"].set()
        await settled()  # the clients are known now
        place.ends["a0"].set()
        await settled()
        clients = [name[0] for name in place.begun]
        assert 7 < clients[:20].count("a") - clients[:20].count("b") < 13
        assert len(clients) == 39

    play(story, places=1)


def test_a_request_that_is_given_up_gives_its_place_away(play):
    async def story(place):
        for number in range(3):
            place.come("?", number)
        await settled()
        place.come("?", 3)
        await settled()
        place.tasks["?2"].cancel()
        place.tasks["?0"].cancel()
        await settled()
        assert place.begun == ["?0", "?1", "?3"]
        place.ends["?1"].set()  # the request's turn comes, and it is cancelled at the same moment
        place.come("?", 4)
        await settled()
        assert place.begun[3:] == ["?4"]

    play(story)


def test_without_a_queue_nobody_looks_whose_a_connection_is(play):
    async def story(place):
        for number in range(50):
            place.come("a", number)
            place.ends[f"a{number}"].set()
            await place.tasks[f"a{number}"]
        assert not place.looks

    play(story)


CLIENT = """
import socket, sys
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(3)]
print(*[one.getsockname()[1] for one in held], flush=True)
sys.stdin.read()
"""


def test_connections_of_one_process_are_known_as_such():
    with socket.create_server(("127.0.0.1", 0)) as server:
        at = server.getsockname()
        clients = [
            subprocess.Popen(
                [sys.executable, "-c", CLIENT, str(at[1])], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        try:
            ports = {client.pid: list(map(int, client.stdout.readline().split())) for client in clients}
            accepted = [server.accept()[0] for _ in range(6)]
            expected = {(("127.0.0.1", port), at): pid for pid, of in ports.items() for port in of}
            found = processes_of([*expected, (("127.0.0.1", 9), at)], os.geteuid())
            for one in accepted:
                one.close()
            assert found == expected
        finally:
            for client in clients:
                client.communicate("")
