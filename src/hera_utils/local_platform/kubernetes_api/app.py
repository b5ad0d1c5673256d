"""The HTTP side of Kubernetes' API: from a request to its verb on a resource, and back as JSON, a table, a watch or a log."""

from __future__ import annotations

import asyncio
import json
import logging
from functools import partial
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from hera_utils.argo.faults import INTERNAL, NOT_FOUND, UNAUTHENTICATED, fault_of, kubernetes_status
from hera_utils.errors import HeraUtilsError, Refused
from hera_utils.local_platform.kubernetes_api import logs, objects, reviews, watches
from hera_utils.local_platform.kubernetes_api.discovery import document as discovered
from hera_utils.local_platform.kubernetes_api.request import (
    UNKNOWN_PATH,
    KubernetesRequest,
    RequestTarget,
    is_yaml,
    parse_body,
    target_of,
    verb_of,
)
from hera_utils.local_platform.kubernetes_api.tables import table as table_of
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.api import Api
from hera_utils.local_platform.serving.credentials import AccessDecision, Gate
from hera_utils.local_platform.serving.http import EventResponse, query_of, raw_path_of
from hera_utils.local_platform.serving.watch import WatchHistory
from hera_utils.local_platform.storage.resources import STORED

Json = dict[str, Any]
log = logging.getLogger("hera_utils.server")

_VERBS = {
    "get": objects.get,
    "list": objects.enumerate,
    "create": objects.create,
    "update": objects.update,
    "patch": objects.patch,
    "delete": objects.delete,
    "deletecollection": objects.delete_collection,
}


def kubernetes_app(platform: LocalPlatform, token: str) -> ASGIApp:
    """The ASGI application with the subset of Kubernetes' API. token: clients must send it."""
    history = WatchHistory(platform, [resource.kind for resource in STORED])
    return KubernetesApi(platform, Gate(token), history)


class KubernetesApi(Api):
    async def answer(self, request: Request) -> Response:
        decision = self.gate.check_address(request.headers, request.url.scheme)
        if decision.passed:
            decision = self.gate.check_token(request.headers.get("authorization"))
        if not decision.passed:
            return _denied_response(decision)
        path = raw_path_of(request)
        if request.method in ("GET", "HEAD"):
            answer = discovered(path, request.headers.get("host", ""))
            if answer is not None:
                return PlainTextResponse(answer) if isinstance(answer, str) else _json(200, answer)
        target: RequestTarget | None = None
        try:
            target = target_of(path)
            query = query_of(request)
            verb = verb_of(request.method, target, query)
            async with self.bodies.read(request) as data:
                content_type = request.headers.get("content-type", "")
                parse = partial(parse_body, content_type=content_type)
                body, media_type = await self.bodies.parsed(parse, data, yaml=is_yaml(content_type))
                table = "as=Table" in request.headers.get("accept", "")
                return await self.perform(KubernetesRequest(verb, target, query, body, media_type, table), request)
        except HeraUtilsError as error:
            return _fault(error, target)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:
            log.exception("%s %s", request.method, path)
            return _fault(Refused(INTERNAL, f"the server failed: {type(error).__name__}"), target)

    async def perform(self, request: KubernetesRequest, sent: Request) -> Response:
        target = request.target
        if request.verb == "watch":
            async with self.lanes.of(sent, change=False, is_list=True):
                events = await asyncio.to_thread(watches.watch, self.platform, self.history, request)
            return EventResponse(events, {"content-type": "application/json"}, self.pace)
        if target.subresource == "log":
            lines = await asyncio.to_thread(logs.log, self.platform, self.history, request)
            return EventResponse(lines, {"content-type": "text/plain; charset=utf-8"}, self.pace)
        if target.subresource == "token":
            return _json(201, await asyncio.to_thread(reviews.create_token, self.platform, request, self.gate.token))
        if target.resource.kind in reviews.REVIEWS:
            return _json(201, reviews.REVIEWS[target.resource.kind](request))
        if target.subresource and request.verb != "get":
            raise Refused(NOT_FOUND, UNKNOWN_PATH, reason="NotFound")
        change = request.verb not in ("get", "list")
        return await self.answers.answer(
            lambda: self.lanes.of(
                sent, change=change, is_list=request.verb == "list", chosen=target.resource.kind == "Workflow"
            ),
            lambda: asyncio.to_thread(self._perform, request),
            change=change,
            is_gone=sent.is_disconnected,
        )

    def _perform(self, request: KubernetesRequest) -> Response:
        resource = request.target.resource
        if request.table and request.verb == "list":
            head, page = objects.list_page(self.platform, request)
            return _json(200, table_of(resource, (objects.object_with_type(resource, stored) for stored in page), head))
        status, answer = _VERBS[request.verb](self.platform, request)
        if request.table and request.verb == "get":
            document = json.loads(answer) if isinstance(answer, str | bytes) else answer
            answer = table_of(resource, [document], {})
        return _json(status, answer)


def _denied_response(decision: AccessDecision) -> Response:
    reason = "Unauthorized" if decision.status == 401 else "Forbidden"
    message = "Unauthorized" if decision.status == 401 else decision.message
    return _json(decision.status, kubernetes_status(Refused(UNAUTHENTICATED, message, reason=reason)))


def _fault(error: HeraUtilsError, target: RequestTarget | None) -> Response:
    refused = fault_of(error)
    details = {"group": target.resource.group, "kind": target.resource.plural, "name": target.name} if target else {}
    body = kubernetes_status(refused, **details)
    return _json(int(body["code"]), body)


def _json(status: int, body: Json | str | bytes) -> Response:
    if isinstance(body, dict):
        body = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    data = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    return Response(data, status, {"cache-control": "no-cache, private"}, "application/json")
