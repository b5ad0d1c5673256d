"""HTTP helpers of both API servers: bounded bodies, and replies that last until their client disconnects."""

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
"""Numbers, texts, lists and maps of a body: each needs about a hundred bytes in memory, however short its text is."""
MOST_DEPTH = 200
"""Levels of lists and maps in a body. Kubernetes takes 10,000, but none of its objects has thirty."""
_TOO_DEEP = "exceeded max depth"
MOST_QUERY = 10_000
"""Parameters in a URL: Go's own bound (urlmaxqueryparams)."""
_LONG, _LONG_YAML = 64 * 2**10, 2**10
"""Bodies with more bytes (of JSON, of YAML) are parsed in a thread: YAML takes about a hundred times as long as JSON."""
_PARSED_AT_ONCE = 2
"""Bodies that are parsed in threads at the same time: each thread delays the event loop."""
_LARGE = 2**20
_LARGE_AT_ONCE = 2
"""How many bodies of more than _LARGE bytes are read at the same time: together they could need more memory than a server should have."""

_CHANGES_AT_ONCE = 8
"""Changes that wait for the controller at the same time, each in a thread. There are more threads, so that hundreds of changes delay no
`get`."""
_COMPUTED_AT_ONCE = 2
"""Lists only compute, and so do requests that leave out fields, lints, and the choice of an event's bindings. Python's threads compute
one after the other: eight of them for large runs made the event loop wait for a second. One client has at most one of these places.
"""

_PIECE = 2**16
"""Characters of an event that are written to a connection at once."""
_WRITTEN_AT_ONCE = 8
"""Pieces that all streams of an application write before other requests have a turn: each takes a tenth of a millisecond."""

Item = TypeVar("Item")


def raw_path_of(request: Request) -> str:
    """The path as the client sent it, still percent-encoded."""
    raw: bytes = request.scope.get("raw_path") or b""
    return raw.decode("ascii", "replace").partition("?")[0] or request.url.path


def read_json(data: bytes) -> Any:
    """The JSON value in a request's body, read as Go does: NaN, Infinity and numbers beyond a float are errors, and invalid Unicode becomes
    U+FFFD (half a surrogate pair could be neither stored nor sent). Raises ValueError, also when there are too many values or levels.
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
    """Raise ValueError when the body has too many values. They are counted first with the commas inside texts, and only if those are too
    many, without them.
    """
    if _values(data) > MOST_VALUES and _values(_TEXT.sub(b"", data)) > MOST_VALUES:
        raise ValueError(f"the body has more than {MOST_VALUES} values")


def _check_depth(value: Any) -> None:
    """Raise ValueError when lists and maps are nested so deeply that a recursive function would fail."""
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def _values(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


_LARGEST_DIGITS = 308  # a float cannot hold a number with more digits


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
        return [_well_formed(item) for item in value]
    if isinstance(value, dict):
        return {_well_formed(key): _well_formed(item) for key, item in value.items()}
    return value


class Bodies:
    """Reads the bodies of an application's requests: none is larger than LARGEST_BODY, and only a few are large at the same time."""

    def __init__(self) -> None:
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._parsing = asyncio.Semaphore(_PARSED_AT_ONCE)

    async def parsed(self, parse: Callable[[bytes], Item], data: bytes, *, yaml: bool = False) -> Item:
        """Parse a body, in a thread when that may take long."""
        if len(data) <= (_LONG_YAML if yaml else _LONG):
            return parse(data)
        async with self._parsing:
            return await asyncio.to_thread(parse, data)

    @contextlib.asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """The request's body. A large one counts as such until the context ends. Raises Refused when it is larger than LARGEST_BODY."""
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
        """The context in which a request is served. chosen: it asks for a run, or for some fields of one object. lint: it only computes,
        perhaps for a long time.
        """
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
    """The last value of each parameter of the URL. Raises Refused when there are more than MOST_QUERY."""
    if request.scope.get("query_string", b"").count(b"&") >= MOST_QUERY:
        raise Refused(INVALID_ARGUMENT, "number of URL query parameters exceeded limit", reason="BadRequest")
    return dict(request.query_params)


def encode_in_pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """Texts encoded for sending: small ones are joined, and large ones are split, because their reader may not take them for hours."""
    small: list[str] = []
    size = 0
    for text in texts:
        if size + len(text) > _PIECE:
            yield _encode("".join(small))
            small, size = [], 0
        if len(text) > _PIECE:
            yield from (_encode(text[at : at + _PIECE]) for at in range(0, len(text), _PIECE))
        else:
            small.append(text)
            size += len(text)
    yield _encode("".join(small))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


class Pace:
    """Lets streams write only a few pieces at a time: hundreds of streams may be due at the same moment, each with a megabyte."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(_WRITTEN_AT_ONCE)

    async def turn(self) -> None:
        async with self._places:
            await asyncio.sleep(0)


class EventResponse(Response):
    """A reply that lasts until its content ends or its client disconnects, whichever is first."""

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
            pass  # the server is stopping
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
