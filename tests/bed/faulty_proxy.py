"""A TCP proxy that spoils what goes through it, one plan a connection: what lies between a researcher and a server."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

PAGE = b"<html><body>ingress</body></html>"


def answer(status: str, body: bytes = PAGE, kind: str = "text/html") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


class FaultyProxy:
    """plans: what happens to the next connections, first first; when there are none left `draw` says (else "pass").

    ("pass",) | ("cut", bytes of the answer that get through) | ("reset", the same, but ended by a reset) | ("cut-request",
    bytes of the request that get through) | ("life", seconds after which the connection ends) | ("stall", bytes of the
    answer, seconds that nothing comes then) | ("delay", seconds) | ("half-close",) | ("after", bytes: the request is
    forwarded, then this is answered instead) | ("instead", bytes: answered without asking the server)

    tls: (as the server, as a client) when both sides speak it. All but the last two plans then spoil what is encrypted, the
    handshake too, and the proxy sees none of it.
    """

    def __init__(self, target: str, tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None) -> None:
        parts = urlsplit(target)
        self.host, self.port, self.tls = str(parts.hostname), int(parts.port or 80), tls
        self.path = parts.path
        self.plans: list[tuple] = []
        self.draw: Callable[[], tuple] = lambda: ("pass",)
        self.connections = 0
        self.tasks: set[asyncio.Task | None] = set()  # the loop itself forgets one whose client has left
        self.url = ""

    async def serve(self, ready: threading.Event) -> None:
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self.handle, "127.0.0.1", 0)
        scheme = "https" if self.tls else "http"
        self.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}{self.path}"
        ready.set()
        async with server:
            await self.over.wait()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.tasks.add(task := asyncio.current_task())
        kind, *more = self.plans.pop(0) if self.plans else self.draw()
        there = None
        try:
            ends = kind in ("instead", "after")  # it is the proxy that speaks
            if self.tls is not None and ends:
                await writer.start_tls(self.tls[0])
            if kind == "instead":
                await reader.readuntil(b"\r\n\r\n")
                writer.write(more[0])
                await writer.drain()
                return
            if kind == "delay":
                await asyncio.sleep(more[0])
            secure = self.tls[1] if self.tls is not None and ends else None
            back, there = await asyncio.open_connection(self.host, self.port, ssl=secure)
            left = more[0] if kind == "cut-request" else None
            up = asyncio.ensure_future(self.forward(reader, there, left))
            if kind == "half-close":
                await asyncio.sleep(0.2)
                there.write_eof()
            try:
                await asyncio.wait_for(self.answer(back, writer, kind, more), more[0] if kind == "life" else None)
            finally:
                up.cancel()
        except (
            OSError,
            asyncio.IncompleteReadError,
            asyncio.TimeoutError,
            asyncio.CancelledError,
        ):  # cancelled: the test is over
            pass
        finally:
            self.tasks.discard(task)
            for one in (writer, there):
                if one is not None:
                    one.transport.abort() if kind == "reset" else one.close()

    async def answer(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: str, more: list) -> None:
        if kind == "after":
            await back.read(65536)
            writer.write(more[0])
            await writer.drain()
            return
        left = more[0] if kind in ("cut", "reset", "stall") else None
        while chunk := await back.read(65536 if left is None else min(65536, left) or 1):
            if left is not None:
                chunk, left = chunk[:left], left - len(chunk)
            writer.write(chunk)
            await writer.drain()
            if left is not None and left <= 0:
                if kind != "stall":
                    return
                await asyncio.sleep(more[1])
                left = None

    async def forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, left: int | None) -> None:
        while chunk := await source.read(65536):
            if left is not None:
                chunk, left = chunk[:left], left - len(chunk)
            target.write(chunk)
            await target.drain()
            if left is not None and left <= 0:
                target.close()
                return


@contextmanager
def faulty_proxy(target: str, tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None) -> Iterator[FaultyProxy]:
    proxy, ready = FaultyProxy(target, tls), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve(ready)), daemon=True)
    thread.start()
    assert ready.wait(5)
    yield proxy
    proxy.loop.call_soon_threadsafe(proxy.over.set)
    thread.join(5)
