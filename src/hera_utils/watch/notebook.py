"""A run's progress in a notebook: one cell output that is updated in place. Plain HTML, without scripts or widgets.

IPython is no dependency of hera_utils: it is imported only here, and in a notebook it is always installed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import Any

from hera_utils.argo.phases import UNSUCCESSFUL
from hera_utils.watch.progress import Progress, RunClock, choose_rows
from hera_utils.watch.progress_text import UNICODE, count_text, others_text, remarks, row_text, waiting_sentences

MOST_ROWS = 24
SHORTEST = 0.25  # seconds between two updates: a notebook sends each over a socket and shows only the last
_COLOURS = {"Succeeded": "#2e7d32", "Failed": "#c62828", "Error": "#c62828", "Running": "#00838f"}


class NotebookDisplay:
    """Shows one run in the output of the cell that runs it."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.clock, self.run_clock = clock, RunClock(clock)
        self._handle: Any = None
        self.last: Progress | None = None
        self._drawn_at = 0.0

    def update(self, progress: Progress) -> None:
        self.last = progress
        if progress.is_over or self.clock() - self._drawn_at >= SHORTEST:
            self._show(progress)

    def close(self) -> None:
        if self.last is not None:
            self._show(self.last)

    def _show(self, progress: Progress) -> None:
        ipython: Any = import_module("IPython.display")
        self._drawn_at = self.clock()
        content = ipython.HTML(html_of(progress, self.run_clock.elapsed(progress)))
        if self._handle is None:
            self._handle = ipython.display(content, display_id=True)
        else:
            self._handle.update(content)


def html_of(progress: Progress, elapsed: float) -> str:
    """The run as HTML: a headline with a bar, its tasks (failed and running ones first), then what it waits for."""
    facts = [count_text(progress), *remarks(progress, elapsed, UNICODE)]
    bar = f'<progress value="{progress.done}" max="{max(1, progress.total)}" style="width: 16em"></progress>'
    phase = _colour(f"{UNICODE.of(progress.phase)} {progress.phase}", progress.phase)
    parts = [f"<div><b>{escape(progress.name)}</b> {phase} {bar} {escape(' · '.join(facts))}</div>"]
    rows, not_shown = choose_rows(progress.rows, MOST_ROWS)
    cells = [
        _colour(row_text(row, UNICODE), row.phase)
        for row in rows
        if len(progress.rows) > 1 or row.label != progress.name or row.phase in UNSUCCESSFUL
    ]
    if counts := others_text(not_shown, progress, UNICODE):
        cells.append(counts)
    if cells:
        parts.append(f"<div>{' &ensp; '.join(cells)}</div>")
    parts += [f"<div>{escape(note)}</div>" for note in waiting_sentences(progress, UNICODE).values()]
    return "".join(parts)


def _colour(text: str, phase: str) -> str:
    colour = _COLOURS.get(phase)
    return f'<span style="color: {colour}">{escape(text)}</span>' if colour else f"<span>{escape(text)}</span>"
