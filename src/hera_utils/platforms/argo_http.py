"""HTTP to an Argo server: one call, one stream, one download. argo_client.py knows what the calls mean."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hera_utils.argo import faults
from hera_utils.argo.routes import address
from hera_utils.errors import HeraUtilsError, Refused
from hera_utils.platforms.conflate import keep_newest
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.http_errors import (
    NotReady,
    answer_of_other_server,
    broken_connections,
    error_of_reply,
    forbidden_error,
    lost_cluster,
    stream_fault,
    unreachable,
    unsendable_token,
    unusable_certificate,
    was_closed,
)
from hera_utils.platforms.own_server_session import OwnServerSession
from hera_utils.platforms.token import authorization
from hera_utils.settings.secret import mask

if TYPE_CHECKING:
    import requests

    from hera_utils.platforms.ranged_download import OpenedFile

Json = dict[str, Any]

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
_CHUNK = 1 << 16
_PAUSES = (0.1, 0.3, 1.0, 2.0)  # seconds between attempts of a request
_LONGEST_PAUSE = 10.0  # seconds, even if a busy server asks for more (Retry-After)
# Temporary statuses, of a gateway or of Argo; 410: the server has forgotten the version from which a watch wanted to continue.
_TEMPORARY = (410, 429, 502, 503, 504)
# The same in a stream, as gRPC codes. Argo gives the codes of _OWN_FAILURES for permanent errors too, if a stream does not begin.
_TEMPORARY_CODES = (
    faults.CANCELLED,
    faults.DEADLINE_EXCEEDED,
    faults.RESOURCE_EXHAUSTED,
    faults.ABORTED,
    faults.OUT_OF_RANGE,
    faults.UNAVAILABLE,
)
_OWN_FAILURES = (faults.INTERNAL, faults.UNKNOWN)


class StreamCut(Exception):
    """A stream ended early: the caller may ask again."""


class NoDefiniteAnswer(Exception):
    """No definite answer came from the server: the caller may ask again. why: the error to raise if it gives up.

    undone: whether the server certainly did nothing (it was busy). pause: the seconds to wait at least.
    """

    def __init__(self, why: HeraUtilsError, *, undone: bool = False, pause: float = 0.0) -> None:
        super().__init__(str(why))
        self.why, self.undone, self.pause = why, undone, pause


class _Bearer:
    """Sets the Authorization header. It is an `auth`, because requests would otherwise replace the header by a ~/.netrc entry."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: Any) -> Any:
        if self.token:
            request.headers["Authorization"] = authorization(self.token)
        return request


def _session(connection: Connection) -> Any:
    """A `requests.Session` for the server, or for the local one the session that is imported faster."""
    if connection.local:
        return OwnServerSession(connection)
    from hera_utils.platforms.http_session import open_session

    return open_session(connection)


class ArgoHttp:
    """A session with one Argo server. Not for use by several threads at once."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._deadline: float | None = None
        self._sent = ""  # the token that was sent last, to be masked in messages of the server
        self._answered = False  # if true, the address is right, and a server that is down will come back
        self._session = _session(connection)

    def close(self) -> None:
        self._session.close()

    def rejoin(self) -> bool:
        """After a crash of the local server, connect to its successor; True if there is a new one."""
        before = self.connection
        if before.rejoin is None:
            return False
        self.connection = replace(before.rejoin(), namespace=before.namespace, flags=before.flags)
        if (self.connection.argo_server, self.connection.token) == (before.argo_server, before.token):
            return False
        self._session.close()
        self._session = _session(self.connection)
        return True

    @contextlib.contextmanager
    def limit_requests_to(self, deadline: float | None) -> Iterator[None]:
        """Inside, requests wait at most until the deadline (time.monotonic; None: as long as usual)."""
        before, self._deadline = self._deadline, deadline
        try:
            yield
        finally:
            self._deadline = before

    def _limit_seconds(self, seconds: float) -> float:
        return seconds if self._deadline is None else min(seconds, max(0.05, self._deadline - time.monotonic()))

    def call(
        self, operation: str, *, query: Mapping[str, Any] | None = None, body: Json | None = None, **values: str
    ) -> Any:
        """The JSON reply of an operation (argo/routes). Raises Refused, AccessError or PlatformError if there is none.

        A read is repeated if its answer is lost; a write only if the server was too busy to do it.
        """
        reading = address(operation, **values)[0] == "GET" or _changes_nothing(operation, body or {})
        return self._ask_until_answered(lambda: self.try_once(operation, query=query, body=body, **values), reading)

    def try_once(
        self, operation: str, *, query: Mapping[str, Any] | None = None, body: Json | None = None, **values: str
    ) -> Any:
        """As `call`, but raises Unanswered if no answer comes, for a caller that can find out whether the operation was done."""
        method, path = address(operation, **values)
        return self._json(self._send(method, path, query, body))

    def call_with_server_time(self, operation: str, **values: str) -> tuple[Any, str]:
        """(the reply of a read as of `call`, the time of the server's clock: HTTP's Date header, "" without one)."""
        method, path = address(operation, **values)

        def ask() -> tuple[Any, str]:
            reply = self._send(method, path, None)
            return self._json(reply), reply.headers.get("Date", "")

        answered: tuple[Any, str] = self._ask_until_answered(ask)
        return answered

    def _json(self, reply: requests.Response) -> Any:
        try:
            return reply.json()
        except ValueError:
            raise answer_of_other_server(self.connection, reply) from None

    def stream(
        self,
        operation: str,
        *,
        query: Mapping[str, Any] | None = None,
        silence: float = READ_SECONDS,
        rest: Callable[[], float] | None = None,
        until: float | None = None,
        **values: str,
    ) -> Iterator[Json]:
        """The `result` of each event, until the server ends the stream. Raises `StreamCut` if it breaks or is silent for `silence` s,
        Unanswered if it does not begin.

        rest: each event replaces those before it, so a slow reader gets only the newest, at least so many seconds after the one before
        (called for each event), but the end of a run at once. until: when to cut the stream (time.monotonic), because keep-alives would
        hold it open for ever.
        """
        method, path = address(operation, **values)
        with self.limit_requests_to(until):
            reply = self._send(method, path, query, silence=silence)
        if not any(kind in reply.headers.get("Content-Type", "") for kind in ("event-stream", "json")):
            with reply:
                raise answer_of_other_server(self.connection, reply)
        lines = _lines(reply)
        if rest is not None:
            lines = keep_newest(filter(_may_be_event, lines), rest, _is_end)
        has_begun = False
        try:
            with _end_reading_at(reply, until):
                for event in _events(lines):
                    if "error" in event:
                        raise self._fault(event["error"], has_begun=has_begun)
                    yield event.get("result", event)
                    has_begun = True
        except broken_connections() as error:
            raise StreamCut(str(error)) from None
        finally:
            if rest is None:
                reply.close()
            else:
                # the thread that reads it closes it: when both did, the connection of the next request was cut
                _interrupt_reading(reply)

    def _fault(self, error: Json, *, has_begun: bool) -> Exception:
        """The exception for an `error` in a stream. has_begun: whether events came before it."""
        code, message = stream_fault(error)
        # Argo gives code 8 (EOF) when the Kubernetes API ends the watch behind its own, about every half hour
        own_failure = (has_begun and code in _OWN_FAILURES) or lost_cluster(code, message)
        temporary = code in _TEMPORARY_CODES or own_failure
        if temporary or _is_forgotten(error.get("http_code"), message):
            return StreamCut(message)
        message = mask(message, [self._sent])
        if code == faults.PERMISSION_DENIED:
            return forbidden_error(message, final=not self.connection.forget_token())
        return Refused(code, message)

    def download(self, path: str) -> Iterator[bytes]:
        """The bytes at a path of the server, in pieces."""
        reply = self._ask_until_answered(lambda: self._send("GET", path, None, silence=READ_SECONDS))
        try:
            yield from reply.iter_content(_CHUNK)
        except broken_connections() as error:
            raise unreachable(self.connection, error) from None
        finally:
            reply.close()

    @contextlib.contextmanager
    def open_file(self, path: str, *, start: int = 0, unless_changed: str = "") -> Iterator[OpenedFile]:
        """The file at a path of the server, opened for reading. Raises Unanswered if no answer comes.

        start: from this byte on, if the server serves ranges. unless_changed: the file's ETag when the bytes before were read.
        """
        from hera_utils.platforms.ranged_download import OpenedFile

        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if start:
            headers |= {"Range": f"bytes={start}-", **({"If-Range": unless_changed} if unless_changed else {})}
        with self._send("GET", path, None, silence=READ_SECONDS, headers=headers) as reply:
            yield OpenedFile(reply)

    def _ask_until_answered(self, ask: Callable[[], Any], reading: bool = True) -> Any:
        """The result of `ask`, which is repeated if no answer comes, for as long as a single answer may take."""
        begun = time.monotonic()
        for pause in (*_PAUSES, None):
            try:
                return ask()
            except NoDefiniteAnswer as unanswered:
                late = time.monotonic() - begun > self._limit_seconds(READ_SECONDS)
                if pause is None or late or not (reading or unanswered.undone):
                    raise unanswered.why from None
                time.sleep(max(pause, unanswered.pause))
                self.rejoin()
        raise AssertionError("the last attempt returns or raises")  # pragma: no cover

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Json | None = None,
        silence: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The reply, if it is a success. silence: the seconds for which a stream may be silent; None for a whole reply."""
        reply, token = self._request(method, path, query, body, silence, headers)
        stream = silence is not None
        # a new local server answers on the port of the crashed one, and has another token
        if reply.status_code == 401 and self.connection.rejoin is not None:
            raise NoDefiniteAnswer(error_of_reply(self.connection, reply, token), undone=True)
        if reply.status_code == 401:  # the token has expired or was revoked; there may be a newer one
            newer = self.connection.renew_token(token)
            if newer:
                reply.close()
                reply, token = self._request(method, path, query, body, silence, headers)
        if not _says_where_it_ends(reply):
            reply.close()
            raise NoDefiniteAnswer(unreachable(self.connection, ConnectionResetError()))
        if reply.status_code not in (200, 206):
            raise self._failure(reply, token)
        if not stream and "json" not in reply.headers.get("Content-Type", ""):
            raise answer_of_other_server(self.connection, reply)
        return reply

    def _failure(self, reply: requests.Response, token: str) -> NoDefiniteAnswer | HeraUtilsError:
        with reply:
            try:
                why = error_of_reply(self.connection, reply, token)
            except broken_connections() as error:  # the connection broke while the reason was read
                return NoDefiniteAnswer(unreachable(self.connection, error))
        if reply.status_code not in _TEMPORARY and not isinstance(why, NotReady):
            return why
        wait = reply.headers.get("Retry-After", "")  # seconds; a date is ignored
        pause = min(float(wait), _LONGEST_PAUSE) if wait.isdecimal() else 0.0
        return NoDefiniteAnswer(why, undone=reply.status_code == 429, pause=pause)

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        body: Json | None,
        silence: float | None,
        more: Mapping[str, str] | None,
    ) -> tuple[requests.Response, str]:
        """(the reply, whatever its status; the token that was sent with the request)."""
        token = self.connection.current_token()
        if not token.isascii() or not token.isprintable():  # no legal header, and the error of requests would print it
            raise unsendable_token(self.connection)
        self._sent = token
        stream = silence is not None
        headers = {"Accept": "text/event-stream" if stream else "application/json", **(more or {})}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            reply = self._session.request(
                method,
                self.connection.argo_server + path,
                params={key: _as_query_word(value) for key, value in (query or {}).items() if value is not None},
                data=None if body is None else json.dumps(body, separators=(",", ":")).encode(),
                headers=headers,
                auth=_Bearer(token),
                timeout=(
                    self._limit_seconds(CONNECT_SECONDS),
                    self._limit_seconds(READ_SECONDS if silence is None else silence),
                ),
                stream=stream,
                allow_redirects=False,
                verify=self.connection.verify,  # for each request: an environment variable would override the session's
            )
        except broken_connections()[0] as error:
            why = unreachable(self.connection, error, answered=self._answered)
            never_sent = _was_never_sent(error)
            if never_sent and self.connection.rejoin is None and not self._answered:
                raise why from None
            raise NoDefiniteAnswer(why, undone=never_sent) from None
        except (OSError, ValueError) as error:  # a certificate or a key that cannot be loaded
            raise unusable_certificate(self.connection, error) from None
        self._answered = True
        return reply, token


def _changes_nothing(operation: str, body: Json) -> bool:
    """Whether a POST changes nothing on the server, so that it may be repeated."""
    options = body.get("submitOptions") or {}
    dry = body.get("serverDryRun") or options.get("dryRun") or options.get("serverDryRun")
    return "_Lint" in operation or bool(dry)


def _says_where_it_ends(reply: requests.Response) -> bool:
    """Whether the reply says where it ends. A reply that does not was cut within its headers, and would look complete.
    (In HTTP/1.0 a reply ends with the connection.)
    """
    headers = reply.headers
    chunked = headers.get("Transfer-Encoding", "").lower() == "chunked"
    return "Content-Length" in headers or chunked or getattr(reply.raw, "version", 11) == 10


def _was_never_sent(error: Exception) -> bool:
    """Whether no connection was made, and another attempt would not make one."""
    import requests
    import urllib3.exceptions

    if isinstance(error, requests.exceptions.SSLError):
        return not was_closed(error)
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return True
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(cause, urllib3.exceptions.NewConnectionError) or not isinstance(
        error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
    )


def _is_forgotten(status: object, message: str) -> bool:
    """Whether the server no longer has the version from which a watch should continue."""
    return status == 410 or "too old resource version" in message


def _as_query_word(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _may_be_event(line: bytes) -> bool:
    return line.startswith((b"data:", b"{"))


_COMPLETED = b'"workflows.argoproj.io/completed":"true"'


def _is_end(line: bytes) -> bool:
    """Whether an event, not decoded yet, may be the end of a workflow or of the stream. Argo labels completed workflows."""
    return _COMPLETED in line or b'"DELETED"' in line[:80] or b'"error"' in line[:40]


def _interrupt_reading(reply: requests.Response) -> None:
    """End a read in which another thread may be waiting, for which `close` would wait. If that is not possible, the thread ends with the
    next keep-alive.
    """
    shutdown = getattr(reply.raw, "shutdown", None)  # urllib3 2.3 and newer
    if shutdown is not None:
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            shutdown()


@contextlib.contextmanager
def _end_reading_at(reply: requests.Response, moment: float | None) -> Iterator[None]:
    """Inside, reading the reply ends at that moment (time.monotonic; None: never), even if keep-alives come."""
    if moment is None:
        yield
        return
    timer = threading.Timer(max(0.0, moment - time.monotonic()), _interrupt_reading, (reply,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _events(lines: Iterable[bytes]) -> Iterator[Json]:
    return (event for event in map(_event, lines) if event is not None)


def _event(line: bytes) -> Json | None:
    """The event of a line, of either format; None for comments, empty lines and other SSE fields."""
    if line.startswith(b"data:"):
        line = line[5:]
    elif not line.startswith(b"{"):
        return None
    line = line.strip()
    if not line:
        return None
    try:
        event = json.loads(line)
    except ValueError:
        raise StreamCut("an event arrived in part") from None
    return event if isinstance(event, dict) else None


def _lines(reply: requests.Response) -> Iterator[bytes]:
    """The lines as they arrive. requests' iter_lines copies a long line with each chunk, and an event is a whole workflow."""
    pieces: list[bytes] = []
    for chunk in reply.raw.stream(_CHUNK, decode_content=True):
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            pieces.append(line)
            yield b"".join(pieces)
            pieces.clear()
        if rest:
            pieces.append(rest)
    if pieces:
        yield b"".join(pieces)
