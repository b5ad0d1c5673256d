"""Carries out a run: records and submits its workflows, a few at a time, and follows them until all have ended.

A workflow is recorded before it is submitted, so a process that is killed at any point leaves a record which tells the next process
which workflows to look for.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from hera_utils.argo import faults
from hera_utils.argo.annotations import GATHER, POINTS, RUN_POINTS, SEARCH
from hera_utils.argo.phases import COMPLETED, UNSUCCESSFUL, phase_of, phase_or_pending
from hera_utils.errors import HeraUtilsError, Refused
from hera_utils.execution.batches import Batch
from hera_utils.execution.lost_pods import find_lost_points, is_lost
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.reconnect import repeat_until_answered
from hera_utils.preflight.ready import not_taken_up_on
from hera_utils.preflight.size_limits import describe_oversized_outputs
from hera_utils.runs.file_facts import FileFacts
from hera_utils.runs.outcome import Failure, outcome
from hera_utils.runs.point_status import count_failed_points, statuses_of_ended
from hera_utils.runs.record import DONE, PRUNED, RUN_LABEL, PointRow, RunRecord, WorkflowRow, label_of
from hera_utils.settings.resolve import limit_parallelism
from hera_utils.watch.deadline import NEVER, Deadline
from hera_utils.watch.display import Display
from hera_utils.watch.follow import follow
from hera_utils.watch.progress import Progress
from hera_utils.watch.run_progress import Share, fraction_done, joint_progress
from hera_utils.watch.stall import Stall

Json = dict[str, Any]
Answer = TypeVar("Answer")

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds between two polls of the running workflows
_FIRST_COUNT = 2.0  # seconds before failed points are counted, and at least between two counts
_COUNT_PAUSE = 20.0  # how many times longer than a count the pause after it is
_SEARCH_PAUSE = 0.5  # the longest pause of a search: its next points depend on these results
MOST_FAILURES = 1000  # failures of a run that are kept for the display


@dataclass
class InFlight:
    """A submitted workflow that has not ended. share: how much of it is done, 0 to 1. joined: whether an earlier process sent it.
    failed: how many of its points had failed at `share_then`; None when they were not counted yet.
    """

    row: WorkflowRow
    phase: str = "Pending"
    share: float = 0.0
    joined: bool = False
    failed: int | None = None
    share_then: float = 0.0


@dataclass(frozen=True)
class SubmitOptions:
    """How a run's documents are submitted. stamp: completes a document. check: raises an error if the platform will not accept it.
    parallelism: of each workflow; None keeps its own. labels, annotations: added to each workflow. outputs: ids of points ("": what is
    computed after all points) → the facts by which the files that they wrote are recognized later. hides: whether a
    document contains a secret, so that the record must not keep it.
    """

    stamp: Callable[[Json], Json]
    check: Callable[[Json], None]
    in_flight: int
    parallelism: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    outputs: Callable[[list[str]], Mapping[str, Mapping[str, FileFacts]]] = lambda points: {}
    hides: Callable[[Json], bool] = lambda document: False


class Watcher(Protocol):
    """Is called while workflows run: `look` at each poll, `note_settled` when a workflow has ended, before its end is recorded."""

    def look(self) -> None: ...

    def note_settled(self, name: str) -> None: ...


class Dispatcher:
    """Submits and follows the workflows of one run. texts: digest → the text that it stands for, kept with the record. deadline: raises
    WaitTimeout when it has passed. searching: whether more points are chosen while the run goes on. pruned: ids of the points that the
    search stopped, which is no failure.
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
        self._done_before = 0  # points that were done when this process took up the run
        self._count_at = time.monotonic() + _FIRST_COUNT
        self._stopped: set[str] = set()
        self._failures_in_a_row = 0
        self._not_taken_up = not_taken_up_on(client.connection)
        self._stall = Stall(client.get, self._not_taken_up)

    # --- joining what an earlier process began ---------------------------------------------------------------------------
    def join(self) -> None:
        """Take up the workflows of the record: settle those that ended, follow those that run, forget those that were never sent.

        A workflow that had failed is asked for again: it may have been retried since.
        """
        for row in self.record.workflows():
            if row.phase and row.phase not in UNSUCCESSFUL:
                continue
            try:
                phase, share = self._phase(row.name)
            except Refused as refused:
                if refused.code != faults.NOT_FOUND:
                    raise
                if not row.phase:
                    self.record.forget(row.name)
                continue
            if phase == row.phase:
                continue
            self.in_flight[row.name] = InFlight(row, phase, share, joined=True)
            if phase in COMPLETED:
                self._settle(row.name)
        self._failures_in_a_row = 0  # earlier failures say nothing of the points to come
        self.failures.clear()
        self.lost = None  # of workflows that have ended before: the plan decides about all of their points
        self._done_before = self.progress(total=0).done

    # --- sending -----------------------------------------------------------------------------------------------------
    def send(self, batch: Batch) -> str:
        """Record a batch, submit it, and return the name of its workflow."""
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
            document = self._prepare_document(batch, name)
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

    def _prepare_document(self, batch: Batch, name: str) -> Json:
        document = self.options.stamp(batch.document)
        metadata = dict(document.get("metadata") or {})
        metadata["name"] = name
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        metadata["labels"] = {**labels, **self.options.labels, RUN_LABEL: label_of(self.record.name)}
        metadata["annotations"] = {**annotations, **self.options.annotations, **self._annotations_of_run(batch)}
        spec = dict(document.get("spec") or {})
        if self.options.parallelism is not None:
            spec["parallelism"] = limit_parallelism(spec.get("parallelism"), self.options.parallelism)
        return {**document, "metadata": metadata, "spec": spec}

    def _annotations_of_run(self, batch: Batch) -> dict[str, str]:
        """Annotations that describe the run to clients which do not have its record."""
        annotations = {POINTS: str(len(batch.points)), RUN_POINTS: str(self.record.to_compute())}
        annotations |= {GATHER: "follows"} if self.record.facts.get("gather") else {}
        return annotations | ({SEARCH: "true"} if self.searching else {})

    # --- carrying out ------------------------------------------------------------------------------------------------
    def carry_out(self, batches: Iterable[Batch], display: Display | None, *, total: int) -> None:
        """Send all batches, a few at a time, and follow them. total: the number of points of this run, for the display."""
        waiting: Iterator[Batch] = iter(batches)
        batch = next(waiting, None)
        while batch is not None or self.in_flight:
            while batch is not None and len(self.in_flight) < self.options.in_flight and not self.should_give_up:
                self.send(batch)
                batch = next(waiting, None)
            if not self.in_flight:
                break
            self._wait(display, total)

    def send_until_full(self, batches: Iterable[Batch]) -> bool:
        """Send as many batches as may run at once; True if those were all."""
        waiting = iter(batches)
        batch = next(waiting, None)
        while batch is not None and len(self.in_flight) < self.options.in_flight:
            self.send(batch)
            batch = next(waiting, None)
        return batch is None

    def follow_workflow(self, name: str, display: Display | None) -> Json:
        """Follow a single workflow to its end, task by task, and settle it."""
        document = follow(self.client, name, display, deadline=self.deadline, not_taken_up=self._not_taken_up)
        self._settle(name, document)
        return document

    def begin_round(self) -> None:
        """Newly chosen points follow: earlier failures say nothing of them."""
        self._failures_in_a_row = 0

    @property
    def should_give_up(self) -> bool:
        """Whether so many workflows in a row gave no result that no more are sent."""
        return self._failures_in_a_row >= self.options.in_flight

    def _wait(self, display: Display | None, total: int) -> None:
        """Wait until at least one of the workflows has ended."""
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
                self._count_failed_points()
                display.update(self.progress(total))
            if over:
                return
            self.deadline.sleep(self.record.name, pause)
            pause = min(_SEARCH_PAUSE if self.searching else _LONGEST_PAUSE, pause * 1.3)

    def _phase(self, name: str) -> tuple[str, float]:
        """(phase, share of its tasks that are done)."""
        workflow = self._repeat_until_answered(lambda: self.client.get(name, fields="status.phase,status.progress"))
        return phase_or_pending(workflow), fraction_done(workflow)

    def _count_failed_points(self) -> None:
        """Count the failed points of running workflows, now and then: only nodes tell, and a workflow has many of them."""
        begin = time.monotonic()
        if begin < self._count_at:
            return
        for name, flight in self.in_flight.items():
            if flight.share == flight.share_then:
                continue
            flight.share_then = flight.share
            with contextlib.suppress(HeraUtilsError):  # the next poll reports what is wrong
                document = self.client.get(name, fields="metadata.name,status.nodes")
                rows = (row for row in self.record.points(workflow=name) if row.id not in self.pruned)
                flight.failed = count_failed_points(document, rows)
        now = time.monotonic()
        self._count_at = now + max(_FIRST_COUNT, _COUNT_PAUSE * (now - begin))

    def _repeat_until_answered(self, ask: Callable[[], Answer]) -> Answer:
        """Ask until there is an answer: a server may be down for a while; the local server is started again."""
        return repeat_until_answered(
            ask, rejoin=self.client.rejoin, sleep=lambda pause: self.deadline.sleep(self.record.name, pause)
        )

    def _settle(self, name: str, document: Json | None = None) -> None:
        """Record the end of a workflow and the status of its points."""
        if self.watcher is not None:
            self.watcher.note_settled(name)
        flight = self.in_flight.pop(name)
        rows = list(self.record.points(workflow=name))
        if flight.phase == "Deleted":
            phase, statuses = "Deleted", {row.id: "Deleted" for row in rows}
        else:
            document = document or self._repeat_until_answered(lambda: self.client.get(name))
            phase, statuses = self._examine(flight, rows, document)
        done = [point for point, status in statuses.items() if status == DONE]
        if phase == DONE and (flight.row.fingerprint or flight.row.role == "whole"):
            done.append("")
        self.record.keep_outputs(self.options.outputs(done))
        keep = document is not None and not self.options.hides(document)
        self.record.settle(name, phase, statuses, document if keep else None)
        self.ended.append((flight.row, phase))
        if rows:
            self._failures_in_a_row = (
                0 if {DONE, PRUNED}.intersection(statuses.values()) else self._failures_in_a_row + 1
            )

    def _examine(self, flight: InFlight, rows: list[PointRow], document: Json) -> tuple[str, dict[str, str]]:
        """The phase of a workflow that has ended, and the status of each of its points. Keeps its failures for the run's end."""
        phase = phase_of(document)
        statuses = statuses_of_ended(document, rows, unit=flight.row.role != "points")
        if flight.joined and phase in UNSUCCESSFUL and not self.pruned.intersection(statuses):
            self._note_lost_pods(document, rows, statuses)
        stopped = {row.id for row in rows} & self.pruned
        statuses |= {point: PRUNED for point in stopped if statuses[point] != DONE}
        if stopped:
            self._stopped.add(flight.row.name)
        elif len(self.failures) < MOST_FAILURES:
            self.failures += outcome(document).failures[: MOST_FAILURES - len(self.failures)]
        self.last = document
        self.oversized = self.oversized or describe_oversized_outputs(document)
        return phase, statuses

    def _note_lost_pods(self, document: Json, rows: list[PointRow], statuses: dict[str, str]) -> None:
        lost = find_lost_points(document, rows, statuses)
        if lost is not None:
            self.lost = lost | (self.lost or set())

    def take_lost_points(self) -> set[str] | None:
        """The points to compute again, because their pods were lost before this process took up their workflows; None if no pod was lost.

        Called once: a pod that is lost in a workflow which this process sent is a failure.
        """
        lost, self.lost = self.lost, None
        if lost is not None:
            self.failures = [failure for failure in self.failures if not is_lost(failure.message)]
            self._failures_in_a_row = 0
        return lost

    def progress(self, total: int) -> Progress:
        """How far the whole run is, in points."""
        shares, counts = [], self.record.counts_by_workflow()
        for row in self.record.workflows():
            flight = self.in_flight.get(row.name)
            phase = row.phase or (flight.phase if flight is not None else "")
            phase = DONE if row.name in self._stopped else phase
            points = counts.get(row.name, Counter()).total() if row.role == "points" else row.points
            shares.append(Share(row.name, phase, points, 1.0 if flight is None else flight.share))
        state = joint_progress(self.record.name, self.client.namespace, shares, total=total, started=self._started)
        state = replace(state, waiting=self._stall.reasons(shares), done_before=self._done_before)
        statuses = sum(counts.values(), Counter())
        failed = sum(self._failed_points(name, of_workflow) for name, of_workflow in counts.items())
        if state.phase == "Failed" and set(statuses) <= {DONE} and shares[-1].phase == DONE:
            state = replace(state, phase=DONE)  # a later workflow computed what had failed
        if self.searching:
            state = replace(state, phase="Running")  # the search may choose more points
        return replace(state, failed=failed)

    def _failed_points(self, workflow: str, counts: Counter[str]) -> int:
        """How many points of a workflow have failed. counts: as recorded. While a workflow that had failed runs again, its nodes count."""
        flight = self.in_flight.get(workflow)
        if flight is not None and flight.failed is not None:
            return flight.failed
        return sum(count for status, count in counts.items() if status in UNSUCCESSFUL)
