"""Connections to the local server, which are used only if the server's process has the other end.

After a crash of the server any user of the machine, or a task of the same user, could listen on its port, and a client that reconnects
would send it the token. So the kernel is asked, once for each connection and before anything is sent, which user has the other end and
which process listens.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

import requests
import requests.adapters
import urllib3
import urllib3.connection

from hera_utils.local_platform.socket_owner import end_uid, is_listening
from hera_utils.platforms.token import bare_token

if TYPE_CHECKING:
    from hera_utils.platforms.connection import Connection

_REJOIN_PAUSES = (0.1, 0.3, 1.0, 2.0)  # seconds
_PAUSES = (0.0, 0.001, 0.01, 0.1)  # seconds: the kernel may list a new connection a moment later


class OwnServerAdapter(requests.adapters.HTTPAdapter):
    """An adapter for sessions with the local server, or with a tunnel of this process."""

    def __init__(self, process: int | None = None) -> None:
        """process: the id of the process that listens; None if unknown: then any process of this user is accepted."""
        self._process = process
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(urllib3.HTTPConnectionPool, _Connection, self._process),
            "https": _pool(urllib3.HTTPSConnectionPool, _TlsConnection, self._process),
        }


class RejoiningAdapter(requests.adapters.BaseAdapter):
    """An adapter for Hera's sessions, which know one address: after a crash of the local server, requests go to its successor.

    connection: to the local server. A request is repeated only if it cannot be done twice: if it is a read, if there was no connection,
    or if the next server, on the same port, refused the token.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._first = self._now = connection
        self._adapter = OwnServerAdapter(connection.process)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        if bare_token(request.headers.get("Authorization", "")) != self._first.token:
            # The script's own token must not go to another server.
            return self._adapter.send(request, *arguments, **options)
        path = str(request.url).removeprefix(self._first.argo_server)
        for pause in _REJOIN_PAUSES:
            try:
                answer = self._adapter.send(self._redirect_to_server(request, path), *arguments, **options)
                if answer.status_code != 401 or self._now.rejoin is None:
                    return answer
                answer.close()
            except requests.ConnectionError as error:
                if self._now.rejoin is None or not (_is_connection_refused(error) or request.method == "GET"):
                    raise
            time.sleep(pause)
            self._now = self._now.rejoin()
            self._adapter.close()
            self._adapter = OwnServerAdapter(self._now.process)
        return self._adapter.send(self._redirect_to_server(request, path), *arguments, **options)

    def _redirect_to_server(self, request: requests.PreparedRequest, path: str) -> requests.PreparedRequest:
        request.url = self._now.argo_server + path
        request.headers["Authorization"] = f"Bearer {self._now.token}"
        return request

    def close(self) -> None:
        self._adapter.close()


def _is_connection_refused(error: requests.ConnectionError) -> bool:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _pool(pool: Any, connection: Any, process: int | None) -> Any:
    return type(
        pool.__name__, (pool,), {"ConnectionCls": type(connection.__name__, (connection,), {"process": process})}
    )


class _OwnConnection:
    """Checks which user and which process have the other end, before anything is sent."""

    process: int | None = None
    sock: socket.socket | None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        if self.sock is None:
            return
        whose = owner(self.sock)
        if whose != os.geteuid() and sys.platform.startswith("linux"):  # other systems cannot tell
            self.close()  # type: ignore[attr-defined]
            why = "its process has just ended" if whose is None else "another user of this machine has that port"
            raise urllib3.exceptions.NewConnectionError(self, why)  # type: ignore[arg-type]
        try:
            address = self.sock.getpeername()[:2]
        except OSError as error:  # the other end has closed it
            self.close()  # type: ignore[attr-defined]
            raise urllib3.exceptions.NewConnectionError(self, str(error)) from error  # type: ignore[arg-type]
        if self.process is not None and not is_listening(self.process, address):
            self.close()  # type: ignore[attr-defined]
            why = "its port is another process's now"
            raise urllib3.exceptions.NewConnectionError(self, why)  # type: ignore[arg-type]


class _Connection(_OwnConnection, urllib3.connection.HTTPConnection):
    pass


class _TlsConnection(_OwnConnection, urllib3.connection.HTTPSConnection):
    pass


def owner(connection: socket.socket) -> int | None:
    """The user id of the process that has the other end; None if that process was killed, or if it is unknown."""
    try:
        here, there = connection.getsockname()[:2], connection.getpeername()[:2]
    except OSError:  # the connection is closed already
        return None
    for pause in _PAUSES:
        time.sleep(pause)
        user = end_uid(there, here, awaited=True)
        if user is not None:
            return user
    return None
