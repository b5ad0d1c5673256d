"""What both servers of this machine need of HTTP: bounded bodies, and replies that go on until their client leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, TypeVar, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hera_utils.argo.faults import INVALID_ARGUMENT, RESOURCE_EXHAUSTED
from hera_utils.errors import Refused
from hera_utils.local_platform.serving.client_queue import ClientQueue, Clients

log = logging.getLogger("hera_utils.server")

LARGEST_BODY = 32 * 2**20
"""Bytes of a request's body. Argo takes 100 MB; Kubernetes behind it 3 MiB."""
MOST_VALUES = 1_000_000
"""Numbers, texts, lists and maps of a body: each needs some hundred bytes as a value, however short it is written."""
MOST_DEPTH = 200
"""Levels of lists and maps in a body. Kubernetes takes 10,000; no object of its has thirty."""
_TOO_DEEP = "exceeded max depth"
MOST_QUERY = 10_000
"""Parameters in a URL: Go's own bound (urlmaxqueryparams)."""
_LONG, _LONG_YAML = 64 * 2**10, 2**10
"""Bytes of a body that is parsed beside the event loop: YAML takes some hundred times as long as JSON."""
_PARSED_AT_ONCE = 2
"""Bodies that are: each of their threads would have the event loop wait for its turn."""
_LARGE = 2**20
_LARGE_AT_ONCE = 2
"""Bodies of more bytes than _LARGE wait for each other: together they could need more memory than a server should have."""

_CHANGES_AT_ONCE = 8
"""Each has a thread while it waits for the controller. There are more threads: hundreds of changes delay nobody's `get`."""
_COMPUTED_AT_ONCE = 2
"""A list only computes, and so does what leaves out fields, a lint, and the choice of an event's bindings. Threads do that one after the
other: eight of them of large runs at once had the event loop wait for a second. Of one client it is one: the other place is another's.
"""

_PIECE = 2**16
"""Characters of an event that are given to a connection before its client has taken some."""
_WRITTEN_AT_ONCE = 8
"""Pieces that all streams of an application write before anybody else has a turn: each takes a tenth of a millisecond."""

Item = TypeVar("Item")


def raw_path_of(request: Request) -> str:
    """The path as it was sent, still percent-encoded."""
    raw: bytes = request.scope.get("raw_path") or b""
    return raw.decode("ascii", "replace").partition("?")[0] or request.url.path


def read_json(data: bytes) -> Any:
    """The JSON value in a request's body. As Go reads it: no NaN, no Infinity (nor a number that is as large), and whatever is no
    Unicode becomes U+FFFD (half a surrogate pair could be neither stored nor answered). Raises ValueError.
    """
    _check_size(data)
    text = data.decode("utf-8", "replace")
    try:
        value = json.loads(text, parse_constant=_not_json, parse_float=_number, parse_int=_number)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _check_depth(value)
    return _well_formed(value) if _SURROGATE.search(data) else value


def _check_size(data: bytes) -> None:
    """Raise ValueError when the text has too many values. Commas of texts do not count, but are counted before they are left out."""
    if _values(data) > MOST_VALUES and _values(_TEXT.sub(b"", data)) > MOST_VALUES:
        raise ValueError(f"the body has more than {MOST_VALUES} values")


def _check_depth(value: Any) -> None:
    """Raise ValueError when lists and maps are nested so deep that a function which calls itself for each level would fail."""
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            below
            for one in level
            if isinstance(one, (dict, list))
            for below in (one.values() if isinstance(one, dict) else one)
            if isinstance(below, (dict, list))
        ]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _values(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


_LARGEST_DIGITS = 308  # a number of more is none that a float can hold


def _number(text: str) -> int | float:
    if text.lstrip("-").isdecimal() and len(text) <= _LARGEST_DIGITS:
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


class Bodies:
    """The bodies of an application's requests: none is larger than LARGEST_BODY, few are large at the same time."""

    def __init__(self) -> None:
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._parsing = asyncio.Semaphore(_PARSED_AT_ONCE)

    async def parsed(self, parse: Callable[[bytes], Item], data: bytes, *, yaml: bool = False) -> Item:
        """What a function makes of a body: beside the event loop when that may take long."""
        if len(data) <= (_LONG_YAML if yaml else _LONG):
            return parse(data)
        async with self._parsing:
            return await asyncio.to_thread(parse, data)

    @contextlib.asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The request's body, for as long as it is worked on."""
        chunks: list[bytes] = []
        size, waited = 0, False
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > LARGEST_BODY:
                    raise Refused(
                        RESOURCE_EXHAUSTED,
                        f"the request is larger than {LARGEST_BODY} bytes",
                        reason="RequestEntityTooLarge",
                    )
                chunks.append(chunk)
                if size > _LARGE and not waited:
                    await self._large.acquire()
                    waited = True
            yield b"".join(chunks)
        finally:
            if waited:
                self._large.release()


class Lanes:
    """Which requests of an application wait for others of their kind before they get a thread."""

    def __init__(self) -> None:
        clients = Clients()
        self._changes = ClientQueue(_CHANGES_AT_ONCE, _CHANGES_AT_ONCE - 1, clients)
        self._lists, self._chosen, self._lints = (ClientQueue(_COMPUTED_AT_ONCE, 1, clients) for _ in range(3))

    def of(
        self, request: Request, *, change: bool, is_list: bool, chosen: bool = False, lint: bool = False
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """chosen: a run is asked for, or some fields of one object. lint: nothing but a computation, for a long time perhaps."""
        if lint:
            queue = self._lints
        elif change:
            queue = self._changes
        elif is_list or chosen:
            queue = self._lists if is_list else self._chosen
        else:
            return contextlib.nullcontext()
        return queue.turn((request.scope.get("client"), request.scope.get("server")))  # type: ignore[arg-type]


def query_of(request: Request) -> dict[str, str]:
    """The last value of each parameter of the URL. Raises Refused when there are too many."""
    if request.scope.get("query_string", b"").count(b"&") >= MOST_QUERY:
        raise Refused(INVALID_ARGUMENT, "number of URL query parameters exceeded limit", reason="BadRequest")
    return dict(request.query_params)


def pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """Texts as they are sent: small ones together, and never a large one at once, because its reader may not take it for hours."""
    small: list[str] = []
    size = 0
    for text in texts:
        if size + len(text) > _PIECE:
            yield _encoded("".join(small))
            small, size = [], 0
        if len(text) > _PIECE:
            yield from (_encoded(text[at : at + _PIECE]) for at in range(0, len(text), _PIECE))
        else:
            small.append(text)
            size += len(text)
    yield _encoded("".join(small))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class Pace:
    """Streams write a few pieces at a time: hundreds of them are due at the same moment, each with a megabyte."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_WRITTEN_AT_ONCE)

    async def turn(self) -> None:
        async with self._places:
            await asyncio.sleep(0)


class EventResponse(Response):
    """A reply that goes on until it ends or its client hangs up, whichever is first."""

    def __init__(self, content: AsyncIterator[bytes], headers: dict[str, str], pace: Pace) -> None:
        super().__init__(None, 200, headers)
        del self.headers["content-length"]
        self.content, self._pace = content, pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        tasks = {asyncio.ensure_future(self._send(send)), asyncio.ensure_future(until_disconnected(receive))}
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
                if chunk:
                    await self._pace.turn()
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await cast("Any", self.content).aclose()


async def until_disconnected(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


async def lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
