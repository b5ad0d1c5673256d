"""Cuts a connection to a registry that sends a byte now and then, or endless headers: a socket's timeout never ends such a one."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

_of_thread = threading.local()  # `sockets`: the sockets of this thread's last request


class ConnectionGuard:
    """Shuts this thread's sockets down when `note_progress` was not called for too long."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._sockets = seconds, _sockets()
        self._over = threading.Event()
        self._has_moved = self.has_cut = False

    def note_progress(self) -> None:
        """Data arrived: the time starts again."""
        self._has_moved = True

    def end(self) -> None:
        self._over.set()

    def watch(self) -> None:
        while not self._over.wait(self._seconds):
            if not self._has_moved:
                self.has_cut = True
                for connected in list(self._sockets):
                    with contextlib.suppress(OSError):
                        connected.shutdown(socket.SHUT_RDWR)
                return
            self._has_moved = False


@contextlib.contextmanager
def cut_if_stalled(seconds: float) -> Iterator[ConnectionGuard]:
    """Cut the block's connection when `note_progress` was not called for so many seconds (at most nearly twice as many)."""
    guard = ConnectionGuard(seconds)
    threading.Thread(target=guard.watch, name="answer-deadline", daemon=True).start()
    try:
        yield guard
    finally:
        guard.end()


@contextlib.contextmanager
def raise_after(seconds: float) -> Iterator[None]:
    """Raise TimeoutError where the block has not ended after so many seconds."""
    with cut_if_stalled(seconds) as guard:
        try:
            yield
        except Exception:
            if not guard.has_cut:
                raise
        if guard.has_cut:
            raise TimeoutError("timed out") from None


def watch_connections(manager: urllib3.PoolManager) -> None:
    """Make the connections of a pool record their sockets, so that `cut_if_stalled` and `raise_after` can cut them."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _sockets() -> list[socket.socket]:
    return _of_thread.__dict__.setdefault("sockets", [])  # type: ignore[no-any-return]


class _RecordsSocket:
    """A connection that records its socket when it connects (TLS then replaces the socket) and with each request."""

    sock: Any

    def _new_conn(self) -> socket.socket:
        new: socket.socket = super()._new_conn()  # type: ignore[misc]
        _sockets()[:] = [new]
        return new

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        _sockets()[:] = [self.sock]

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            _sockets()[:] = [self.sock]
        super().request(*args, **kwargs)  # type: ignore[misc]


class _Connection(_RecordsSocket, HTTPConnection):
    pass


class _TlsConnection(_RecordsSocket, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
