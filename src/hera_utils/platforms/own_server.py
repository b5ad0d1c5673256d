"""Finds out whether this user's server has the other end of a connection, and which server to ask after its crash.

After a crash of the server any user of the machine, or a task of the same user, could listen on its port, and a client that reconnects
would send it the token. So the kernel is asked, once for each connection and before anything is sent, which user has the other end and
which process listens.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hera_utils.local_platform.socket_owner import end_uid, is_listening
from hera_utils.platforms.token import bare_token

if TYPE_CHECKING:
    from hera_utils.platforms.connection import Connection

_REJOIN_PAUSES = (0.1, 0.3, 1.0, 2.0)  # seconds before a request to the successor of a crashed server
_PAUSES = (0.0, 0.001, 0.01, 0.1)  # seconds: the kernel may list a new connection a moment later
REFUSED_ENDS = (
    "another user of this machine has that port",
    "its port is another process's now",
    "its process has just ended",
)
"""The reasons why a connection is not used."""


def why_not_ours(connection: socket.socket, process: int | None) -> str:
    """Why a connection must not be used, "" if it may. process: the id of the process that listens; None if unknown: then any process of
    this user is accepted.
    """
    user = owner(connection)
    if user != os.geteuid() and sys.platform.startswith("linux"):  # other systems cannot tell
        return REFUSED_ENDS[2] if user is None else REFUSED_ENDS[0]
    try:
        address = connection.getpeername()[:2]
    except OSError as error:  # the other end has closed it
        return str(error)
    return "" if process is None or is_listening(process, address) else REFUSED_ENDS[1]


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


class LatestServer:
    """The local server and, after its crash, its successor: for clients that know one address only.

    A request is sent again only if it cannot be done twice: if it is a read, if there was no connection, or if the next server, on the same
    port, refused the token.
    """

    def __init__(
        self, connection: Connection, broken: tuple[type[OSError], ...], was_never_sent: Callable[[OSError], bool]
    ) -> None:
        """broken: the errors that a client raises when the server is gone. was_never_sent: whether one of them came before the request."""
        self._token, self._latest = connection.token, connection
        self._broken, self._was_never_sent = broken, was_never_sent

    def ask(self, method: str, authorization: str, send: Callable[[Connection | None], Any]) -> Any:
        """The answer to a request. send: sends it to a server, with that server's token; None: as it is."""
        if bare_token(authorization) != self._token:
            return send(None)  # the script's own token must not go to another server
        for pause in _REJOIN_PAUSES:
            try:
                answer = send(self._latest)
                if answer.status_code != 401 or self._latest.rejoin is None:
                    return answer
                answer.close()
            except self._broken as error:
                if self._latest.rejoin is None or not (method == "GET" or self._was_never_sent(error)):
                    raise
            time.sleep(pause)
            self._latest = self._latest.rejoin()
        return send(self._latest)
