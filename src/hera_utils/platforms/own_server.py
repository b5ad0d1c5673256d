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
        if self.sock is not None and not is_ours(self.sock):
            self.close()
            raise urllib3.exceptions.NewConnectionError(self, "another user of this machine has that port")


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


def is_ours(connection: socket.socket) -> bool:
    """Whether a process of this user has the other end. Elsewhere than on Linux nobody can tell, and it is believed."""
    if not sys.platform.startswith("linux"):
        return True
    here, there = connection.getsockname()[:2], connection.getpeername()[:2]
    for pause in _PAUSES:
        time.sleep(pause)
        owner = end_uid(there, here, awaited=True)
        if owner is not None:
            return owner == os.geteuid()
    return False
