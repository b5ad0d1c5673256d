"""Large answers that their clients have not taken yet: together they have a bound, and whoever takes nothing of one is hung up on.

An answer is computed, and held until its last piece is on the way. Hundreds of clients that ask for a large run and never read would
hold hundreds of copies. So a large answer for which there is no room is thrown away, and computed again when there is; small ones never
wait. (Go's servers write an answer while it is made, and have the same bound in what they list: a page.)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

LARGE = 2**16
"""Bytes of an answer that counts."""
MOST = 64 * 2**20
"""Bytes of all that are not taken; a single one may have more."""
PATIENCE = 60.0
"""So many seconds a client may take nothing of its answer."""
SHORT_PATIENCE = 5.0
"""The same while others wait for room."""
ABORT = "hera-utils.abort"
"""The extension of a connection's scope with which it is ended at once."""
_TICK = 1.0
Answer = TypeVar("Answer")


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
    ) -> Answer | Response:
        """What is computed within the lane, when there is room for it. change: it cannot be computed again, and keeps its lane."""
        while True:
            async with lane():
                try:
                    computed = await compute()
                finally:
                    self._wake()  # whoever was woken for this may need no room
                while change and not self._fits(computed):
                    await self._room()
            if self._fits(computed):
                if isinstance(computed, Response) and _size(computed) > LARGE:
                    return _LargeAnswer(computed, self)
                return computed
            del computed
            await self._room()

    def _fits(self, computed: object) -> bool:
        size = _size(computed)
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
        return SHORT_PATIENCE if self._waiting else PATIENCE


class _LargeAnswer(Response):
    """An answer that is sent in pieces, each when the client has taken most of those before it."""

    def __init__(self, answer: Response, answers: LargeAnswers) -> None:
        self._answers = answers
        self.status_code, self.body, self.raw_headers = answer.status_code, answer.body, answer.raw_headers
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        size, body = len(self.body), memoryview(self.body)
        self._answers.take(size)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            for at in range(0, size, LARGE):
                piece = {"type": "http.response.body", "body": bytes(body[at : at + LARGE]), "more_body": True}
                if not await self._sent(asyncio.ensure_future(send(piece))):
                    scope.get("extensions", {}).get(ABORT, lambda: None)()
                    return
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._answers.leave(size)

    async def _sent(self, sending: asyncio.Future[None]) -> bool:
        """Whether the client takes what it was sent."""
        rested = 0.0
        while not (await asyncio.wait({sending}, timeout=_TICK))[0]:
            rested += _TICK
            if rested >= self._answers.patience:
                sending.cancel()
                return False
        sending.result()
        return True


def _size(computed: object) -> int:
    """Of what is held as a whole; a stream is not."""
    return len(getattr(computed, "body", b""))
