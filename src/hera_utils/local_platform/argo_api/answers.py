"""The form of the Argo server's answers: JSON bodies, errors, and streams of events in either of their two formats."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from hera_utils.argo.faults import http_status, stream_body, unary_body
from hera_utils.errors import Refused
from hera_utils.local_platform.serving.http import encode_in_pieces
from hera_utils.local_platform.serving.large_answers import Item, ItemizedAnswer

Json = dict[str, Any]

VERSION = "v4.1.2"
LARGEST = 8 * 2**20
"""The most characters of a list that is written as a whole."""


@dataclass(frozen=True)
class Text:
    """A reply that is already JSON text (a stored object)."""

    json: str


@dataclass(frozen=True)
class Stream:
    """A reply that is a stream: each item is the JSON text of one `result`. The request was checked before the stream begins."""

    results: AsyncIterator[list[str]]


Reply = Json | Text | Stream | Response


def encode(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def json_response(reply: Json | Text) -> Response:
    body = reply.json if isinstance(reply, Text) else encode(reply)
    return Response(body.encode("utf-8", "surrogatepass"), 200, json_headers(), "application/json")


def json_headers() -> dict[str, str]:
    return {"grpc-metadata-argo-version": VERSION, **rate_headers()}


def list_reply(listed: Json, items: Sequence[Item], threads: Executor) -> Reply:
    """The reply with a list: a small one as a whole, a large one item by item while it is sent, because all runs of a namespace may be a
    gigabyte. listed: the list without its items. items: functions that give the items' texts. threads: run these functions
    for a large list.
    """
    before = encode(listed)[:-1] + ("," if listed else "") + '"items":'
    texts, size = list[str](), 0
    for item in items:
        text = item()
        if text is not None:
            texts.append(text)
            size += len(text)
        if size > LARGEST:
            return ItemizedAnswer(f"{before}[", items, "]}", threads, json_headers())
    return Text(before + (f"[{','.join(texts)}]" if texts else "null") + "}")


def fault_response(refused: Refused, *, sse: bool = False, stream: bool = False) -> Response:
    """A refusal before the first byte, as the answer to a unary call or to a stream in the requested format."""
    status = http_status(refused.code)
    if not stream:
        body = encode(unary_body(refused.code, refused.message))
        return Response(body.encode("utf-8", "replace"), status, rate_headers(), "application/json")
    return Response(frame(encode(stream_body(refused.code, refused.message)), sse), status, stream_headers(sse))


def frame(text: str, sse: bool) -> bytes:
    """One event on the wire. Argo's server-sent events have a blank before the newline and two empty lines after it."""
    before, after = _FRAMES[sse]
    return (before + text + after).encode("utf-8", "surrogatepass")


_FRAMES = {False: ("", "\n"), True: ("data: ", " \n\n\n")}


def frames(results: Iterable[str], sse: bool) -> Iterator[bytes]:
    """Results of a stream on the wire. The text of a large result is not copied, because all watchers share it."""
    before, after = _FRAMES[sse]
    return encode_in_pieces(part for text in results for part in (before + '{"result":', text, "}" + after))


KEEP_ALIVE = b":\n"
KEEP_ALIVE_SECONDS = 15.0


def stream_headers(sse: bool) -> dict[str, str]:
    kind = {"content-type": "text/event-stream", "x-content-type-options": "nosniff", "cache-control": "no-cache"}
    return {**(kind if sse else {"content-type": "application/json"}), **rate_headers()}


def rate_headers() -> dict[str, str]:
    """The headers of Argo's rate limiter, which every reply has; the local platform limits nothing."""
    return {
        "x-ratelimit-limit": "1000",
        "x-ratelimit-remaining": "999",
        "x-ratelimit-reset": str((int(time.time()) + 1) * 1_000_000_000),
    }
