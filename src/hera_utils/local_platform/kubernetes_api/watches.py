"""Watches of Kubernetes' API: one JSON document per line, {"type", "object"}; bookmarks; 410 Gone for a version that is too old."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from hera_utils.argo.whole_numbers import whole_number
from hera_utils.local_platform.kubernetes_api.objects import selector_of, text_with_type
from hera_utils.local_platform.kubernetes_api.request import KubernetesRequest
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.http import encode_in_pieces
from hera_utils.local_platform.serving.watch import ObjectWatch, WatchHistory
from hera_utils.local_platform.storage.records import StoredObject
from hera_utils.local_platform.storage.resources import Resource

Json = dict[str, Any]

BOOKMARK_SECONDS = 30.0
LONGEST = 3600.0
"""Seconds after which a watch without a client's own limit ends; clients then watch again, as with Kubernetes."""


def watch(platform: LocalPlatform, history: WatchHistory, request: KubernetesRequest) -> AsyncIterator[bytes]:
    """The events of a watch. Raises Refused (Expired) at once when the version is too old."""
    resource = request.target.resource
    initial = request.flag("sendInitialEvents")
    version = whole_number(request.query.get("resourceVersion", "")) or 0
    since = version if version > 0 and not initial else None

    def render(change: str, stored: StoredObject) -> str:
        return f'{{"type":"{change}","object":{text_with_type(resource, stored)}}}\n'

    opened = ObjectWatch(platform, history, selector_of(request), render).open(since)
    seconds = min(float(request.number("timeoutSeconds") or LONGEST), LONGEST)
    return _events(opened, history, resource, (seconds, initial, request.flag("allowWatchBookmarks") or initial))


async def _events(
    opened: ObjectWatch, history: WatchHistory, resource: Resource, options: tuple[float, bool, bool]
) -> AsyncIterator[bytes]:
    """options: (seconds until the end, whether to mark the end of the initial events, whether to send bookmarks)."""
    seconds, initial, bookmarks = options
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    batches = opened.batches()
    following: asyncio.Future[list[str]] | None = None
    try:
        if initial:
            while texts := await loop.run_in_executor(history.threads, opened.serve_now):
                for piece in encode_in_pieces(texts):
                    yield piece
            yield _bookmark(resource, opened.version, initial=True)
        while True:
            following = following or asyncio.ensure_future(anext_of(batches))
            pause = min(end - loop.time(), BOOKMARK_SECONDS)
            if pause <= 0:
                return
            done, _ = await asyncio.wait({following}, timeout=pause)
            if done:
                texts, following = following.result(), None
                for piece in encode_in_pieces(texts):
                    yield piece
            elif bookmarks and pause == BOOKMARK_SECONDS:
                # After a pause, everything up to this version has been sent.
                yield _bookmark(resource, opened.served_version, initial=False)
    finally:
        if following is not None:
            following.cancel()
            await asyncio.wait({following})
        await batches.aclose()  # type: ignore[attr-defined]


async def anext_of(batches: AsyncIterator[list[str]]) -> list[str]:
    return await batches.__anext__()


def _bookmark(resource: Resource, version: int, *, initial: bool) -> bytes:
    metadata: Json = {"resourceVersion": str(version), "creationTimestamp": None}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    event = {"apiVersion": resource.group_version, "kind": resource.kind, "metadata": metadata}
    if resource.kind in ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow"):
        event["spec"] = {}
    return (json.dumps({"type": "BOOKMARK", "object": event}, separators=(",", ":")) + "\n").encode()
