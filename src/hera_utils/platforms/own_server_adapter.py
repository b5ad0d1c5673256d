"""An adapter for requests sessions with a tunnel of this process, or with the local server."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import requests.adapters
import urllib3
import urllib3.connection

from hera_utils.platforms.own_server import LatestServer, why_not_ours

if TYPE_CHECKING:
    from hera_utils.platforms.connection import Connection


class OwnServerAdapter(requests.adapters.HTTPAdapter):
    """Uses a connection only if the process has the other end."""

    def __init__(self, process: int | None = None) -> None:
        """process: the id of the process that listens; None if unknown: then any process of this user is accepted."""
        self.process = process
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(urllib3.HTTPConnectionPool, _Connection, self.process),
            "https": _pool(urllib3.HTTPSConnectionPool, _TlsConnection, self.process),
        }


class RejoiningAdapter(requests.adapters.BaseAdapter):
    """Does for a requests session what a `RejoiningSession` does: for one of the script, or with headers of its own."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._first_address = connection.argo_server
        self._latest = LatestServer(connection, (requests.ConnectionError,), _was_never_sent)
        self._adapter = OwnServerAdapter(connection.process)

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        path = str(request.url).removeprefix(self._first_address)

        def send_to(server: Connection | None) -> requests.Response:
            if server is not None:
                if server.process != self._adapter.process:
                    self._adapter.close()
                    self._adapter = OwnServerAdapter(server.process)
                request.url = server.argo_server + path
                request.headers["Authorization"] = f"Bearer {server.token}"
            return self._adapter.send(request, *arguments, **options)

        answer: requests.Response = self._latest.ask(
            str(request.method), request.headers.get("Authorization", ""), send_to
        )
        return answer

    def close(self) -> None:
        self._adapter.close()


def _was_never_sent(error: OSError) -> bool:
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
        if self.sock is not None and (why := why_not_ours(self.sock, self.process)):
            self.close()  # type: ignore[attr-defined]
            raise urllib3.exceptions.NewConnectionError(self, why)  # type: ignore[arg-type]


class _Connection(_OwnConnection, urllib3.connection.HTTPConnection):
    pass


class _TlsConnection(_OwnConnection, urllib3.connection.HTTPSConnection):
    pass
