"""A TCP proxy that spoils what goes through it, one plan a connection: what lies between a researcher and a server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

PAGE = b"<html><body>ingress</body></html>"


def answer(status: str, body: bytes = PAGE, kind: str = "text/html") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


class FaultyProxy:
    """plans: what happens to the next connections, first first; "pass" when there are none left.

    ("pass",) | ("cut", bytes of the answer that get through) | ("after", bytes: the request is forwarded, then this is answered
    instead) | ("instead", bytes: answered without asking the server) | ("delay", seconds) | ("half-close",)
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self.host, self.port = str(parts.hostname), int(parts.port or 80)
        self.plans: list[tuple] = []
        self.connections = 0
        self.url = ""

    async def serve(self, ready: threading.Event) -> None:
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self.handle, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        async with server:
            await self.over.wait()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        kind, *more = self.plans.pop(0) if self.plans else ("pass",)
        there = None
        try:
            if kind == "instead":
                await reader.readuntil(b"\r\n\r\n")
                writer.write(more[0])
                await writer.drain()
                return
            if kind == "delay":
                await asyncio.sleep(more[0])
            back, there = await asyncio.open_connection(self.host, self.port)
            up = asyncio.ensure_future(self.forward(reader, there))
            if kind == "half-close":
                await asyncio.sleep(0.2)
                there.write_eof()
            try:
                await self.answer(back, writer, kind, more)
            finally:
                up.cancel()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for one in (writer, there):
                if one is not None:
                    one.close()

    async def answer(self, back: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: str, more: list) -> None:
        if kind == "after":
            await back.read(65536)
            writer.write(more[0])
            await writer.drain()
            return
        left = more[0] if kind == "cut" else None
        while chunk := await back.read(65536 if left is None else min(65536, left) or 1):
            if left is not None:
                chunk, left = chunk[:left], left - len(chunk)
            writer.write(chunk)
            await writer.drain()
            if left is not None and left <= 0:
                return

    async def forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            target.write(chunk)
            await target.drain()


@contextmanager
def faulty_proxy(target: str) -> Iterator[FaultyProxy]:
    proxy, ready = FaultyProxy(target), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(proxy.serve(ready)), daemon=True)
    thread.start()
    assert ready.wait(5)
    yield proxy
    proxy.loop.call_soon_threadsafe(proxy.over.set)
    thread.join(5)
