"""A run's progress on a screen, or line by line where there is no screen.

The console is the caller's: this room decides what is written, the door decides where. `shown(console)` picks the variant.
"""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hera_utils.argo.node_tree import Branch
from hera_utils.argo.phases import ENDED, UNSUCCESSFUL
from hera_utils.spans import stopwatch
from hera_utils.watch.progress import Progress, ordered
from hera_utils.watch.waits import is_ordinary

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

BAR_WIDTH = 24
HEARTBEAT = 30.0  # seconds between two lines of a long run in a pipe
SUSPENDED = "suspended"
MOST_LINES = 60  # rows that are worth a line each in a pipe; a larger run says only its failures and how far it is


@dataclass(frozen=True)
class Symbols:
    """What stands for a phase; ASCII for terminals that cannot show more."""

    done: str = "✔"
    failed: str = "✘"
    running: str = "●"
    awaited: str = "○"
    left_out: str = "–"
    bar: str = "━"
    more: str = "…"

    def of(self, phase: str) -> str:
        if phase == "Succeeded":
            return self.done
        if phase in UNSUCCESSFUL:
            return self.failed
        if phase in ENDED:
            return self.left_out
        return self.running if phase == "Running" else self.awaited


UNICODE = Symbols()
ASCII = Symbols(done="+", failed="x", running="*", awaited="o", left_out="-", bar="=", more="...")
_NUMBER = re.compile(r"[\d.]+")  # a sentence is not said again because its numbers changed
_STYLES = {"Succeeded": "green", "Failed": "red", "Error": "red", "Running": "cyan"}


def symbols_for(encoding: str | None) -> Symbols:
    try:
        "✔✘●○–━…".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def style_of(phase: str) -> str:
    return _STYLES.get(phase, "dim")


class Display(Protocol):
    """Shows one run. `close` leaves the last state on the screen."""

    def update(self, progress: Progress) -> None: ...

    def close(self) -> None: ...


def shown(console: Console, clock: Callable[[], float] = time.time) -> Display:
    """The display that fits: a notebook's, live on a terminal, plain lines in a pipe or a dumb terminal."""
    from hera_utils.watch.notebook import NotebookDisplay, in_notebook

    if in_notebook():
        return NotebookDisplay(clock)
    return (
        LiveDisplay(console, clock) if console.is_terminal and not console.is_dumb_terminal else Lines(console, clock)
    )


class Watch:
    """A clock that was there from the start: Argo's times are whole seconds, and many a run is over sooner."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.begun = clock()
        self.ended: float | None = None

    def elapsed(self, progress: Progress) -> float:
        """Seconds since the run's start, up to its end: our own when we have seen both."""
        now = self.clock()
        if progress.over and self.ended is None:
            self.ended = now
        if progress.started is None or self.begun - progress.started >= 2.0 or (self.ended or now) - self.begun < 0.1:
            return progress.elapsed(now)
        return (self.ended or now) - self.begun


class LiveDisplay:
    """Redrawn in place, a few times a second, so that the clock moves while nothing happens."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.time) -> None:
        self.console, self.watch = console, Watch(clock)
        self.symbols = symbols_for(console.encoding)
        self.progress: Progress | None = None
        self.live: Live | None = None

    def update(self, progress: Progress) -> None:
        from rich.live import Live

        self.progress = progress
        if self.live is None:
            self.live = Live(
                get_renderable=self._draw, console=self.console, refresh_per_second=8, vertical_overflow="crop"
            )
            self.live.start(refresh=True)

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def _draw(self) -> Text:
        from rich.text import Text

        if self.progress is None:
            return Text("")
        elapsed = self.watch.elapsed(self.progress)
        return picture(self.progress, elapsed, self.symbols, (self.console.width, self.console.height))


class Lines:
    """A line when a task or a fan-out ends, and a sign of life now and then."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.time) -> None:
        self.console, self.clock, self.watch = console, clock, Watch(clock)
        self.symbols = symbols_for(console.encoding)
        self.said: set[str] = set()
        self.waits_for: set[str] = set()
        self.last_line = 0.0
        self.last: Progress | None = None

    def update(self, progress: Progress) -> None:
        if self.last is None and not progress.over:
            self._line(f"{progress.name}  {progress.phase}")
        for key, sentence in awaited(progress, self.symbols).items():
            said = _NUMBER.sub("", key)
            if said not in self.waits_for:
                self._line(sentence)
                self.waits_for.add(said)
        if not progress.suspended:
            self.waits_for.discard(SUSPENDED)
        self.last = progress
        for row in progress.rows:
            if row.phase in ENDED and row.label not in self.said and row.label != progress.name:
                self.said.add(row.label)
                if row.phase in UNSUCCESSFUL or len(progress.rows) <= MOST_LINES:
                    self._line(f"{progress.name}  {row_text(row, self.symbols)}")
        if progress.over:
            if "" not in self.said:
                self.said.add("")
                self._line(headline(progress, self.watch.elapsed(progress), self.symbols))
        elif self.clock() - self.last_line >= HEARTBEAT:
            self._line(headline(progress, self.watch.elapsed(progress), self.symbols))

    def close(self) -> None:
        pass

    def _line(self, text: str) -> None:
        self.last_line = self.clock()
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def headline(progress: Progress, elapsed: float, symbols: Symbols) -> str:
    """`hello-7x2kq  ✔ Succeeded  3/3  1.2 s`, with what failed, was repeated, is left. elapsed: seconds since the start."""
    parts = [f"{progress.name}  {symbols.of(progress.phase)} {progress.phase}", _count(progress)]
    return "  ".join(parts + _remarks(progress, elapsed, symbols))


def _count(progress: Progress) -> str:
    return f"{progress.done}/{progress.total}{f' {progress.unit}' if progress.unit else ''}"


def awaited(progress: Progress, symbols: Symbols, *, everything: bool = False) -> dict[str, str]:
    """What the run waits for, a sentence each: somebody who resumes it (SUSPENDED), what its tasks need and have not got.

    That there are more tasks than cores is told only when none of them runs, unless everything is asked for.
    """
    found = {}
    if progress.suspended:
        found[SUSPENDED] = f"{progress.name} is suspended; let it go on with: hera-utils resume {progress.name}"
    for message, tasks in progress.waiting.items():
        if progress.running and not everything and is_ordinary(message):
            continue
        if not tasks:
            found[message] = f"{symbols.awaited} {message}"
            continue
        more = f" and {len(tasks) - 1} more wait:" if len(tasks) > 1 else " waits:"
        found[message] = f"{symbols.awaited} {tasks[0]}{more} {message}"
    return found


def _remarks(progress: Progress, elapsed: float, symbols: Symbols) -> list[str]:
    remarks = []
    if progress.suspended:
        remarks.append("suspended")
    if progress.failed:
        remarks.append(f"{symbols.failed} {progress.failed} failed")
    if progress.retried:
        remarks.append(f"{progress.retried} retried")
    remarks.append(stopwatch(elapsed))
    left = None if progress.suspended else progress.remaining(elapsed)
    if left is not None:
        remarks.append(f"about {stopwatch(max(1.0, left))} left")
    return remarks


def row_text(row: Branch, symbols: Symbols) -> str:
    """`✔ collect-2009 9/9`; a single task without counts; why it failed."""
    counts = f" {row.done}/{row.tasks}" if row.tasks and (row.parts or row.tasks > 1) else ""
    why = f": {row.message}" if row.phase in UNSUCCESSFUL and row.message else ""
    return f"{symbols.of(row.phase)} {row.label}{counts}{why}"


def picture(progress: Progress, elapsed: float, symbols: Symbols, size: tuple[int, int]) -> Text:
    """The run on a screen of (columns, lines): one headline with a bar, then its tasks side by side, then what it waits for.

    What a task says is folded, never cut: it may hold the way out.
    """
    from rich.text import Text

    width, height = size
    text = Text(no_wrap=True, overflow="ellipsis")
    _headline(text, progress, "  ".join(_remarks(progress, elapsed, symbols)), symbols, width)
    notes = [folded for note in awaited(progress, symbols).values() for folded in _folded(note, width)]
    most = max(1, height - 4 - text.plain.count("\n"))
    notes = notes[:most]
    if not (len(progress.rows) == 1 and progress.rows[0].label == progress.name):
        _tasks(text, progress, symbols, (width, most - len(notes)))
    for note in notes:
        text.append(f"\n  {note}", style="yellow")
    return text


def _tasks(text: Text, progress: Progress, symbols: Symbols, size: tuple[int, int]) -> None:
    """Side by side where they are short, on lines of their own where they have more to say."""
    width, most = size
    rows, left_out = ordered(progress.rows, max(4, most * max(1, width // 24)))
    lines: list[list[tuple[str, str]]] = []
    used = width
    for row in rows:
        style = style_of(row.phase)
        for number, cell in enumerate(_folded(row_text(row, symbols), width)):
            if number or used + len(cell) + 2 > width:
                lines.append([])
                used = 2
            lines[-1].append((cell, style))
            used += len(cell) + 2 if not number else width  # nothing stands beside what was folded
    for line in lines[: max(0, most)]:
        _append(text, line)
    if left_out:
        text.append(f"\n  {symbols.more} and {left_out} more", style="dim")


def _folded(text: str, width: int) -> list[str]:
    """In lines that fit behind two blanks; a word that is longer than a line stays whole."""
    room = max(16, width - 2)
    if len(text) <= room:
        return [text]
    return textwrap.wrap(text, room, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _headline(text: Text, progress: Progress, remarks: str, symbols: Symbols, width: int) -> None:
    """The name, the phase, the count, a bar as wide as there is room for, the remarks (below, where there is none)."""
    text.append(progress.name, style="bold")
    text.append(f"  {symbols.of(progress.phase)} {progress.phase}", style=style_of(progress.phase))
    text.append(f"  {_count(progress)}  ")
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
