"""The pipe `pods/.wire`, in which supervisors tell the server at once what happens, one JSON object a line, as long as there is a server.

{"uid", "is": "started", "at", "ip"}             the pod runs and is ready
{"uid", "is": "progress", "at", "progress"}      a task wrote N/M
{"uid", "is": "waiting", "message"}              why it does not go on, "" when it does again
{"uid", "is": "finished", "outcome"}             its outcome is written; without "outcome" where a line cannot hold it

The kernel takes lines of up to 4 kB whole. A message may be lost with its server: what counts is in the pod's folder.
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
    """A worker's end: it stays open, also from one server to the next."""

    def __init__(self, state: str) -> None:
        self._path = _path(state)
        self._fd = -1

    def send(self, message: Json, outcome: str = "", after: Json | None = None) -> None:
        """A line to the server if one listens: a later one reads the folders. outcome: JSON, sent along when the line stays short. after: a
        message that comes before this one, mostly in one piece with it.
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
    """The server's end. state: the state folder, in which `pods` is there."""

    def __init__(self, state: str) -> None:
        if not os.path.exists(_path(state)):
            os.mkfifo(_path(state), 0o600)
        self._fd = os.open(_path(state), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._rest = b""

    def fileno(self) -> int:
        return self._fd

    def read(self) -> list[Json]:
        """The messages that have come since the last time."""
        try:
            data = self._rest + os.read(self._fd, _ALL)
        except BlockingIOError:
            return []
        *lines, self._rest = data.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        os.close(self._fd)
