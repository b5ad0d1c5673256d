"""A run's progress in a terminal, redrawn in place; or line by line in a pipe or in a terminal that cannot move its cursor."""

from __future__ import annotations

import re
import sys
import textwrap
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from hera_utils.argo.phases import ENDED, UNSUCCESSFUL
from hera_utils.terminal_text import visible
from hera_utils.watch.progress import Progress, RunClock, choose_rows, count_equal_failures
from hera_utils.watch.progress_text import (
    ASCII,
    SUSPENDED,
    Symbols,
    count_text,
    headline,
    others_text,
    remarks,
    row_text,
    style_of,
    symbols_for,
    waiting_sentences,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

BAR_WIDTH = 24  # characters
SHORTEST_PAUSE = 0.125  # seconds between two drawings
HEARTBEAT = 30.0  # seconds between two lines of a long run in a pipe
MOST_LINES = 60  # in a pipe, a run with more rows prints only its failures and its progress
_NUMBER = re.compile(r"[\d.]+")  # a sentence of which only the numbers changed is not printed again


class LiveDisplay:
    """Redraws in place with each state (at most eight times a second), and once a second without a new state, so that the clock moves."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.time) -> None:
        self.console, self.run_clock = console, RunClock(clock)
        self.symbols = symbols_for(console.encoding)
        self.progress: Progress | None = None
        self.live: Live | None = None
        self._drawn = 0.0

    def update(self, progress: Progress) -> None:
        from rich.live import Live

        self.progress = progress
        if self.live is None:
            self.live = Live(
                get_renderable=self._draw, console=self.console, refresh_per_second=1, vertical_overflow="crop"
            )
            self.live.start(refresh=True)
        elif time.monotonic() - self._drawn >= SHORTEST_PAUSE:
            self.live.refresh()

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _draw(self) -> Text:
        from rich.text import Text

        self._drawn = time.monotonic()
        if self.progress is None:
            return Text("")
        elapsed = self.run_clock.elapsed(self.progress)
        return draw_progress(self.progress, elapsed, self.symbols, (self.console.width, self.console.height))


class Lines:
    """The part of rich's Console that `LineDisplay` uses. A short run in a pipe needs rich for nothing else, so it is not imported."""

    @property
    def encoding(self) -> str:
        return sys.stdout.encoding

    def print(self, text: str, **_: bool) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


class LineDisplay:
    """Prints a line when a task or a fan-out ends, and the progress after HEARTBEAT seconds without a line."""

    def __init__(self, console: Console | Lines, clock: Callable[[], float] = time.time) -> None:
        self.console, self.clock, self.run_clock = console, clock, RunClock(clock)
        self.symbols = symbols_for(console.encoding)
        self._ended: set[str] = set()  # labels of the rows whose end has been printed
        self._waits: set[str] = set()
        self.last_line = 0.0
        self.last: Progress | None = None

    def update(self, progress: Progress) -> None:
        if self.last is None and not progress.is_over:
            self._line(f"{progress.name}  {progress.phase}")
        for key, sentence in waiting_sentences(progress, self.symbols).items():
            reason = _NUMBER.sub("", key)
            if reason not in self._waits:
                self._line(sentence)
                self._waits.add(reason)
        if not progress.suspended:
            self._waits.discard(SUSPENDED)
        self.last = progress
        for row in progress.rows:
            if row.phase in ENDED and row.label not in self._ended and row.label != progress.name:
                self._ended.add(row.label)
                if row.phase in UNSUCCESSFUL or len(progress.rows) <= MOST_LINES:
                    self._line(f"{progress.name}  {row_text(row, self.symbols)}")
        if progress.is_over:
            if "" not in self._ended:
                self._ended.add("")
                self._line(headline(progress, self.run_clock.elapsed(progress), self.symbols))
        elif self.clock() - self.last_line >= HEARTBEAT:
            self._line(headline(progress, self.run_clock.elapsed(progress), self.symbols))

    def close(self) -> None:
        pass

    def _line(self, text: str) -> None:
        self.last_line = self.clock()
        self.console.print(visible(text), markup=False, highlight=False, soft_wrap=True)


def draw_progress(progress: Progress, elapsed: float, symbols: Symbols, size: tuple[int, int]) -> Text:
    """The run on a screen. size: (columns, lines). A headline with a bar, then its tasks side by side, then what it waits for.

    Messages of tasks are wrapped, never cut, because their end may say how to fix the failure.
    """
    from rich.text import Text

    width, height = size
    text = Text(no_wrap=True, overflow="ellipsis")
    _headline(text, progress, "  ".join(remarks(progress, elapsed, symbols)), symbols, width)
    notes = [folded for note in waiting_sentences(progress, symbols).values() for folded in _wrap(note, width)]
    most = max(1, height - 4 - text.plain.count("\n"))
    notes = notes[:most]
    if not (len(progress.rows) == 1 and progress.rows[0].label == progress.name):
        _tasks(text, progress, symbols, (width, most - len(notes)))
    for note in notes:
        text.append(f"\n  {visible(note)}", style="yellow")
    return text


def _tasks(text: Text, progress: Progress, symbols: Symbols, size: tuple[int, int]) -> None:
    """Append the tasks: short texts side by side, long ones on lines of their own."""
    width, most = size
    kinds, others = count_equal_failures(progress.rows)
    rows, not_shown = choose_rows(kinds, max(4, most * max(1, width // 24)))
    lines: list[list[tuple[str, str]]] = []
    used = width
    for row in rows:
        style = style_of(row.phase)
        for number, cell in enumerate(_wrap(row_text(row, symbols, others[row.label]), width)):
            if number or used + len(cell) + 2 > width:
                lines.append([])
                used = 2
            lines[-1].append((cell, style))
            used += len(cell) + 2 if not number else width  # nothing follows a wrapped text on its last line
    for line in lines[: max(0, most)]:
        _append(text, line)
    if counts := others_text(not_shown, progress, symbols):
        text.append(f"\n  {counts}", style="dim")


def _wrap(text: str, width: int) -> list[str]:
    """Wrap the text to `width` less an indent of two; a word longer than a line stays whole."""
    room = max(16, width - 2)
    if len(text) <= room:
        return [text]
    return textwrap.wrap(text, room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _headline(text: Text, progress: Progress, remarks: str, symbols: Symbols, width: int) -> None:
    """Append the name, the phase, the count, a bar as wide as the room allows, and the remarks (on the next line if they do not fit)."""
    text.append(visible(progress.name), style="bold")
    text.append(f"  {symbols.of(progress.phase)} {progress.phase}", style=style_of(progress.phase))
    text.append(f"  {count_text(progress)}  ")
    bar = max(0, min(BAR_WIDTH, width - len(text.plain) - len(remarks) - 3))
    filled = bar * progress.done // progress.total if progress.total else 0
    text.append(symbols.bar * filled, style="red" if progress.failed else "green")
    text.append((" " if symbols is ASCII else symbols.bar) * (bar - filled), style="dim")
    if bar:
        text.append(f"  {remarks}")
    elif len(text.plain) + len(remarks) <= width:
        text.append(remarks)
    else:
        text.append(f"\n  {remarks}")


def _append(text: Text, cells: list[tuple[str, str]]) -> None:
    if cells:
        text.append("\n")
    for cell, style in cells:
        text.append(f"  {cell}", style=style)
