"""An adapter for requests sessions with a tunnel of this process, or with the local server."""

from __future__ import annotations

import socket
from typing import Any

import requests.adapters
import urllib3
import urllib3.connection

from hera_utils.platforms.own_server import why_not_ours


class OwnServerAdapter(requests.adapters.HTTPAdapter):
    """Uses a connection only if the process has the other end."""

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
