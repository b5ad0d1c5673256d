"""Bounds on what a client may cost by its connections alone: their number, how slowly a request may arrive, how large its head may be.

The server needs its file descriptors for the user's runs. Other users of the machine, who have no token, get no connection once a few
are open (root does); when even the user's own are too many, one that has not sent a whole request is closed to make room for the next.
Go's server has the same bound on a request's head; Argo's limits the calls per second, which would not help here.
"""

from __future__ import annotations

import os
import resource
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hera_utils.local_platform.serving.large_answers import ABORT
from hera_utils.local_platform.socket_owner import Address, peer_uid

MOST_HEAD = 2**20
"""Bytes of a request's line and headers: Go's DefaultMaxHeaderBytes."""
MOST_HEADERS = 1000
"""Header lines of a request: each costs some microseconds before the request's credentials can be checked."""
MOST_UNPARSED = 256 * 2**10
"""Bytes of requests that a connection may send while an earlier one is not answered yet (pipelining)."""
_PARSED_AT_ONCE = 4096
"""Bytes. A parsed request that waits needs twenty times its own size, and hundreds of them a tenth of a second: they wait unparsed."""
REQUEST_SECONDS = 80.0
"""Time within which a whole request has to arrive (uvicorn closes an idle kept-alive connection sooner)."""
OPEN_TO_ALL = 64
"""Connections that are accepted from anybody; beyond them, only those of this user and of root are."""
_ROOT = 0
_LARGEST = 1000


def most_connections() -> int:
    """Half of the descriptors that this process may have, at most 1000: runs need the rest."""
    return max(OPEN_TO_ALL, min(resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2, _LARGEST))


class Connections:
    """The open connections of a server's ports, and which of them have not yet sent a whole request. Used within one event loop.

    owner: gives the user id of the client of a connection (its address, ours), or None.
    """

    def __init__(
        self,
        most: int | None = None,
        owner: Callable[[Address, Address], int | None] = peer_uid,
    ) -> None:
        self._most = most_connections() if most is None else most
        self._owner, self._users = owner, {os.geteuid(), _ROOT}
        self._all: set[Hashable] = set()
        self._waiting: OrderedDict[Hashable, tuple[float, Callable[[], object]]] = OrderedDict()

    def admits(self, connection: socket.socket) -> bool:
        """Whether a connection that was just opened is accepted; the oldest one without a request may be closed for it."""
        if len(self._all) < OPEN_TO_ALL:
            return True
        try:
            owner = self._owner(connection.getpeername(), connection.getsockname())
        except OSError:
            return False  # the client has already disconnected
        if owner is not None and owner not in self._users:
            return False
        if len(self._all) < self._most:
            return True
        return self._close_oldest()

    def wait(self, who: Hashable, close: Callable[[], object]) -> None:
        """A connection is open and has sent no whole request. close: called when the connection has to be closed."""
        self._all.add(who)
        self._waiting.pop(who, None)
        self._waiting[who] = (time.monotonic(), close)

    def serve(self, who: Hashable) -> None:
        """A connection has sent a whole request."""
        self._waiting.pop(who, None)

    def leave(self, who: Hashable) -> None:
        self._waiting.pop(who, None)
        self._all.discard(who)

    def close_late(self) -> None:
        """Close the connections whose request did not arrive within REQUEST_SECONDS."""
        until = time.monotonic() - REQUEST_SECONDS
        while self._waiting and next(iter(self._waiting.values()))[0] < until:
            self._close_oldest()

    def _close_oldest(self) -> bool:
        if not self._waiting:
            return False
        who, (_, close) = self._waiting.popitem(last=False)
        self._all.discard(who)
        close()
        return True


class BoundedHttp(HttpToolsProtocol):  # type: ignore[misc]
    """uvicorn's protocol, with bounds on a request's head and on pipelined requests. It reports its state to the Connections."""

    def __init__(self, *args: Any, ledger: Connections, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ledger = ledger
        self._head = self._read = 0  # bytes received since a request began; bytes of its headers
        self._in_head = True
        self._too_large = False
        self._unparsed = b""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._ledger.wait(self, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ledger.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if len(self._unparsed) + len(data) > MOST_UNPARSED and self.pipeline:
            self._unparsed = b""
            self.transport.abort()
            return
        data, self._unparsed = self._unparsed + data, b""
        for at in range(0, len(data), _PARSED_AT_ONCE):
            if self.transport.is_closing():
                return
            if self.pipeline:
                self._unparsed = data[at:]
                return
            self._parse(data[at : at + _PARSED_AT_ONCE])

    def _parse(self, data: bytes) -> None:
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > MOST_HEAD and not self.transport.is_closing():
            self._refuse_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._too_large, self._read = True, False, 0
        self.scope["extensions"] = {ABORT: self.transport.abort}

    def on_header(self, name: bytes, value: bytes) -> None:
        self._read += len(name) + len(value) + 4
        if len(self.headers) < MOST_HEADERS and self._read <= MOST_HEAD:
            super().on_header(name, value)
        else:
            self._too_large = True

    def on_headers_complete(self) -> None:
        self._in_head, self._head = False, 0
        if self._too_large:
            self._refuse_head()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._too_large:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._too_large:
            self._ledger.serve(self)
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if (self.cycle.response_complete or self.cycle.more_body) and not self.transport.is_closing():
            self._ledger.wait(self, self.transport.abort)
        if self._unparsed and not self.pipeline:
            self.data_received(b"")

    def _refuse_head(self) -> None:
        """Answer 431 with the text of Go's server, and close the connection."""
        self._too_large = True
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Connection: close\r\n\r\n431 Request Header Fields Too Large"
        )
        cast("Any", self.transport).close()
