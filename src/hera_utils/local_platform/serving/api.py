"""What the applications of both APIs share: their parts, and the way from a connection to an answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.credentials import Gate
from hera_utils.local_platform.serving.http import Bodies, Lanes, Pace, lifespan
from hera_utils.local_platform.serving.large_answers import LargeAnswers
from hera_utils.local_platform.serving.watch import WatchHistory


@dataclass(frozen=True)
class Api:
    platform: LocalPlatform
    gate: Gate
    history: WatchHistory
    bodies: Bodies = field(default_factory=Bodies)
    lanes: Lanes = field(default_factory=Lanes)
    answers: LargeAnswers = field(default_factory=LargeAnswers)
    pace: Pace = field(default_factory=Pace)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
        elif scope["type"] == "http":
            response = await self.answer(Request(scope, receive))
            await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        raise NotImplementedError
