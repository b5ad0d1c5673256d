"""Writes the log of a container, a line for each line that it wrote: `<seconds since the epoch> <line>`; stdout and stderr are merged."""

from __future__ import annotations

import contextlib
import os
import time

LONGEST = 1 << 20  # bytes; a longer line is cut into several
TAIL = 4 << 10  # last bytes of each stream, kept to show why a container failed
RESULT = 256 << 10  # bytes of stdout that become `outputs.result` (Argo: the last 256 kB)


class Log:
    """Takes the output of a container. capture: keep also the end of stdout."""

    def __init__(self, path: str, *, capture: bool) -> None:
        self._fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._rest: dict[int, bytes] = {}
        self.captures = capture
        self._unwritten = b""
        self._tails = {1: b"", 2: b""}
        self._stdout: list[bytes] = []
        self._size = 0

    def take(self, stream: int, data: bytes) -> None:
        """Log bytes that were just read from stream 1 (stdout) or 2 (stderr)."""
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
        """Write incomplete lines, after the end of the output."""
        self._write(list(self._rest.values()))
        self._rest.clear()

    def close(self) -> None:
        os.close(self._fd)

    def result(self) -> str:
        """stdout as Argo keeps it: without one newline at its end, at most the last 256 kB."""
        whole = b"".join(self._stdout)
        if whole.endswith(b"\n"):
            whole = whole[:-1]
        return whole[-RESULT:].decode(errors="replace")

    def tail(self) -> str:
        """The end of stderr; if stderr has no pipe of its own, the end of all output."""
        texts = (self._tails[stream].decode(errors="replace") for stream in (2, 1))
        return next((text.rstrip() for text in texts if text.strip()), "")

    def _write(self, lines: list[bytes]) -> None:
        if lines:
            stamp = b"%.6f " % time.time()
            self._unwritten += b"".join([stamp + line + b"\n" for line in lines])
            with contextlib.suppress(OSError):  # the caller checks `has_unwritten_output`
                self.catch_up()

    @property
    def has_unwritten_output(self) -> bool:
        """Whether output is not written yet because the disk is full; then no more should be read."""
        return bool(self._unwritten)

    def catch_up(self) -> None:
        """Write the output that is not written yet. Raises OSError."""
        while self._unwritten:
            self._unwritten = self._unwritten[os.write(self._fd, self._unwritten) :]

    def _keep(self, data: bytes) -> None:
        self._stdout.append(data)
        self._size += len(data)
        while self._size - len(self._stdout[0]) > RESULT + 1:
            self._size -= len(self._stdout.pop(0))


def plain(source: str, target: str) -> None:
    """Write the lines of a log without their times to another file."""
    with open(source, "rb") as lines, open(target, "wb") as file:
        for line in lines:
            file.write(line.partition(b" ")[2])
