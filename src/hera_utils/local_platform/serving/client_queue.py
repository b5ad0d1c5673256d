"""Decides whose request is served next: the client that has used least so far is first, and no client takes all places.

A client is a process. Which process has a connection is looked up only when requests wait; until then each connection counts as a
client. (Kubernetes' API server has queues of flows for this, by user; here all clients are of one user.)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Collection, Hashable
from dataclasses import dataclass, field

from hera_utils.local_platform.socket_owner import Connection, processes_of

LOOK_SECONDS = 1.0
"""Pause between two look-ups of whose connections wait: each reads the open files of all the user's processes."""
_MOST_KNOWN = 1000

Processes = Callable[[Collection[Connection]], dict[Connection, int]]


def processes_of_own_user(connections: Collection[Connection]) -> dict[Connection, int]:
    """The process ids of this user's clients."""
    return processes_of(connections, os.geteuid())


class Clients:
    """Knows which connections are of the same client. Used within one event loop, by several queues."""

    def __init__(self, processes: Processes = processes_of_own_user) -> None:
        self._processes = processes
        self._process_of: dict[Connection, int] = {}
        self._queues: list[ClientQueue] = []
        self._looking: asyncio.Task[None] | None = None
        self._next_look = 0.0

    def enter(self, queue: ClientQueue) -> None:
        self._queues.append(queue)

    def of(self, connection: Connection) -> Hashable:
        return self._process_of.get(connection, connection)

    def find(self) -> None:
        """Look up the clients of connections, in the background, until those of all waiting requests are known."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        while unknown := {c for queue in self._queues for c in queue.connections() if c not in self._process_of}:
            if (rest := self._next_look - time.monotonic()) > 0:
                await asyncio.sleep(rest)
                continue
            if len(self._process_of) > _MOST_KNOWN:
                self._process_of.clear()
            self._process_of |= await asyncio.to_thread(self._processes, unknown)
            self._next_look = time.monotonic() + LOOK_SECONDS
            for queue in self._queues:
                queue.call()


@dataclass(eq=False)
class _Waiting:
    connection: Connection
    called: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class ClientQueue:
    """places: how many requests are served at the same time. each: how many of them one client may have. Used within one event loop."""

    def __init__(self, places: int, each: int, clients: Clients) -> None:
        self._places, self._each, self._clients = places, each, clients
        clients.enter(self)
        self._waiting: list[_Waiting] = []
        self._served: list[Connection] = []
        self._used: dict[Hashable, float] = {}
        """Client → seconds that its requests took. A new client begins with the least of those that wait: it has no advantage over them."""
        self._least = 0.0

    @contextlib.asynccontextmanager
    async def turn(self, connection: Connection) -> AsyncIterator[None]:
        """Serve a request in this context; it is entered when the request's turn comes."""
        if self._waiting or not self._has_place(self._clients.of(connection)):
            await self._wait(connection)
        else:
            self._served.append(connection)
        began = time.monotonic()
        try:
            yield
        finally:
            self._served.remove(connection)
            client = self._clients.of(connection)
            self._used[client] = self._has_used(client) + time.monotonic() - began
            self.call()

    async def _wait(self, connection: Connection) -> None:
        waiting = _Waiting(connection)
        self._waiting.append(waiting)
        self.call()
        self._clients.find()
        try:
            await waiting.called
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                self._served.remove(connection)
                self.call()
            raise

    def connections(self) -> set[Connection]:
        """The connections with a request that is served or waits; none as long as nothing waits."""
        return {*self._served, *(request.connection for request in self._waiting)} if self._waiting else set()

    def _has_place(self, client: Hashable) -> bool:
        return len(self._served) < self._places and self._clients_served().count(client) < self._each

    def _may_begin(self, waiting: _Waiting) -> bool:
        return not waiting.called.done() and self._has_place(self._clients.of(waiting.connection))

    def _clients_served(self) -> list[Hashable]:
        return [self._clients.of(connection) for connection in self._served]

    def _has_used(self, client: Hashable) -> float:
        return max(self._used.get(client, 0.0), self._least)

    def call(self) -> None:
        """Give free places to waiting requests."""
        while len(self._served) < self._places:
            ready = [request for request in self._waiting if self._may_begin(request)]
            if not ready:
                return
            first = min(ready, key=lambda request: self._has_used(self._clients.of(request.connection)))
            self._least = self._has_used(self._clients.of(first.connection))
            if len(self._used) > _MOST_KNOWN:
                self._used = {client: used for client, used in self._used.items() if used > self._least}
            self._waiting.remove(first)
            self._served.append(first.connection)
            first.called.set_result(None)
