"""A run's progress in a notebook: one cell output that is written anew in place. HTML alone, without scripts or widgets.

What is imported here is there already when a notebook runs: IPython is no dependency of ours.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import Any

from hera_utils.argo.phases import UNSUCCESSFUL
from hera_utils.spans import stopwatch
from hera_utils.watch.display import UNICODE, Watch, awaited, row_text
from hera_utils.watch.progress import Progress, ordered

MOST_ROWS = 24
SHORTEST = 0.25  # seconds between two states: a notebook sends each over a socket and keeps the last
_COLOURS = {"Succeeded": "#2e7d32", "Failed": "#c62828", "Error": "#c62828", "Running": "#00838f"}


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel: nothing is imported to find out."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


class NotebookDisplay:
    """Shows one run below the cell that runs it."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock, self.watch = clock, Watch(clock)
        self.shown: Any = None
        self.last: Progress | None = None
        self.shown_at = 0.0

    def update(self, progress: Progress) -> None:
        self.last = progress
        if progress.over or self.clock() - self.shown_at >= SHORTEST:
            self._show(progress)

    def close(self) -> None:
        if self.last is not None:
            self._show(self.last)

    def _show(self, progress: Progress) -> None:
        ipython: Any = import_module("IPython.display")
        self.shown_at = self.clock()
        content = ipython.HTML(html_of(progress, self.watch.elapsed(progress)))
        if self.shown is None:
            self.shown = ipython.display(content, display_id=True)
        else:
            self.shown.update(content)


def html_of(progress: Progress, elapsed: float) -> str:
    """The run as a headline with a bar, its tasks below it (what failed and what runs first), then what it waits for."""
    remarks = [f"{progress.done}/{progress.total}{f' {progress.unit}' if progress.unit else ''}"]
    remarks += [f"{UNICODE.failed} {progress.failed} failed"] if progress.failed else []
    remarks += [f"{progress.retried} retried"] if progress.retried else []
    remarks.append(stopwatch(elapsed))
    left = progress.remaining(elapsed)
    remarks += [f"about {stopwatch(max(1.0, left))} left"] if left is not None else []
    bar = f'<progress value="{progress.done}" max="{max(1, progress.total)}" style="width: 16em"></progress>'
    phase = _coloured(f"{UNICODE.of(progress.phase)} {progress.phase}", progress.phase)
    parts = [f"<div><b>{escape(progress.name)}</b> {phase} {bar} {escape(' · '.join(remarks))}</div>"]
    rows, left_out = ordered(progress.rows, MOST_ROWS)
    cells = [
        _coloured(row_text(row, UNICODE), row.phase)
        for row in rows
        if len(progress.rows) > 1 or row.label != progress.name or row.phase in UNSUCCESSFUL
    ]
    if left_out:
        cells.append(f"… and {left_out} more")
    if cells:
        parts.append(f"<div>{' &ensp; '.join(cells)}</div>")
    parts += [f"<div>{escape(note)}</div>" for note in awaited(progress, UNICODE).values()]
    return "".join(parts)


def _coloured(text: str, phase: str) -> str:
    colour = _COLOURS.get(phase)
    return f'<span style="color: {colour}">{escape(text)}</span>' if colour else f"<span>{escape(text)}</span>"
