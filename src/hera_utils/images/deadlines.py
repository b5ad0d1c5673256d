"""Cuts a connection to a registry that sends a byte now and then, or heads without end: no time-out of a socket ever passes for that."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

_here = threading.local()  # `sockets`: those of this thread's last request


class Guard:
    """Of a block that `within` watches."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._sockets = seconds, _sockets()
        self._over = threading.Event()
        self._has_moved = self.has_cut = False

    def moved(self) -> None:
        """Enough has come: the time begins anew."""
        self._has_moved = True

    def end(self) -> None:
        self._over.set()

    def watch(self) -> None:
        while not self._over.wait(self._seconds):
            if not self._has_moved:
                self.has_cut = True
                for one in list(self._sockets):
                    with contextlib.suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)
                return
            self._has_moved = False


@contextlib.contextmanager
def guarded(seconds: float) -> Iterator[Guard]:
    """Cut the block's connection when nothing has `moved` for so many seconds, or nearly twice as many."""
    guard = Guard(seconds)
    threading.Thread(target=guard.watch, name="answer-deadline", daemon=True).start()
    try:
        yield guard
    finally:
        guard.end()


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """TimeoutError where the block has not ended after so many seconds."""
    with guarded(seconds) as guard:
        try:
            yield
        except Exception:
            if not guard.has_cut:
                raise
        if guard.has_cut:
            raise TimeoutError("timed out") from None


def watch_connections(manager: urllib3.PoolManager) -> None:
    """Have the connections of a pool known to `within`."""
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _sockets() -> list[socket.socket]:
    return _here.__dict__.setdefault("sockets", [])  # type: ignore[no-any-return]


class _Noted:
    """A connection whose socket is noted, as it is made (TLS puts another in its place) and with each request."""

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


class _Connection(_Noted, HTTPConnection):
    pass


class _TlsConnection(_Noted, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection
