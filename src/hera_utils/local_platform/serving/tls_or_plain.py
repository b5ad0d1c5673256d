"""One port that speaks plain HTTP or TLS, depending on how a client begins.

Scripts write `f"https://{os.environ['ARGO_SERVER']}"`, as a cluster's Argo server requires. The first byte of a connection distinguishes
a TLS handshake from HTTP's letters; it is peeked at once, when it arrives.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Callable
from functools import partial

from hera_utils.local_platform.serving.connections import Connections

_HANDSHAKE = 0x16
"""The first byte of a TLS record that begins a handshake (RFC 8446, 5.1)."""
_AT_ONCE = 100  # connections that are accepted before other work of the event loop has its turn
_PAUSE = 1.0  # seconds, when there are no descriptors left for another connection
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class TlsOrPlain:
    """Accepts connections of a listening socket. protocol: creates the HTTP protocol of a connection. context: None for a port without TLS.

    connections: the register of all ports' connections. Used within its event loop.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
        backlog: int,
        connections: Connections,
    ) -> None:
        self._listener, self._protocol, self._context = listener, protocol, context
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._silent: set[socket.socket] = set()
        self._beginning: set[asyncio.Task[None]] = set()
        self._closed = False
        listener.setblocking(False)
        listener.listen(backlog)
        self._listen()

    def close(self) -> None:
        """Accept no more connections. Open ones are closed by their protocol."""
        self._closed = True
        self._loop.remove_reader(self._listener)
        for connection in list(self._silent):
            self._drop(connection)

    async def wait_closed(self) -> None:
        """Wait until the connections whose handshake was in progress at `close` are open or have failed."""
        await asyncio.gather(*self._beginning)

    def _listen(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_DESCRIPTORS:
                    raise
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_PAUSE, self._listen)
                return
            if not self._connections.admits(connection):
                connection.close()
                continue
            connection.setblocking(False)
            self._silent.add(connection)
            self._connections.wait(connection, partial(self._drop, connection))
            self._loop.add_reader(connection, self._look, connection)

    def _look(self, connection: socket.socket) -> None:
        """The connection's first byte has arrived, or its client has closed it."""
        try:
            first = connection.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        if not first:
            self._drop(connection)
            return
        self._loop.remove_reader(connection)
        self._silent.discard(connection)
        beginning = self._loop.create_task(self._begin(connection, first[0] == _HANDSHAKE))
        self._connections.wait(connection, beginning.cancel)
        self._beginning.add(beginning)
        beginning.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket, secure: bool) -> None:
        # A failed handshake is not an error of the server: the client notices it, and the connection is closed.
        try:
            with contextlib.suppress(OSError, ssl.SSLError):
                context = self._context if secure else None
                await self._loop.connect_accepted_socket(self._protocol, connection, ssl=context)
        finally:
            # Its protocol has registered itself instead, or the connection is closed.
            self._connections.leave(connection)

    def _drop(self, connection: socket.socket) -> None:
        """Close a connection on which nothing has arrived."""
        self._loop.remove_reader(connection)
        self._silent.discard(connection)
        self._connections.leave(connection)
        connection.close()
