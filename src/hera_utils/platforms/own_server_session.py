"""A session with the local server that needs no `requests`, whose import takes a seventh of a start (decision 47).

It has what ArgoHttp and Hera's services use of a requests session, and raises what requests raises. Whatever else is asked of it (another
address, another kind of body, the session's own headers) is done by a requests session.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import httptools

from hera_utils.platforms.own_server import LatestServer, why_not_ours

if TYPE_CHECKING:
    from hera_utils.platforms.connection import Connection

_PIECE = 1 << 16
_PLAIN_PATH = re.compile(r"(/(?!\.)[\w~.-]*)+", re.ASCII)  # without anything to be quoted, unquoted or resolved
_OPTIONS = {"params", "headers", "data", "timeout", "stream", "auth", "allow_redirects"}
_TLS_OPTIONS = {"verify", "cert"}  # without a meaning here


class NotConnected(OSError):
    """There is no connection to the server, so nothing was sent."""


@dataclass(frozen=True)
class _Request:
    """A request to the local server. target: path and query. timeouts: seconds, to connect and between two pieces of the answer."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    timeouts: tuple[float | None, float | None]

    def as_bytes(self, host: str) -> bytes:
        headers = {"Host": host, "Accept": "*/*", "User-Agent": "hera-utils"} | self.headers
        if self.body or self.method not in ("GET", "DELETE"):
            headers["Content-Length"] = str(len(self.body))
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join((*lines, "", "")).encode("latin-1") + self.body


class OwnServerSession:
    """Requests to the server of a connection, which is on this machine and speaks HTTP."""

    def __init__(self, connection: Connection) -> None:
        self._connection = self._server = connection
        self._idle: list[_Socket] = []
        self._of_requests: Any = None
        self._is_customized = False

    def request(self, method: str, url: str, *positional: Any, **options: Any) -> Any:
        """The answer, a `Reply` or a `requests.Response`. options: those of `requests.Session.request`. Raises what requests raises."""
        request = None if self._is_customized or positional else self._request(method, url, **options)
        if request is None:
            return self._ask_by_requests(method, url, *positional, **options)
        reply = None
        try:
            reply = self._reply(request)
            if 300 <= reply.status_code < 400 and options.get("allow_redirects", True):
                reply.close()
                return self._ask_by_requests(method, url, **options)
            if not options.get("stream"):
                reply.read()
            return reply
        except OSError as error:
            raise _error_of_requests(error, url, has_begun=reply is not None) from error

    def _ask_by_requests(self, method: str, url: str, *positional: Any, **options: Any) -> Any:
        if url.startswith(self._connection.argo_server):
            options.setdefault("proxies", {"http": None, "all": None})
        return self._requests_session().request(method, url, *positional, **options)

    def _request(self, method: str, url: str, **options: Any) -> _Request | None:
        """The request, or None if it is not one that this session can do by itself."""
        path, body = url.removeprefix(self._connection.argo_server), options.get("data")
        headers = {name: _text(value) for name, value in (options.get("headers") or {}).items() if value is not None}
        if (
            path == url
            or not _PLAIN_PATH.fullmatch(path)
            or method.upper() == "HEAD"
            or options.keys() - _OPTIONS - _TLS_OPTIONS
            or not isinstance(body, str | bytes | None)
            or not isinstance(options.get("params"), dict | None)
            or not (options.get("auth") is None or callable(options["auth"]))
            or any("\r" in text or "\n" in text for text in (method, *headers, *headers.values()))
        ):
            return None
        query = urlencode(
            [(key, item) for key, value in (options.get("params") or {}).items() for item in _items(value)]
        )
        target = urlsplit(self._connection.argo_server).path + path + (f"?{query}" if query else "")
        timeout = options.get("timeout")
        timeouts = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        whole = body.encode() if isinstance(body, str) else body or b""
        request = _Request(method.upper(), target, headers, whole, timeouts)
        if options.get("auth") is not None:
            options["auth"](request)
        return request

    def _reply(self, request: _Request) -> Reply:
        """The answer up to its body. Raises OSError: `NotConnected` if the request was not sent."""
        connected = self._connected(request.timeouts[0])
        try:
            return connected.ask(request, self._idle.append)
        except BaseException:
            connected.close()
            raise

    def _connected(self, timeout: float | None) -> _Socket:
        while self._idle:
            connected = self._idle.pop()
            if connected.is_open():
                return connected
            connected.close()
        return _Socket(self._server, timeout)

    def _requests_session(self) -> Any:
        if self._of_requests is None:
            import requests

            self._of_requests = requests.Session()
            self._of_requests.mount(self._connection.argo_server, self._adapter())
        return self._of_requests

    def _adapter(self) -> Any:
        from hera_utils.platforms.own_server_adapter import OwnServerAdapter

        return OwnServerAdapter(self._connection.process)

    def __getattr__(self, name: str) -> Any:
        """Whoever uses another attribute of a requests session (its headers, its adapters) has one from now on."""
        if name.startswith("_"):
            raise AttributeError(name)
        self._is_customized = True
        return getattr(self._requests_session(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            self._is_customized = True
            setattr(self._requests_session(), name, value)

    def __enter__(self) -> OwnServerSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def close(self) -> None:
        self._close_idle()
        if self._of_requests is not None:
            self._of_requests.close()


class RejoiningSession(OwnServerSession):
    """A session for Hera's services, which know one address: after a crash of the local server, requests go to its successor."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._latest = LatestServer(
            connection, (NotConnected, ConnectionError), lambda error: isinstance(error, NotConnected)
        )

    def _reply(self, request: _Request) -> Reply:
        reply: Reply = self._latest.ask(
            request.method, request.headers.get("Authorization", ""), partial(self._reply_of, request)
        )
        return reply

    def _reply_of(self, request: _Request, server: Connection | None) -> Reply:
        if server is not None:
            if server is not self._server:
                self._server = server
                self._close_idle()
            request = replace(request, headers={**request.headers, "Authorization": f"Bearer {server.token}"})
        return super()._reply(request)

    def _adapter(self) -> Any:
        from hera_utils.platforms.own_server_adapter import RejoiningAdapter

        return RejoiningAdapter(self._connection)


class _Socket:
    """A connection to the local server, with one request at a time."""

    def __init__(self, connection: Connection, timeout: float | None) -> None:
        parts = urlsplit(connection.argo_server)
        self._host = parts.netloc
        self._socket = socket.socket()
        self._socket.settimeout(timeout)
        try:
            self._socket.connect((parts.hostname, parts.port or 80))
        except OSError as error:
            self.close()
            raise NotConnected(*error.args) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if why := why_not_ours(self._socket, connection.process):
            self.close()
            raise NotConnected(why)

    def is_open(self) -> bool:
        """Whether a connection that waits for its next request can still be used: the server has neither closed it nor said anything."""
        try:
            self._socket.settimeout(0)
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def ask(self, request: _Request, release: Callable[[_Socket], None]) -> Reply:
        """The answer up to its body. release: takes the connection after the end of the body, if it can be used again."""
        self._socket.settimeout(request.timeouts[1])
        with contextlib.suppress(BrokenPipeError):  # a server that refuses a body answers before it has read it
            self._socket.sendall(request.as_bytes(self._host))
        return Reply(self, f"http://{self._host}{request.target}", release)

    def receive(self) -> bytes:
        return self._socket.recv(_PIECE)

    def shut_down(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()


class Headers(dict[str, str]):
    """The headers of an answer, by names in any case."""

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class Reply:
    """An answer of the local server, as far as a `requests.Response` is used here and by Hera. Its body is read when it is asked for."""

    def __init__(self, connected: _Socket, url: str, release: Callable[[_Socket], None]) -> None:
        self.url, self.reason, self.headers = url, "", Headers()
        self.raw = self  # urllib3's response has the streams of a requests.Response
        self._connected: _Socket | None = connected
        self._release = release
        self._parser = httptools.HttpResponseParser(self)
        self._received: list[bytes] = []
        self._content: bytes | None = None
        self._has_begun = self._is_complete = self._is_reusable = False
        while not self._has_begun:
            self._receive()
        self.status_code: int = self._parser.get_status_code()
        self.version = 10 if self._parser.get_http_version() == "1.0" else 11

    # --- called by the parser -----------------------------------------------------------------------------------------
    def on_status(self, status: bytes) -> None:
        self.reason += status.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self._has_begun = True

    def on_body(self, piece: bytes) -> None:
        self._received.append(piece)

    def on_message_complete(self) -> None:
        self._is_complete, self._is_reusable = True, self._parser.should_keep_alive()

    # --- the body -----------------------------------------------------------------------------------------------------
    def _receive(self) -> None:
        if self._connected is None:
            raise ConnectionAbortedError("the answer was closed")
        data = self._connected.receive()
        if not data:
            if not self._has_begun or self.headers.keys() & {"content-length", "transfer-encoding"}:
                raise ConnectionResetError("the connection was closed within an answer")
            self._is_complete = True  # an answer that names no length ends with the connection
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ConnectionAbortedError(f"the answer is no HTTP: {error}") from None
        if self._is_reusable:
            self._release(self._connected)
            self._connected = None

    def stream(self, size: int = _PIECE, decode_content: bool = True) -> Iterator[bytes]:
        """The pieces of the body as they arrive, whatever their size. The server does not encode it, since no request asks for that."""
        if self._content is not None:
            yield self._content
            return
        while True:
            received, self._received = self._received, []
            yield from received
            if self._is_complete:
                break
            self._receive()
        self.close()

    iter_content = stream

    def shutdown(self) -> None:
        """End a read in which another thread waits."""
        if self._connected is not None:
            self._connected.shut_down()

    def read(self) -> bytes:
        """The whole body."""
        if self._content is None:
            self._content = b"".join(self.stream())
        return self._content

    @property
    def content(self) -> bytes:
        return self.read()

    @property
    def text(self) -> str:
        return self.read().decode("utf-8", "replace")

    @property
    def ok(self) -> bool:
        return self.status_code < 400

    is_success = ok  # Hera asks for it where an answer is not of requests

    def json(self) -> Any:
        return json.loads(self.read())

    def __getattr__(self, name: str) -> Any:
        """Whatever else a `requests.Response` has."""
        if name.startswith(("_", "on_")):  # the parser asks what it may call
            raise AttributeError(name)
        import requests

        answer = requests.Response()
        answer.status_code, answer.url, answer.reason, answer.raw = self.status_code, self.url, self.reason, self
        answer.headers.update(self.headers)
        answer.encoding = requests.utils.get_encoding_from_headers(answer.headers)
        return getattr(answer, name)

    def close(self) -> None:
        connected, self._connected = self._connected, None
        if connected is not None:
            connected.close()

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _items(value: Any) -> list[Any]:
    """The values of a parameter of a query, as requests takes them: none for None, several for a list."""
    values = value if isinstance(value, list | tuple) else [value]
    return [item for item in values if item is not None]


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _error_of_requests(error: OSError, url: str, *, has_begun: bool) -> OSError:
    """The error that a requests session raises in this case, for scripts that expect it. has_begun: whether the answer had begun."""
    import requests
    import urllib3.exceptions

    if isinstance(error, NotConnected):
        cause: Any = urllib3.exceptions.NewConnectionError(url, str(error))  # type: ignore[arg-type]
        return requests.ConnectionError(urllib3.exceptions.MaxRetryError(url, url, cause))  # type: ignore[arg-type]
    if isinstance(error, TimeoutError):
        return (requests.ConnectionError if has_begun else requests.ReadTimeout)(f"no answer in time: {url}")
    broken = urllib3.exceptions.ProtocolError("Connection aborted.", error)
    return requests.exceptions.ChunkedEncodingError(broken) if has_begun else requests.ConnectionError(broken)
