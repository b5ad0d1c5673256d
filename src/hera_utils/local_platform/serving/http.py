"""What both servers of this machine need of HTTP: bounded bodies, and replies that go on until their client leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import re
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hera_utils.argo.faults import RESOURCE_EXHAUSTED
from hera_utils.errors import Refused

log = logging.getLogger("hera_utils.server")

LARGEST_BODY = 64 * 2**20
"""Bytes of a request's body. Argo takes 100 MB; Kubernetes behind it 3 MiB."""

_MOST_WAITING = 1000
Item = TypeVar("Item")


def raw_path_of(request: Request) -> str:
    """The path as it was sent, still percent-encoded."""
    raw: bytes = request.scope.get("raw_path") or b""
    return raw.decode("ascii", "replace").partition("?")[0] or request.url.path


def read_json(data: bytes) -> Any:
    """The JSON value in a request's body. As Go reads it: no NaN, no Infinity (nor a number that is as large), and whatever is no
    Unicode becomes U+FFFD (half a surrogate pair could be neither stored nor answered). Raises ValueError or RecursionError.
    """
    text = data.decode("utf-8", "replace")
    value = json.loads(text, parse_constant=_not_json, parse_float=_number, parse_int=_number)
    return _well_formed(value) if _SURROGATE.search(data) else value


_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


_LARGEST_DIGITS = 308  # a number of more is none that a float can hold


def _number(text: str) -> int | float:
    if text.lstrip("-").isdigit() and len(text) <= _LARGEST_DIGITS:
        return int(text)
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return value


def _not_json(constant: str) -> Any:
    raise ValueError(f"invalid character '{constant[0]}' looking for beginning of value")


def _well_formed(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_well_formed(one) for one in value]
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(one) for key, one in value.items()}
    return value


_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")


def whole_number(text: str) -> int | None:
    """The 64 bit integer that a text is, as Go parses it; None for any other text (Python's int takes `²`, `1_0` and more)."""
    if _NUMBER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


async def read_body(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > LARGEST_BODY:
            raise Refused(
                RESOURCE_EXHAUSTED, f"the request is larger than {LARGEST_BODY} bytes", reason="RequestEntityTooLarge"
            )
        chunks.append(chunk)
    return b"".join(chunks)


class EventResponse(Response):
    """A reply that goes on until it ends or its client hangs up, whichever is first."""

    def __init__(self, content: AsyncIterator[bytes], headers: dict[str, str]) -> None:
        super().__init__(None, 200, headers)
        del self.headers["content-length"]
        self.content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        tasks = {asyncio.ensure_future(self._send(send)), asyncio.ensure_future(_until_disconnected(receive))}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            pass  # the server ends
        finally:
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                for outcome in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                        log.error("a stream ended badly", exc_info=outcome)

    async def _send(self, send: Send) -> None:
        try:
            async for chunk in self.content:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await cast("Any", self.content).aclose()


async def _until_disconnected(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


async def lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def from_thread(items: Iterator[Item]) -> AsyncIterator[list[Item]]:
    """What a blocking iterator yields, in batches, read by a thread of its own. The thread waits while too much is waiting, and
    leaves at the next item after the reader has left."""
    lock = threading.Condition()
    waiting: list[Item] = []
    state = {"over": False, "closed": False}
    failures: list[BaseException] = []
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        try:
            for item in items:
                with lock:
                    while len(waiting) >= _MOST_WAITING and not state["closed"]:
                        lock.wait()
                    if state["closed"]:
                        return
                    waiting.append(item)
                _call(loop, news.set)
        except BaseException as error:  # noqa: BLE001 - raised again for whoever reads
            failures.append(error)
        finally:
            state["over"] = True
            _call(loop, news.set)

    threading.Thread(target=read, name="reader", daemon=True).start()
    try:
        while True:
            await news.wait()
            news.clear()
            over = state["over"]
            with lock:
                batch, waiting[:] = list(waiting), []
                lock.notify_all()
            if batch:
                yield batch
            if over:
                if failures:
                    raise failures[0]
                return
    finally:
        with lock:
            state["closed"] = True
            lock.notify_all()


def _call(loop: asyncio.AbstractEventLoop, function: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)
