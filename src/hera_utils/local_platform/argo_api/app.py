"""Argo's server, HTTP side: from a request to the handler that the table of operations names, and back.

request → Host and Origin → (page | operation) → token → handler in a worker thread → reply
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp

from hera_utils.argo.faults import INTERNAL, PERMISSION_DENIED, UNAUTHENTICATED, UNIMPLEMENTED, fault_of, stream_body
from hera_utils.argo.routes import Route, match
from hera_utils.errors import HeraUtilsError, Refused
from hera_utils.local_platform.argo_api.answers import (
    KEEP_ALIVE,
    KEEP_ALIVE_SECONDS,
    Reply,
    Stream,
    encode,
    fault_response,
    frame,
    frames,
    json_response,
    stream_headers,
)
from hera_utils.local_platform.argo_api.request import ArgoRequest, check_query, parse_body
from hera_utils.local_platform.page import page_response
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.api import Api
from hera_utils.local_platform.serving.credentials import OWN_NAME, Gate, host_name
from hera_utils.local_platform.serving.http import EventResponse, query_of, raw_path_of
from hera_utils.local_platform.serving.watch import WatchHistory
from hera_utils.local_platform.socket_owner import Address

log = logging.getLogger("hera_utils.server")

Handler = Callable[[ArgoRequest], Reply]

_ARTIFACTS = ("/artifacts/", "/input-artifacts/", "/artifacts-by-uid/", "/input-artifacts-by-uid/", "/artifact-files/")
_WATCHED = ("Workflow", "Event")
_ANY_VALUE = "EventService_ReceiveEvent"
"""The operation whose body need not be an object."""
_WHOLE_RUNS = frozenset({"WorkflowService_GetWorkflow", "ArchivedWorkflowService_GetArchivedWorkflow"})
"""The operations that answer with a run and its nodes."""


def argo_app(platform: LocalPlatform, token: str) -> ASGIApp:
    """The ASGI application with Argo's REST API for a platform. token: clients must send it."""
    return ArgoApi(platform, Gate(token), WatchHistory(platform, _WATCHED))


class ArgoApi(Api):
    async def answer(self, request: Request) -> Response:
        raw_path = raw_path_of(request)
        decision = self.gate.check_address(request.headers, request.url.scheme)
        if not decision.passed:
            return fault_response(Refused(PERMISSION_DENIED, decision.message))
        api = raw_path.startswith("/api/")
        artifact = raw_path.startswith(_ARTIFACTS)
        if raw_path == "/metrics":
            return await self.metrics(request)
        if not api and not artifact:
            return _page(request, raw_path)
        matched = match("GET" if request.method == "HEAD" else request.method, raw_path)
        sse = "text/event-stream" in request.headers.get("accept", "")
        stream = matched is not None and matched[0].stream
        refusal = await self.refusal(request)
        if refusal is not None:
            if artifact:
                return PlainTextResponse("Unauthorized\n", 401)
            return fault_response(refusal, sse=sse, stream=stream)
        if matched is None or not matched[0].supported:
            if artifact:
                return PlainTextResponse("Bad Request\n", 400)
            return fault_response(Refused(UNIMPLEMENTED, "Not Implemented"))
        route, path = matched
        try:
            query = check_query(query_of(request))
        except Refused as error:
            return fault_response(error)
        try:
            async with self.bodies.read(request) as data:
                body = (
                    {}
                    if route.operation == _ANY_VALUE
                    else await self.bodies.parsed(partial(parse_body, message=route.message), data)
                )
                headers = _headers_of(request)
                argo_request = ArgoRequest(
                    self.platform, path, query, body, raw_path, self.history, headers, data, route.message, route.kind
                )
                reply = await self.answers.answer(
                    lambda: self._lane(request, route),
                    lambda: asyncio.to_thread(_perform, route, argo_request),
                    change=request.method not in ("GET", "HEAD"),
                    is_gone=request.is_disconnected,
                )
        except HeraUtilsError as error:
            return fault_response(fault_of(error), sse=sse, stream=stream)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:
            log.exception("%s %s", request.method, raw_path)
            return fault_response(
                Refused(INTERNAL, f"the server failed: {type(error).__name__}"), sse=sse, stream=stream
            )
        if isinstance(reply, Stream):
            return EventResponse(_frame_events(reply.results, sse), stream_headers(sse), self.pace)
        return reply

    def _lane(self, request: Request, route: Route) -> contextlib.AbstractAsyncContextManager[None]:
        lint = "Lint" in route.operation or route.operation == _ANY_VALUE
        change = request.method not in ("GET", "HEAD")
        is_list = route.stream or "_List" in route.operation  # a watch begins with a list
        computed = route.operation in _WHOLE_RUNS or "fields" in request.query_params
        return self.lanes.of(request, change=change, is_list=is_list, chosen=computed, lint=lint)

    async def metrics(self, request: Request) -> Response:
        refusal = await self.refusal(request)
        if refusal is not None:
            return fault_response(refusal)
        from hera_utils.local_platform.argo_api import metrics

        def compute() -> Response:
            return Response(metrics.exposition(self.platform), headers={"content-type": metrics.CONTENT_TYPE})

        lane = partial(self.lanes.of, request, change=False, is_list=True)
        return await self.answers.answer(lane, lambda: asyncio.to_thread(compute), change=False)

    async def refusal(self, request: Request) -> Refused | None:
        """Why the caller is refused; None for a caller with the token, or for our own page in this user's browser."""
        decision = self.gate.check_token(request.headers.get("authorization"))
        if decision.passed:
            return None
        if "authorization" not in request.headers:
            connection = cast("Address", request.scope.get("client")), cast("Address", request.scope.get("server"))
            if self.gate.may_be_browser(request.headers, *connection) and await asyncio.to_thread(
                self.gate.check_browser, request.headers, *connection
            ):
                return None
        return Refused(UNAUTHENTICATED, decision.message)


def _page(request: Request, raw_path: str) -> Response:
    """The page, or a redirect to it under this server's own address: another host name may later lead the browser elsewhere."""
    host = request.headers.get("host", "")
    if host_name(host) == OWN_NAME:
        return page_response(request.method, raw_path)
    port = host.rpartition(":")[2]
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(
        f"{request.url.scheme}://{OWN_NAME}{f':{port}' if port.isdecimal() else ''}{raw_path}{query}", 307
    )


def _headers_of(request: Request) -> dict[str, list[str]]:
    """Header name → all its values."""
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name, []).append(value)
    return headers


_HANDLERS: dict[str, Handler] = {}


def handler_of(route: Route) -> Handler:
    """The function that the table names; its module is imported at the first request for it."""
    handler = _HANDLERS.get(route.handler)
    if handler is None:
        module, _, function = route.handler.partition(".")
        loaded = importlib.import_module(f"hera_utils.local_platform.argo_api.{module}")
        handler = _HANDLERS.setdefault(route.handler, getattr(loaded, function))
    return handler


def _perform(route: Route, request: ArgoRequest) -> Response | Stream:
    """Run the handler and encode its reply. Runs in a thread, because a reply may be megabytes."""
    reply = handler_of(route)(request)
    return reply if isinstance(reply, Response | Stream) else json_response(reply)


async def _frame_events(results: AsyncIterator[list[str]], sse: bool) -> AsyncIterator[bytes]:
    """Events as bytes, with a keep-alive every 15 s for server-sent events. An error becomes the last event."""
    following: asyncio.Task[list[str]] | None = None
    try:
        while True:
            if following is None:
                following = asyncio.ensure_future(cast("Any", results.__anext__()))
            done, _ = await asyncio.wait({following}, timeout=KEEP_ALIVE_SECONDS if sse else None)
            if not done:
                yield KEEP_ALIVE
                continue
            texts, following = following.result(), None
            for piece in frames(texts, sse):
                yield piece
    except StopAsyncIteration:
        pass
    except HeraUtilsError as error:
        fault = fault_of(error, default=INTERNAL)
        yield frame(encode(stream_body(fault.code, fault.message)), sse)
    finally:
        if following is not None:
            following.cancel()
            await asyncio.wait({following})
        close = getattr(results, "aclose", None)
        if close is not None:
            await close()
