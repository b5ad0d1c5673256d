"""Reading the log of a container, also while it is written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

HEARTBEAT = (0.0, "")
"""Between looks at a log that does not grow: a reader who left can close it then."""
_PAUSES = (0.02, 0.05, 0.1, 0.2)  # seconds between looks at a log that does not grow


def lines(folder: Path, container: str, *, wait: bool) -> Iterator[tuple[float, str]]:
    """(time, line) of a container of the pod in `folder`; with wait, until the pod has an outcome."""
    path = folder / "logs" / f"{container}.log"
    idle = 0
    while not path.exists():
        if not wait or (folder / "outcome.json").exists():
            return
        yield HEARTBEAT
        time.sleep(_PAUSES[min(idle, 3)])
        idle += 1
    with path.open("rb") as file:
        rest = b""
        while True:
            over = (folder / "outcome.json").exists()  # asked before reading: nothing is written after it
            data = file.read(1 << 16)
            if data:
                idle = 0
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    stamp, _, text = line.partition(b" ")
                    yield float(stamp), text.decode(errors="replace")
            elif not wait or over:
                return
            else:
                yield HEARTBEAT
                time.sleep(_PAUSES[min(idle, 3)])
                idle += 1
