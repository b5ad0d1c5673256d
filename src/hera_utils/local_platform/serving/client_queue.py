"""Whose request is served next: that of the client that had least so far, and none takes all places, however much it asks for.

A client is a process: it is found out, once there is a queue, from the end of its connections; until then each connection is one.
(Kubernetes' API server has queues of flows for this, by user; here all are of one user.)
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
"""Between two looks at whose connections wait: each reads what all processes of the user have open."""
_MOST_KNOWN = 1000

Processes = Callable[[Collection[Connection]], dict[Connection, int]]


def own_users(connections: Collection[Connection]) -> dict[Connection, int]:
    return processes_of(connections, os.geteuid())


class Clients:
    """Which connections are of the same client. Used within one event loop, by several queues."""

    def __init__(self, processes: Processes = own_users) -> None:
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
        """Find out who waits, for as long as anybody does of whom it is not known."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        while unknown := {one for queue in self._queues for one in queue.connections() if one not in self._process_of}:
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
    """places: how many requests are served at the same time. each: how many of one client. Used within one event loop."""

    def __init__(self, places: int, each: int, clients: Clients) -> None:
        self._places, self._each, self._clients = places, each, clients
        clients.enter(self)
        self._waiting: list[_Waiting] = []
        self._served: list[Connection] = []
        self._used: dict[Hashable, float] = {}
        """Client → seconds that its requests took. Who comes anew begins with what was least, and gets no arrears."""
        self._least = 0.0

    @contextlib.asynccontextmanager
    async def turn(self, connection: Connection) -> AsyncIterator[None]:
        """The time in which a request is served: begins when it is its turn."""
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
        """Those that are served, or wait."""
        return {*self._served, *(one.connection for one in self._waiting)} if self._waiting else set()

    def _has_place(self, client: Hashable) -> bool:
        return len(self._served) < self._places and self._clients_served().count(client) < self._each

    def _may_begin(self, waiting: _Waiting) -> bool:
        return not waiting.called.done() and self._has_place(self._clients.of(waiting.connection))

    def _clients_served(self) -> list[Hashable]:
        return [self._clients.of(connection) for connection in self._served]

    def _has_used(self, client: Hashable) -> float:
        return max(self._used.get(client, 0.0), self._least)

    def call(self) -> None:
        """Give free places away."""
        while len(self._served) < self._places:
            may = [one for one in self._waiting if self._may_begin(one)]
            if not may:
                return
            first = min(may, key=lambda one: self._has_used(self._clients.of(one.connection)))
            self._least = self._has_used(self._clients.of(first.connection))
            if len(self._used) > _MOST_KNOWN:
                self._used = {client: used for client, used in self._used.items() if used > self._least}
            self._waiting.remove(first)
            self._served.append(first.connection)
            first.called.set_result(None)
