"""The log of a container: a line of text per line that it wrote, `<seconds since the epoch> <line>`; stdout and stderr are one stream."""

from __future__ import annotations

import contextlib
import os
import time

LONGEST = 1 << 20  # bytes; a longer line is cut into several
TAIL = 4 << 10  # bytes of each stream that are kept to say why a container failed
RESULT = 256 << 10  # bytes of stdout that become `outputs.result` (Argo: the last 256 kB)


class Log:
    """Takes what comes from the pipes of a container. capture: keep the end of stdout, too."""

    def __init__(self, path: str, *, capture: bool) -> None:
        self._fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._rest: dict[int, bytes] = {}
        self.captures = capture
        self._unwritten = b""
        self._tails = {1: b"", 2: b""}
        self._stdout: list[bytes] = []
        self._size = 0

    def take(self, stream: int, data: bytes) -> None:
        """data: bytes just read from stream 1 (stdout) or 2 (stderr)."""
        if self.captures and stream == 1:
            self._keep(data)
        self._tails[stream] = (self._tails[stream] + data[-TAIL:])[-TAIL:]
        data = self._rest.pop(stream, b"") + data
        lines = data.split(b"\n")
        rest = lines.pop()
        while len(rest) > LONGEST:
            lines.append(rest[:LONGEST])
            rest = rest[LONGEST:]
        if rest:
            self._rest[stream] = rest
        self._write(lines)

    def finish_lines(self) -> None:
        """Nothing more comes from the pipes: what has no newline at its end is a line as well."""
        self._write(list(self._rest.values()))
        self._rest.clear()

    def close(self) -> None:
        os.close(self._fd)

    def result(self) -> str:
        """stdout as Argo keeps it: one newline less at its end, at most the last 256 kB."""
        whole = b"".join(self._stdout)
        if whole.endswith(b"\n"):
            whole = whole[:-1]
        return whole[-RESULT:].decode(errors="replace")

    def tail(self) -> str:
        """The end of stderr; where nothing came by a pipe of its own, of all that was written."""
        return next((text for stream in (2, 1) if (text := self._tails[stream].decode(errors="replace").strip())), "")

    def _write(self, lines: list[bytes]) -> None:
        if lines:
            stamp = b"%.6f " % time.time()
            self._unwritten += b"".join([stamp + line + b"\n" for line in lines])
            with contextlib.suppress(OSError):  # the reader of the pipes asks `behind`
                self.catch_up()

    @property
    def behind(self) -> bool:
        """Whether something is not written yet, because the disk had no room: no more should be read then."""
        return bool(self._unwritten)

    def catch_up(self) -> None:
        """Write what is not written yet. Raises OSError."""
        while self._unwritten:
            self._unwritten = self._unwritten[os.write(self._fd, self._unwritten) :]

    def _keep(self, data: bytes) -> None:
        self._stdout.append(data)
        self._size += len(data)
        while self._size - len(self._stdout[0]) > RESULT + 1:
            self._size -= len(self._stdout.pop(0))


def plain(source: str, target: str) -> None:
    """The lines of a log without their times, as a file of their own."""
    with open(source, "rb") as lines, open(target, "wb") as file:
        for line in lines:
            file.write(line.partition(b" ")[2])
