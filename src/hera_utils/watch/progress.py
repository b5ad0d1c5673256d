"""The progress of a run, from its document alone. Pure: the time is an argument."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.annotations import RAN
from hera_utils.argo.node_tree import Branch, tree
from hera_utils.argo.phases import COMPLETED, ENDED, RUNNING, SUCCEEDED, UNSUCCESSFUL, phase_or_pending
from hera_utils.error_lines import without_numbers
from hera_utils.watch.waits import is_starting, waiting_sentences_of

Json = dict[str, Any]
LEAST_BASE = 3
"""Number of tasks that must be done before the remaining time is estimated."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run at one moment.

    rows: the entry template's tasks and fan-outs, then exit handlers, in the order they were written (a template without tasks is its own
    row). done, total, running, failed, retried: counts of single tasks; total includes what is expected but not reached yet.
    started, finished, last_end: seconds since the epoch, None before; last_end: when one of its nodes last ended.
    suspended: whether it, or a task of it, waits to be resumed.
    unit: what is counted, "" for tasks. failed_unit: the unit of `failed` if it is neither tasks nor `unit` (`workflow`).
    cpu_left: estimated seconds of processor time of the remaining tasks, from the measured ones; None if too few are measured.
    starting: whether tasks wait, none runs, and one has been placed and is about to run.
    done_before: number of tasks that were done at `started` (of a run that goes on, `started` is when this process took it up).
    waiting: the reason why tasks cannot start (`Unschedulable: …`) → the names of those tasks, empty if they have no node yet.
    """

    name: str
    namespace: str
    phase: str
    message: str
    rows: tuple[Branch, ...]
    done: int
    total: int
    running: int
    failed: int
    retried: int
    started: float | None
    finished: float | None
    suspended: bool = False
    unit: str = ""
    failed_unit: str = ""
    waiting: dict[str, list[str]] = field(default_factory=dict)
    cpu_left: float | None = None
    last_end: float | None = None
    starting: bool = False
    done_before: int = 0

    @property
    def is_over(self) -> bool:
        return self.phase in COMPLETED

    @property
    def succeeded(self) -> bool:
        return self.phase == "Succeeded"

    def elapsed(self, now: float) -> float:
        """Seconds since the start, up to the end."""
        if self.started is None:
            return 0.0
        return max(0.0, (self.finished if self.finished is not None else now) - self.started)

    def remaining(self, elapsed: float) -> float | None:
        """Estimated remaining seconds, if the remaining tasks take as long as the finished ones; None with too few of them.

        If no task has ended for longer than this estimate, the running tasks are longer than the finished ones: the estimate is then
        the time since the last end.
        """
        since_start = self.done - self.done_before
        if self.is_over or since_start < LEAST_BASE or self.done >= self.total:
            return None
        left = elapsed * (self.total - self.done) / since_start
        if self.started is None or self.last_end is None:
            return left
        return max(left, elapsed - (self.last_end - self.started))


class RunClock:
    """The duration of a run, by the local clock if the process saw its start: Argo writes whole seconds, and many runs are shorter."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.start = clock()
        self.end: float | None = None

    def elapsed(self, progress: Progress) -> float:
        """Seconds since the run's start, up to its end; by the local clock if the process has seen both."""
        now = self.clock()
        if progress.is_over and self.end is None:
            self.end = now
        own, by_argo = (self.end or now) - self.start, progress.elapsed(now)
        if progress.started is None and not progress.is_over:
            return own  # what is Pending for long shows for how long
        if progress.started is None or self.start - progress.started >= 1.5 or own < 0.1:
            return by_argo
        # Argo's times are less than a second off; a larger difference means that the run began before this process looked.
        return own if by_argo - own < 1.0 else by_argo


def progress(document: Json) -> Progress:
    """Fold a workflow document. Linear in its nodes: some milliseconds for 2,000."""
    metadata, status = document["metadata"], document.get("status") or {}
    branches = tree(document)
    phase = phase_or_pending(document)
    waiting = waiting_sentences_of(document) if phase not in COMPLETED else {}
    running = sum(branch.running for branch in branches)
    return Progress(
        name=str(metadata.get("name", "")),
        namespace=str(metadata.get("namespace", "")),
        phase=phase,
        message=str(status.get("message") or ""),
        rows=tuple(row for branch in branches for row in _rows(branch)),
        done=sum(branch.done for branch in branches),
        total=sum(branch.tasks for branch in branches),
        running=running,
        failed=sum(branch.failed for branch in branches),
        retried=sum(branch.retried for branch in branches),
        started=timestamps.read(status.get("startedAt")),
        finished=timestamps.read(status.get("finishedAt")),
        suspended=phase not in COMPLETED and is_suspended(document),
        waiting=waiting,
        cpu_left=_cpu_left(branches) if phase not in COMPLETED else None,
        last_end=_last_end(status.get("nodes") or {}) if phase not in COMPLETED else None,
        starting=bool(waiting) and not running and is_starting(document),
    )


def _last_end(nodes: Json) -> float | None:
    return timestamps.read(max((str(node.get("finishedAt") or "") for node in nodes.values()), default=""))


def _cpu_left(branches: Iterable[Branch]) -> float | None:
    """Estimated processor seconds of the remaining tasks: in each fan-out from its own tasks, or from all if none is measured."""
    rows = [row for branch in branches for row in _rows(branch)]
    measured = [[*_processor_times(row)] for row in rows]
    every = [seconds for seconds_of_row in measured for seconds in seconds_of_row]
    if len(every) < LEAST_BASE:
        return None
    means = [sum(seconds_of_row or every) / len(seconds_of_row or every) for seconds_of_row in measured]
    return sum(mean * (row.tasks - row.done) for row, mean in zip(rows, means, strict=True))


def _processor_times(row: Branch) -> Iterator[float]:
    for leaf in row.leaves():
        last = leaf.attempts[-1] if leaf.attempts else leaf.node or {}
        if leaf.done and (seconds := (last.get(RAN) or {}).get("cpuSeconds")) is not None:
            yield float(seconds)


def is_suspended(document: Json) -> bool:
    """Whether a run that has not ended, or a task of it, waits to be resumed."""
    if (document.get("spec") or {}).get("suspend"):
        return True
    nodes = ((document.get("status") or {}).get("nodes") or {}).values()
    return any(node.get("type") == "Suspend" and node.get("phase") == "Running" for node in nodes)


def _rows(branch: Branch) -> tuple[Branch, ...]:
    return branch.parts if branch.parts and not branch.fan_out else (branch,)


def count_equal_failures(rows: tuple[Branch, ...]) -> tuple[tuple[Branch, ...], Counter[str]]:
    """(the rows, with only the first of the tasks that failed for the same reason, whatever numbers it names; the label of that first →
    number of the others).
    """
    firsts: dict[str, Branch] = {}
    others: Counter[str] = Counter()
    lines = []
    for row in rows:
        failed = row.phase in UNSUCCESSFUL and row.message and not row.parts
        first = firsts.setdefault(without_numbers(row.why), row) if failed else row
        if first is row:
            lines.append(row)
        else:
            others[first.label] += 1
    return tuple(lines), others


def choose_rows(rows: tuple[Branch, ...], limit: int) -> tuple[tuple[Branch, ...], Counter[str]]:
    """(the rows to show, state → number of the others). States: `failed`, `running`, `waiting`, `done`, `skipped`.

    All rows if these are at most `limit`; else at most so many of those that failed, then of those that run, in their order: hundreds of
    names that wait or are done say less than their number.
    """
    if len(rows) <= limit:
        return rows, Counter()
    states = [_state(row) for row in rows]
    eventful = [index for state in _EVENTFUL for index, its in enumerate(states) if its == state]
    chosen = sorted(eventful[:limit])
    return tuple(rows[index] for index in chosen), Counter(states) - Counter(states[index] for index in chosen)


_EVENTFUL = ("failed", "running")


def _state(row: Branch) -> str:
    if row.phase in UNSUCCESSFUL or row.failed:
        return "failed"
    if row.phase in ENDED:
        return "done" if row.phase == SUCCEEDED else "skipped"
    return "running" if row.phase == RUNNING else "waiting"
