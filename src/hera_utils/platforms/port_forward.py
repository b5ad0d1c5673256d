"""A tunnel to a pod's port through the Kubernetes API, like `kubectl port-forward`: it listens on this machine's loopback.

Each connection becomes one websocket to `…/pods/NAME/portforward` (subprotocol v4.channel.k8s.io: each message begins with the number of
its channel, 0 data, 1 error; the first message of each channel is the port). The pod is looked up again for each connection, so it may be
replaced. Every user of this machine can use the tunnel, as with kubectl; Argo still requires its token.
"""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from hera_utils.errors import AccessError, HeraUtilsError
from hera_utils.platforms.cluster_access import ClusterAccess
from hera_utils.settings.address import endpoint
from hera_utils.wording import system_reason

_PROTOCOL = "v4.channel.k8s.io"
_DATA, _ERROR = 0, 1
_CHUNK = 1 << 16
_SECONDS = 15.0  # for the connection and its handshake

Pod = Callable[[], tuple[str, str, int]]
"""Returns (namespace, pod, port) of a pod that is ready now."""


class PortForward:
    """Listens until `close()`. address: (host, port) on this machine. failure: why the newest connection failed, or None."""

    def __init__(self, access: ClusterAccess, pod: Pod, proxy: str | None = None) -> None:
        """proxy: the setting `proxy`."""
        self._access, self._pod, self._named_proxy = access, pod, proxy
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self.failure: HeraUtilsError | None = None
        threading.Thread(target=self._listen, name="port-forward", daemon=True).start()

    def __repr__(self) -> str:
        return f"PortForward({self.address[0]}:{self.address[1]})"

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(here,), name="port-forward", daemon=True).start()

    def _serve(self, here: socket.socket) -> None:
        with here:
            try:
                namespace, pod, port = self._pod()
                path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/portforward?ports={port}"
                there = WebSocket.open(self._access, path, self._named_proxy)
            except HeraUtilsError as error:
                self.failure = error
                return
            except OSError as error:
                self.failure = _broken_error(self._access, system_reason(error))
                return
            self.failure = None
            with there, contextlib.suppress(OSError):
                self._relay(here, there)

    def _relay(self, here: socket.socket, there: WebSocket) -> None:
        """Relay in both directions until one side closes. In one thread, because two threads must not use a TLS connection at once."""
        started: set[int] = set()
        while True:
            readable = [there.wire] if there.pending() else select.select([here, there.wire], [], [])[0]
            if here in readable:
                chunk = here.recv(_CHUNK)
                if not chunk:
                    return
                there.send(bytes([_DATA]) + chunk)
            if there.wire not in readable:
                continue
            for message in there.receive_messages():
                channel, rest = message[0], message[1:]
                if channel not in started:  # the port, in two bytes
                    started.add(channel)
                    rest = rest[2:]
                if channel == _DATA and rest:
                    here.sendall(rest)
                elif channel == _ERROR and rest:
                    self.failure = _broken_error(self._access, rest.decode("utf-8", "replace").strip()[:200])
                    return
            if there.over:
                return


class WebSocket:
    """A websocket to a Kubernetes API, for one thread. over: the other side has closed it."""

    def __init__(self, wire: socket.socket, protocol: Any) -> None:
        self.wire, self.over = wire, False
        self._protocol = protocol
        self._pieces: list[bytes] = []
        self._accepted: list[bytes] = []

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    @classmethod
    def open(cls, access: ClusterAccess, path: str, proxy: str | None = None) -> WebSocket:
        """Raises AccessError if the API refuses it, OSError if nothing answers."""
        from wsproto import ConnectionType, WSConnection
        from wsproto.events import Request

        parts = urlsplit(access.address.server)
        wire = _open_connection(access, proxy)
        try:
            connection = cls(wire, WSConnection(ConnectionType.CLIENT))
            headers = [(name.encode(), value.encode()) for name, value in access.headers()]
            target = parts.path.rstrip("/") + path
            host = parts.netloc.rpartition("@")[2]
            request = Request(host=host, target=target, subprotocols=[_PROTOCOL], extra_headers=headers)
            wire.sendall(connection._protocol.send(request))
            connection._shake_hands(access)
            wire.settimeout(None)
            return connection
        except BaseException:
            wire.close()
            raise

    def _shake_hands(self, access: ClusterAccess) -> None:
        from wsproto.events import AcceptConnection, RejectConnection, RejectData
        from wsproto.utilities import RemoteProtocolError

        status, answer, ended = 0, b"", False
        while not ended:
            received = self.wire.recv(_CHUNK)
            try:
                self._protocol.receive_data(received or None)
                for event in self._protocol.events():
                    if isinstance(event, AcceptConnection):
                        self._accepted = self._read()  # messages that arrived together with the answer
                        return
                    if isinstance(event, RejectConnection):
                        status, ended = event.status_code, not event.has_body
                    elif isinstance(event, RejectData):
                        answer, ended = answer + event.data, event.body_finished
            except RemoteProtocolError:
                break
            ended = ended or not received
        raise _refused_error(access, status, answer)

    def pending(self) -> bool:
        """Whether data has arrived that `select` on the wire would not show."""
        return bool(self._accepted) or (isinstance(self.wire, ssl.SSLSocket) and self.wire.pending() > 0)

    def send(self, data: bytes) -> None:
        from wsproto.events import BytesMessage

        self.wire.sendall(self._protocol.send(BytesMessage(data=data)))

    def receive_messages(self) -> list[bytes]:
        """Read once from the wire; the messages that are complete then."""
        if self._accepted:
            waiting, self._accepted = self._accepted, []
            return waiting
        chunk = self.wire.recv(_CHUNK)
        if not chunk:
            self.over = True
            return []
        self._protocol.receive_data(chunk)
        return self._read()

    def _read(self) -> list[bytes]:
        from wsproto.events import BytesMessage, CloseConnection, Ping

        frames = []
        for event in self._protocol.events():
            if isinstance(event, BytesMessage):
                self._pieces.append(bytes(event.data))
                if event.message_finished:
                    frames.append(b"".join(self._pieces))
                    self._pieces = []
            elif isinstance(event, Ping):
                self.wire.sendall(self._protocol.send(event.response()))
            elif isinstance(event, CloseConnection):
                self.over = True
        return [message for message in frames if message]


def _open_connection(access: ClusterAccess, named_proxy: str | None) -> socket.socket:
    """A connection to the API, through its proxy and with TLS if it has them."""
    parts = urlsplit(access.address.server)
    host, port = endpoint(access.address.server)
    through = access.proxy(named_proxy)
    wire = _connect_by_proxy(through, host, port) if through else socket.create_connection((host, port), _SECONDS)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return access.tls().wrap_socket(wire, server_hostname=host) if parts.scheme == "https" else wire


def _connect_by_proxy(through: str, host: str, port: int) -> socket.socket:
    """A connection through an HTTP proxy, by CONNECT."""
    parts = urlsplit(through if "://" in through else f"http://{through}")
    if parts.scheme != "http":
        raise AccessError(
            f"a {parts.scheme} proxy cannot carry a tunnel to the Argo server's pod",
            fix="name an http:// proxy with --proxy, or name the server with --argo_server",
        )
    wire = socket.create_connection((str(parts.hostname), parts.port or 80), _SECONDS)
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {name} HTTP/1.1", f"Host: {name}"]
    if parts.username:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append("Proxy-Authorization: Basic " + base64.b64encode(pair.encode()).decode())
    wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < _CHUNK:
        received = wire.recv(1)  # one byte at a time: the bytes after the proxy's answer are not for us
        if not received:
            break
        answer += received
    if answer.split(b" ")[1:2] != [b"200"]:
        wire.close()
        status = answer.split(b"\r\n")[0].decode("latin-1")[:80]
        raise AccessError(
            f"the HTTP proxy does not lead to the cluster ({status or 'no answer'})", fix="correct the proxy"
        )
    return wire


def _refused_error(access: ClusterAccess, status: int, answer: bytes) -> AccessError:
    try:
        message = str(json.loads(answer).get("message") or "")
    except (ValueError, AttributeError):
        message = ""
    fix = "name the server with --argo_server, or ask the cluster's owner for the permission: create pods/portforward"
    return _broken_error(access, message or (f"status {status}" if status else "no answer"), fix)


def _broken_error(access: ClusterAccess, why: str, fix: str = "") -> AccessError:
    return AccessError(
        f"no way through the Kubernetes API at {access.address.server} to the Argo server's pod: {why}",
        fix=fix or "check that the pod is running, or name the server with --argo_server",
    )
