"""A run's progress in words: its headline, a line per task, what it waits for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hera_utils.argo.node_tree import Branch
from hera_utils.argo.phases import ENDED, UNSUCCESSFUL
from hera_utils.spans import processor_time, stopwatch
from hera_utils.terminal_text import visible
from hera_utils.watch.progress import Progress
from hera_utils.watch.waits import is_ordinary
from hera_utils.wording import counted

SUSPENDED = "suspended"
"""The key of `waiting_sentences` for a run that somebody has to resume."""


@dataclass(frozen=True)
class Symbols:
    """The symbols for phases; ASCII is for terminals that cannot show UNICODE."""

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
_STYLES = {"Succeeded": "green", "Failed": "red", "Error": "red", "Running": "cyan"}


def symbols_for(encoding: str | None) -> Symbols:
    try:
        "✔✘●○–━…".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def style_of(phase: str) -> str:
    return _STYLES.get(phase, "dim")


def headline(progress: Progress, elapsed: float, symbols: Symbols) -> str:
    """`hello-7x2kq  ✔ Succeeded  3/3  1.2 s`, with the numbers of failed and retried tasks and the remaining time. elapsed: in seconds."""
    parts = [f"{progress.name}  {symbols.of(progress.phase)} {progress.phase}", count_text(progress)]
    return "  ".join(parts + remarks(progress, elapsed, symbols))


def count_text(progress: Progress) -> str:
    return f"{progress.done}/{progress.total}{f' {progress.unit}' if progress.unit else ''}"


def waiting_sentences(progress: Progress, symbols: Symbols, *, everything: bool = False) -> dict[str, str]:
    """Reason → a sentence: that somebody must resume the run (SUSPENDED), and what its tasks need to start.

    That there are more tasks than cores is said only if no task runs or is about to run, unless `everything` is set.
    """
    sentences = {}
    if progress.suspended:
        sentences[SUSPENDED] = f"{progress.name} is suspended; resume it with: hera-utils resume {progress.name}"
    for message, tasks in progress.waiting.items():
        if (progress.running or progress.starting) and not everything and is_ordinary(message):
            continue
        if not tasks:
            sentences[message] = f"{symbols.awaited} {message}"
            continue
        more = f" and {len(tasks) - 1} more wait:" if len(tasks) > 1 else " waits:"
        sentences[message] = f"{symbols.awaited} {tasks[0]}{more} {message}"
    return sentences


def remarks(progress: Progress, elapsed: float, symbols: Symbols) -> list[str]:
    words = []
    if progress.suspended:
        words.append("suspended")
    if progress.failed:
        failed = counted(progress.failed, progress.failed_unit) if progress.failed_unit else str(progress.failed)
        words.append(f"{symbols.failed} {failed} failed")
    if progress.retried:
        words.append(f"{progress.retried} retried")
    words.append(stopwatch(elapsed))
    left = None if progress.suspended else progress.remaining(elapsed)
    if left is not None:
        cost = f" ({processor_time(progress.cpu_left)})" if progress.cpu_left else ""
        words.append(f"about {stopwatch(max(1.0, left))} left{cost}")
    return words


def row_text(row: Branch, symbols: Symbols, others: int = 0) -> str:
    """`✔ collect-2009 9/9`, without counts for a single task, with the reason of a failure. others: number that failed alike."""
    counts = f" {row.done}/{row.tasks}" if row.tasks and (row.parts or row.tasks > 1) else ""
    why = f": {' '.join(row.why.splitlines())}" if row.phase in UNSUCCESSFUL and row.message else ""
    more = f" and {others} more" if others else ""
    return visible(f"{symbols.of(row.phase)} {row.label}{counts}{more}{why}")


def others_text(others: Mapping[str, int], progress: Progress, symbols: Symbols) -> str:
    """`… 280 waiting, 112 done`; "" if nothing is to be said. others: state → number of the rows that are not shown."""
    states = (state for state in _STATES if others.get(state) and not (progress.is_over and state in _SUCCESSFUL))
    counts = ", ".join(f"{others[state]} {state}" for state in states)
    return f"{symbols.more} {counts}" if counts else ""


_STATES = ("failed", "running", "waiting", "done", "skipped")
_SUCCESSFUL = ("done", "skipped")
