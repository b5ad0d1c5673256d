"""The way to this machine's own server: a connection is used only when the server's process has its other end.

When the server has died, every user of the machine may take its port, and would be sent the token by a client that comes back; so could
a task, which is this user's too. The kernel says whose the other end of a connection is, and which process listens; it is asked once a
connection, before anything is sent.
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
_PAUSES = (0.0, 0.001, 0.01, 0.1)  # seconds: the kernel may list a connection a moment after it is there


class OwnServerAdapter(requests.adapters.HTTPAdapter):
    """For a session that speaks to this machine's own server, or to a tunnel of this process."""

    def __init__(self, process: int | None = None) -> None:
        """process: the one that listens; None when it is not known, then any of this user's is believed."""
        self._process = process
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(urllib3.HTTPConnectionPool, _Connection, self._process),
            "https": _pool(urllib3.HTTPSConnectionPool, _TlsConnection, self._process),
        }


class RejoiningAdapter(requests.adapters.BaseAdapter):
    """For a session of Hera's, which knows one address: what finds its server killed goes to the one that takes its place.

    connection: of this machine. A request is sent again only when none of it was done: it is a reading, it found nobody, or the next
    server, on the same port, refused the token.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._first = self._now = connection
        self._adapter = OwnServerAdapter(connection.process)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        if bare_token(request.headers.get("Authorization", "")) != self._first.token:
            return self._adapter.send(request, *arguments, **options)  # the script's own token, which goes nowhere else
        path = str(request.url).removeprefix(self._first.argo_server)
        for pause in _REJOIN_PAUSES:
            try:
                answer = self._adapter.send(self._addressed(request, path), *arguments, **options)
                if answer.status_code != 401 or self._now.rejoin is None:
                    return answer
                answer.close()
            except requests.ConnectionError as error:
                if self._now.rejoin is None or not (_found_nobody(error) or request.method == "GET"):
                    raise
            time.sleep(pause)
            self._now = self._now.rejoin()
            self._adapter.close()
            self._adapter = OwnServerAdapter(self._now.process)
        return self._adapter.send(self._addressed(request, path), *arguments, **options)

    def _addressed(self, request: requests.PreparedRequest, path: str) -> requests.PreparedRequest:
        request.url = self._now.argo_server + path
        request.headers["Authorization"] = f"Bearer {self._now.token}"
        return request

    def close(self) -> None:
        self._adapter.close()


def _found_nobody(error: requests.ConnectionError) -> bool:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError)


def _pool(pool: Any, connection: Any, process: int | None) -> Any:
    return type(
        pool.__name__, (pool,), {"ConnectionCls": type(connection.__name__, (connection,), {"process": process})}
    )


class _OwnConnection:
    """Looks whose the other end is, before anything is asked."""

    process: int | None = None
    sock: socket.socket | None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        if self.sock is None:
            return
        whose = owner(self.sock)
        if whose != os.geteuid() and sys.platform.startswith("linux"):  # nobody can tell elsewhere, and it is believed
            self.close()  # type: ignore[attr-defined]
            why = "its process has just ended" if whose is None else "another user of this machine has that port"
            raise urllib3.exceptions.NewConnectionError(self, why)  # type: ignore[arg-type]
        try:
            address = self.sock.getpeername()[:2]
        except OSError as error:  # it has ended since
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
    """The user id of the process that has the other end; None when there is none, as it was killed, or nobody can tell."""
    try:
        here, there = connection.getsockname()[:2], connection.getpeername()[:2]
    except OSError:  # it is closed already
        return None
    for pause in _PAUSES:
        time.sleep(pause)
        user = end_uid(there, here, awaited=True)
        if user is not None:
            return user
    return None
