"""The pipe `pods/.wire`, on which supervisors report to the server, one JSON object per line, while a server runs.

{"uid", "is": "started", "at", "ip"}             the pod runs and is ready
{"uid", "is": "progress", "at", "progress"}      a task wrote N/M
{"uid", "is": "waiting", "message"}              why the pod waits, "" when it continues
{"uid", "is": "finished", "outcome"}             its outcome is written; without "outcome" where the line would be too long

The kernel writes lines of up to 4 kB atomically. A message may be lost with its server; the pod's folder has the same information.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from typing import Any

Json = dict[str, Any]
_TRIES = 200
_ALL = 1 << 16  # bytes that a pipe holds


def _path(state: str) -> str:
    return f"{state}/pods/.wire"


class Sender:
    """A worker's end, which stays open even when the server is replaced."""

    def __init__(self, state: str) -> None:
        self._path = _path(state)
        self._fd = -1

    def send(self, message: Json, outcome: str = "", after: Json | None = None) -> None:
        """Send a line if a server listens; a later server reads the folders. outcome: JSON, sent if the line stays short enough. after: a
        message to send before this one, in the same write if possible.
        """
        line = json.dumps(message).encode()
        if outcome and len(line) + len(outcome) + 32 <= select.PIPE_BUF:
            line = b'%b, "outcome": %b}' % (line[:-1], outcome.encode())
        if after is not None:
            first = json.dumps(after).encode()
            if len(first) + len(line) + 2 <= select.PIPE_BUF:
                line = first + b"\n" + line
            else:
                self._write(first)
        self._write(line)

    def _write(self, line: bytes) -> None:
        with contextlib.suppress(OSError):
            if self._fd < 0:
                self._fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            for _ in range(_TRIES):
                try:
                    os.write(self._fd, line + b"\n")
                    return
                except BlockingIOError:
                    time.sleep(0.01)


class Wire:
    """The server's end. state: the state folder, which must have the folder `pods`."""

    def __init__(self, state: str) -> None:
        if not os.path.exists(_path(state)):
            os.mkfifo(_path(state), 0o600)
        self._fd = os.open(_path(state), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._rest = b""

    def fileno(self) -> int:
        return self._fd

    def read(self) -> list[Json]:
        """The messages that have arrived since the last call."""
        try:
            data = self._rest + os.read(self._fd, _ALL)
        except BlockingIOError:
            return []
        *lines, self._rest = data.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        os.close(self._fd)
