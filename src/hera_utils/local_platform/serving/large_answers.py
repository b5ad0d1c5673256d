"""Bounds the memory of large answers that their clients have not received yet, and disconnects clients that read nothing.

An answer is computed, and held in memory until its last piece is sent. Hundreds of clients that ask for a large run and never read
would hold hundreds of copies. So a large answer for which there is no room is thrown away, and computed again when there is; small
answers never wait. (Go's servers write an answer while they compute it, and their lists are bounded by pages.)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hera_utils.local_platform.serving.http import until_disconnected

LARGE = 2**16
"""Answers with more bytes count."""
MOST = 64 * 2**20
"""Bytes of all large answers that are not sent yet; a single one may have more."""
UNREAD_SECONDS = 60.0
"""Seconds after which a client that reads nothing of its answer is disconnected."""
SHORT_UNREAD_SECONDS = 5.0
"""The same while other requests wait for room."""
ABORT = "hera-utils.abort"
"""The ASGI scope's extension that closes the connection at once."""
_TICK = 1.0
_WAITED = 0.5
"""A request that has waited longer than these seconds is computed only if its client is still connected."""
Answer = TypeVar("Answer")
Item = Callable[[], "str | None"]
"""Gives the text of an item of a list at each call; None when the item has been deleted."""


class LargeAnswers:
    """The answers of one application. Used within its event loop."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._size = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def answer(
        self,
        lane: Callable[[], contextlib.AbstractAsyncContextManager[None]],
        compute: Callable[[], Awaitable[Answer]],
        *,
        change: bool,
        is_gone: Callable[[], Awaitable[bool]] | None = None,
    ) -> Answer | Response:
        """The answer that `compute` gives within the lane, when there is room for it. change: it cannot be computed twice, so it waits for
        room in its lane.

        is_gone: whether the client has disconnected. If so, after a wait nothing is computed for it and ClientDisconnect is raised.
        """
        now = asyncio.get_running_loop().time
        began = now()
        while True:
            async with lane():
                if is_gone is not None and not change and now() - began > _WAITED and await is_gone():
                    self._wake()
                    raise ClientDisconnect
                try:
                    computed = await compute()
                except BaseException:
                    self._wake()  # this request needs no room, so the next one may try
                    raise
                while change and not self._fits(computed):
                    await self._room()
            if self._fits(computed):
                # There may be room for another answer as well. If that one does not fit, it waits until an answer has been sent.
                self._wake()
                if isinstance(computed, ItemizedAnswer):
                    computed.answers = self
                elif isinstance(computed, Response) and _size(computed) > LARGE:
                    return _LargeAnswer(computed, self)
                return computed
            del computed
            await self._room()

    def _fits(self, computed: object) -> bool:
        return self._has_room(_size(computed))

    async def take_item(self, make: Callable[[], Awaitable[str | None]]) -> str | None:
        """The text of an item, counted until `leave`. As long as there is no room for it, it is thrown away and made again later."""
        while True:
            try:
                text = await make()
            except BaseException:
                self._wake()
                raise
            size = len(text or "")
            if self._has_room(size):
                self.take(size)
                self._wake()
                return text
            del text
            await self._room()

    def _has_room(self, size: int) -> bool:
        return size <= LARGE or not self._size or self._size + size <= self._most

    async def _room(self) -> None:
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting

    def _wake(self) -> None:
        while self._waiting and (self._size < self._most):
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                return

    def take(self, size: int) -> None:
        self._size += size

    def leave(self, size: int) -> None:
        self._size -= size
        self._wake()

    @property
    def patience(self) -> float:
        return SHORT_UNREAD_SECONDS if self._waiting else UNREAD_SECONDS


class _LargeAnswer(Response):
    """An answer that is sent in pieces, each when the client has received most of the earlier ones."""

    def __init__(self, answer: Response, answers: LargeAnswers) -> None:
        self._answers = answers
        self.status_code, self.body, self.raw_headers = answer.status_code, answer.body, answer.raw_headers
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size, body = len(self.body), memoryview(self.body)
        pieces = (bytes(body[at : at + LARGE]) for at in range(0, size, LARGE))
        self._answers.take(size)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            if await _send_pieces(pieces, self._answers, scope, send):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._answers.leave(size)


class ItemizedAnswer(Response):
    """A list that is made item by item, each when the client has received most of the earlier ones. Each item counts as an answer.

    answers: set by LargeAnswers.answer before the list is sent.
    """

    answers: LargeAnswers

    def __init__(
        self, before: str, items: Sequence[Item], after: str, threads: Executor, headers: dict[str, str]
    ) -> None:
        super().__init__(None, 200, {**headers, "content-type": "application/json"})
        del self.headers["content-length"]
        self._before, self._items, self._after, self._threads = before, items, after, threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        disconnected = asyncio.ensure_future(until_disconnected(receive))
        try:
            await self._send(scope, send, disconnected)
        finally:
            disconnected.cancel()

    async def _send(self, scope: Scope, send: Send, disconnected: asyncio.Future[None]) -> None:
        loop, between = asyncio.get_running_loop(), self._before
        for item in self._items:
            if disconnected.done():
                return
            text = await self.answers.take_item(lambda item=item: loop.run_in_executor(self._threads, item))  # type: ignore[misc]
            if text is None:
                continue
            try:
                if not await _send_pieces(_encode_in_pieces(between, text), self.answers, scope, send):
                    return
            finally:
                self.answers.leave(len(text))
            between = ","
        end = (between if between == self._before else "") + self._after
        await send({"type": "http.response.body", "body": end.encode(), "more_body": False})


def _encode_in_pieces(before: str, text: str) -> Iterator[bytes]:
    """Both texts, encoded piece by piece: encoded as a whole, they would be in memory twice."""
    for at in range(0, len(text), LARGE):
        piece = text[at : at + LARGE] if at else before + text[:LARGE]
        yield piece.encode("utf-8", "surrogatepass")


async def _send_pieces(pieces: Iterable[bytes], answers: LargeAnswers, scope: Scope, send: Send) -> bool:
    """Send each piece when the client has received most of the earlier ones. False: it read nothing for too long, and was disconnected."""
    for piece in pieces:
        if not await _is_taken(send({"type": "http.response.body", "body": piece, "more_body": True}), answers):
            scope.get("extensions", {}).get(ABORT, lambda: None)()
            return False
    return True


async def _is_taken(sending: Awaitable[None], answers: LargeAnswers) -> bool:
    """Wait until a piece is sent. False when the client reads nothing for too long."""
    future, rested = asyncio.ensure_future(sending), 0.0
    while not (await asyncio.wait({future}, timeout=_TICK))[0]:
        rested += _TICK
        if rested >= answers.patience:
            future.cancel()
            return False
    future.result()
    return True


def _size(computed: object) -> int:
    """Bytes of an answer that is in memory as a whole; 0 for a stream."""
    return len(getattr(computed, "body", b""))
