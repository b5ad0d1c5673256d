"""The way to this machine's own server: a connection is used only when a process of this user has its other end.

When the server has died, every user of the machine may take its port, and would be sent the token by a client that comes back. The
kernel says whose the other end of a connection is; it is asked once a connection, before anything is sent.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from typing import Any

import requests.adapters
import urllib3
import urllib3.connection

from hera_utils.local_platform.socket_owner import end_uid

_PAUSES = (0.0, 0.001, 0.01, 0.1)  # seconds: the kernel may list a connection a moment after it is there


class OwnServerAdapter(requests.adapters.HTTPAdapter):
    """For a session that speaks to this machine's own server."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        pools = self.poolmanager.pool_classes_by_scheme
        self.poolmanager.pool_classes_by_scheme = {**pools, "http": _Pool}


class _Connection(urllib3.connection.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        if self.sock is None:
            return
        whose = owner(self.sock)
        if whose != os.geteuid() and sys.platform.startswith("linux"):  # nobody can tell elsewhere, and it is believed
            self.close()
            why = "its process has just ended" if whose is None else "another user of this machine has that port"
            raise urllib3.exceptions.NewConnectionError(self, why)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


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
