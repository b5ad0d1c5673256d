"""Carrying a run out: its workflows are recorded and sent one after the other, a few at a time, and followed until all have ended.

What is recorded is always a step ahead of what is sent: a process that is killed anywhere leaves a record from which the next one
knows which workflows to look for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from hera_utils.argo import faults
from hera_utils.argo.annotations import GATHER, POINTS, RUN_POINTS, SEARCH
from hera_utils.argo.phases import COMPLETED, UNSUCCESSFUL, phase_of
from hera_utils.errors import AccessError, PlatformError, Refused
from hera_utils.execution.batches import Batch
from hera_utils.execution.lost_pods import is_lost, lost_points
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.reconnect import PATIENCE
from hera_utils.preflight.size_limits import oversized_outputs
from hera_utils.runs.file_facts import FileFacts
from hera_utils.runs.outcome import Failure, outcome
from hera_utils.runs.record import DONE, PRUNED, RUN_LABEL, PointRow, RunRecord, WorkflowRow, label_of, point_statuses
from hera_utils.watch.deadline import NEVER, Deadline
from hera_utils.watch.display import Display
from hera_utils.watch.follow import follow
from hera_utils.watch.progress import Progress
from hera_utils.watch.run_progress import Share, joint_progress

Json = dict[str, Any]
Answer = TypeVar("Answer")

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds between two looks at what goes on
_SEARCH_PAUSE = 0.5  # the longest where the next points wait for these
MOST_FAILURES = 1000  # failures of a run that are kept to be shown


@dataclass
class InFlight:
    """A workflow that goes on. share: how much of it is done, 0 to 1. joined: whether an earlier process has sent it."""

    row: WorkflowRow
    phase: str = "Pending"
    share: float = 0.0
    joined: bool = False


@dataclass(frozen=True)
class SubmitOptions:
    """How a run's documents are submitted. stamp: makes a document ready; check: refuses what the platform will not take; parallelism: of
    each workflow, None for its own. labels, annotations: of each workflow. outputs: points (by their ids; "": what comes after all of
    them) → by what the files that they wrote are known again.
    """

    stamp: Callable[[Json], Json]
    check: Callable[[Json], None]
    in_flight: int
    parallelism: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    outputs: Callable[[list[str]], Mapping[str, Mapping[str, FileFacts]]] = lambda points: {}


class Watcher(Protocol):
    """Who looks on while workflows run: `look` again and again, `settled` when one is over, before that is written down."""

    def look(self) -> None: ...

    def settled(self, name: str) -> None: ...


class Dispatcher:
    """A run under way. texts: what the digests of fingerprints stand for, kept with the record. deadline: of whoever waits: WaitTimeout
    then. searching: whether its points are chosen on the way; pruned: ids of those that the search has stopped, which is no failure.
    watcher: who looks on, if anybody does.
    """

    def __init__(
        self,
        client: ArgoClient,
        record: RunRecord,
        options: SubmitOptions,
        texts: dict[str, str],
        deadline: Deadline = NEVER,
    ) -> None:
        self.client, self.record, self.options, self.texts = client, record, options, texts
        self.deadline = deadline
        self.in_flight: dict[str, InFlight] = {}
        self.oversized = ""  # a sentence about outputs that are too large for a cluster
        self.failures: list[Failure] = []
        self.last: Json | None = None
        self.lost: set[str] | None = None
        self.searching = False
        self.pruned: set[str] = set()
        self.watcher: Watcher | None = None
        self.ended: list[tuple[WorkflowRow, str]] = []
        self._started = time.time()
        self._stopped: set[str] = set()
        self._fruitless = 0

    # --- joining what an earlier process began ---------------------------------------------------------------------------
    def join(self) -> None:
        """Take up the record's workflows: what has ended is settled, what runs is followed, what was never sent is forgotten.

        One that had failed is looked at again: it may have been retried since.
        """
        for row in self.record.workflows():
            if row.phase and row.phase not in UNSUCCESSFUL:
                continue
            try:
                phase = self._phase(row.name)[0]
            except Refused as refused:
                if refused.code != faults.NOT_FOUND:
                    raise
                if not row.phase:
                    self.record.forget(row.name)
                continue
            if phase == row.phase:
                continue
            self.in_flight[row.name] = InFlight(row, phase, joined=True)
            if phase in COMPLETED:
                self._settle(row.name)
        self._fruitless = 0  # what failed before is no sign for what is to come
        self.failures.clear()
        self.lost = None  # what is over already is judged with all the rest

    # --- sending -----------------------------------------------------------------------------------------------------
    def send(self, batch: Batch) -> str:
        """Record a batch and submit it; its workflow's name."""
        rows = [
            PointRow(
                point.id,
                0,
                "",
                {},
                fingerprint=batch.fingerprints.get(point.id),
                tasks=batch.tasks.get(point.id, ()),
            )
            for point in batch.points
        ]
        name = str(batch.document["metadata"]["name"]) if batch.sent else self._name(batch)
        row = WorkflowRow(name, batch.role, len(rows), fingerprint=batch.rest)
        if not batch.sent:
            document = self._ready(batch, name)
            self.options.check(document)
        self.record.assign(row, rows, self.texts)
        if not batch.sent:
            try:
                self.client.create(document)
            except Refused:
                self.record.forget(name)
                raise
        if batch.workflow is not None:
            batch.workflow.name = name
        self.in_flight[name] = InFlight(row)
        return name

    def _name(self, batch: Batch) -> str:
        """The run's name for its only workflow, else the run's name and a number (or `gather`) of its own."""
        sent = int(self.record.facts.get("sent") or 0)
        self.record.facts["sent"] = sent + 1
        if sent == 0 and self.record.facts.get("single"):
            return self.record.name
        again = any(row.role == "gather" for row in self.record.workflows())
        return f"{self.record.name}-{'gather' if batch.role == 'gather' and not again else sent + 1}"

    def _ready(self, batch: Batch, name: str) -> Json:
        document = self.options.stamp(batch.document)
        metadata = dict(document.get("metadata") or {})
        metadata["name"] = name
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        metadata["labels"] = {**labels, **self.options.labels, RUN_LABEL: label_of(self.record.name)}
        metadata["annotations"] = {**annotations, **self.options.annotations, **self._of_run(batch)}
        spec = dict(document.get("spec") or {})
        if self.options.parallelism is not None:
            spec["parallelism"] = min(self.options.parallelism, spec.get("parallelism") or self.options.parallelism)
        return {**document, "metadata": metadata, "spec": spec}

    def _of_run(self, batch: Batch) -> dict[str, str]:
        """What the workflow says of its run, for who has no record of it."""
        annotations = {POINTS: str(len(batch.points)), RUN_POINTS: str(self.record.to_compute())}
        annotations |= {GATHER: "follows"} if self.record.facts.get("gather") else {}
        return annotations | ({SEARCH: "true"} if self.searching else {})

    # --- carrying out ------------------------------------------------------------------------------------------------
    def carry_out(self, batches: Iterable[Batch], display: Display | None, *, total: int) -> None:
        """Send all batches, never more than a few at a time, and follow them. total: points of this run, for the display."""
        waiting: Iterator[Batch] = iter(batches)
        batch = next(waiting, None)
        while batch is not None or self.in_flight:
            while batch is not None and len(self.in_flight) < self.options.in_flight and not self.hopeless:
                self.send(batch)
                batch = next(waiting, None)
            if not self.in_flight:
                break
            self._wait(display, total)

    def send_some(self, batches: Iterable[Batch]) -> bool:
        """Send as many batches as may go on at once; whether that was all."""
        waiting = iter(batches)
        batch = next(waiting, None)
        while batch is not None and len(self.in_flight) < self.options.in_flight:
            self.send(batch)
            batch = next(waiting, None)
        return batch is None

    def follow_one(self, name: str, display: Display | None) -> Json:
        """Follow a single workflow to its end, task by task, and settle it."""
        document = follow(self.client, name, display, deadline=self.deadline)
        self._settle(name, document)
        return document

    def begin_round(self) -> None:
        """Points that were chosen anew: what failed before is no sign for them."""
        self._fruitless = 0

    @property
    def hopeless(self) -> bool:
        """Whether the first workflows brought no result at all: then no more are sent."""
        return self._fruitless >= self.options.in_flight

    def _wait(self, display: Display | None, total: int) -> None:
        """Until at least one of the workflows has ended."""
        pause = _SHORTEST_PAUSE
        while True:
            over = []
            for name, flight in self.in_flight.items():
                try:
                    flight.phase, flight.share = self._phase(name)
                except Refused as refused:
                    if refused.code != faults.NOT_FOUND:
                        raise
                    flight.phase = "Deleted"
                if flight.phase in COMPLETED or flight.phase == "Deleted":
                    over.append(name)
            if self.watcher is not None:
                self.watcher.look()
            for name in over:
                self._settle(name)
            if display is not None:
                display.update(self.progress(total))
            if over:
                return
            self.deadline.check(self.record.name)
            time.sleep(self.deadline.pause(pause))
            pause = min(_SEARCH_PAUSE if self.searching else _LONGEST_PAUSE, pause * 1.3)

    def _phase(self, name: str) -> tuple[str, float]:
        """(phase, share of its tasks that are done)."""
        status = self._persist(lambda: self.client.get(name, fields="status.phase,status.progress")).get("status") or {}
        done, _, every = str(status.get("progress") or "").partition("/")
        share = int(done) / int(every) if done.isdecimal() and every.isdecimal() and int(every) else 0.0
        return str(status.get("phase") or "Pending"), share

    def _persist(self, ask: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer: a server may be down for a while, and this machine's is started again."""
        start, pause = time.monotonic(), 0.1
        while True:
            try:
                return ask()
            except (AccessError, PlatformError):
                if time.monotonic() - start > PATIENCE:
                    raise
                self.deadline.check(self.record.name)
                time.sleep(self.deadline.pause(pause))
                pause = min(5.0, pause * 2)
                self.client.rejoin()

    def _settle(self, name: str, document: Json | None = None) -> None:
        """A workflow is over: write down what became of its points."""
        if self.watcher is not None:
            self.watcher.settled(name)
        flight = self.in_flight.pop(name)
        rows = list(self.record.points(workflow=name))
        if flight.phase == "Deleted":
            phase, statuses = "Deleted", {row.id: "Deleted" for row in rows}
        else:
            phase, statuses = self._examine(flight, rows, document or self._persist(lambda: self.client.get(name)))
        done = [point for point, status in statuses.items() if status == DONE]
        if phase == DONE and (flight.row.fingerprint or flight.row.role == "whole"):
            done.append("")
        self.record.keep_outputs(self.options.outputs(done))
        self.record.settle(name, phase, statuses)
        self.ended.append((flight.row, phase))
        if rows:
            self._fruitless = 0 if {DONE, PRUNED}.intersection(statuses.values()) else self._fruitless + 1

    def _examine(self, flight: InFlight, rows: list[PointRow], document: Json) -> tuple[str, dict[str, str]]:
        """The phase of a workflow that is over, and the status of each of its points; why it failed is kept for the run's end."""
        phase = phase_of(document)
        statuses = _statuses(document, phase, rows, unit=flight.row.role != "points")
        if flight.joined and phase in UNSUCCESSFUL and not self.pruned.intersection(statuses):
            self._note_lost(document, rows, statuses)
        stopped = {row.id for row in rows} & self.pruned
        statuses |= {point: PRUNED for point in stopped if statuses[point] != DONE}
        if stopped:
            self._stopped.add(flight.row.name)
        elif len(self.failures) < MOST_FAILURES:
            self.failures += outcome(document).failures[: MOST_FAILURES - len(self.failures)]
        self.last = document
        self.oversized = self.oversized or oversized_outputs(document)
        return phase, statuses

    def _note_lost(self, document: Json, rows: list[PointRow], statuses: dict[str, str]) -> None:
        lost = lost_points(document, rows, statuses)
        if lost is not None:
            self.lost = lost | (self.lost or set())

    def take_lost(self) -> set[str] | None:
        """The points to compute again as their pods were lost before this process took up their workflows; None when no pod was.

        Asked once: what is lost of workflows that this process sends is a failure.
        """
        lost, self.lost = self.lost, None
        if lost is not None:
            self.failures = [failure for failure in self.failures if not is_lost(failure.message)]
            self._fruitless = 0
        return lost

    def progress(self, total: int) -> Progress:
        """How far the whole run is, in points."""
        shares = []
        for row in self.record.workflows():
            flight = self.in_flight.get(row.name)
            phase = row.phase or (flight.phase if flight is not None else "")
            phase = DONE if row.name in self._stopped else phase
            shares.append(Share(row.name, phase, row.points, 1.0 if flight is None else flight.share))
        state = joint_progress(self.record.name, self.client.namespace, shares, total=total, started=self._started)
        statuses = self.record.statuses()
        failed = sum(count for status, count in statuses.items() if status in UNSUCCESSFUL)
        if state.phase == "Failed" and set(statuses) <= {DONE} and shares[-1].phase == DONE:
            state = replace(state, phase=DONE)  # what had failed was made up for
        if self.searching:
            state = replace(state, phase="Running")  # what comes next is not known here
        return replace(state, failed=failed)


def _statuses(document: Json, phase: str, rows: list[PointRow], *, unit: bool) -> dict[str, str]:
    """Point id → how it stands. unit: of a workflow that runs whole; where its tasks are not known a point is as the workflow is, and
    when it failed though every point succeeded, none is done: the workflow has to run again.
    """
    statuses = point_statuses(document, rows)
    if unit:
        statuses |= {row.id: phase for row in rows if not row.tasks}
        if phase != DONE and set(statuses.values()) <= {DONE}:
            return {row.id: phase for row in rows}
    return statuses
