"""The controller: one thread, one inbox, the only writer. Each turn takes all waiting items and is one transaction.

    events and requests → runs advance → commands become rows → the turn is written → readers see it → pods are launched or killed

A turn may stay open for a moment, so that one transaction serves several events (`Inbox`).
A turn that cannot be written changes nothing: requests are refused with the reason, events are kept and tried again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from hera_utils import machine_size
from hera_utils.argo import timestamps
from hera_utils.argo.annotations import IMAGE_DECISIONS
from hera_utils.errors import HeraUtilsError, PlatformError
from hera_utils.expressions import cost
from hera_utils.images.decision_texts import stand_ins_of
from hera_utils.interpreter.advance import advance as interpreter_advance
from hera_utils.interpreter.commands import Command
from hera_utils.interpreter.events import (
    Event,
    LockAnswered,
    ObjectRead,
    PodFinished,
    PodProgressed,
    PodStarted,
    PodWaiting,
    TimerFired,
)
from hera_utils.interpreter.faults import Oversize
from hera_utils.interpreter.state import MOST_NODES, Run
from hera_utils.local_platform.artifacts import gc as artifact_gc
from hera_utils.local_platform.artifacts.removal import ArtifactRemoval
from hera_utils.local_platform.clock import now, seed
from hera_utils.local_platform.controller.effects import COLLECT_KEY, DELETE_KEY, Effects, EventsOfRuns, about
from hera_utils.local_platform.controller.garbage import BYTES_OF_A_NODE, Garbage
from hera_utils.local_platform.controller.inbox import (
    Act,
    Inbox,
    Item,
    RunEvent,
    TurnRequest,
    UnexpectedFailure,
    perform,
    resolve,
)
from hera_utils.local_platform.controller.lifecycle import NO_RUN, Lifecycle
from hera_utils.local_platform.controller.metrics import count_pod_phases, measure_step
from hera_utils.local_platform.controller.turn import ActiveRun, Turn, restore_run
from hera_utils.local_platform.pods import pod_events, pod_object
from hera_utils.local_platform.pods.launcher import Launcher
from hera_utils.local_platform.storage.journal import Journal, JournalError, encode, failure, is_full
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import StoredPod, StoredRun
from hera_utils.local_platform.storage.reserve import Reserve

log = logging.getLogger(__name__)
T = TypeVar("T")
Advance = Callable[[Run, Event], "list[Command]"]
POD_EVENTS = (PodStarted, PodProgressed, PodWaiting, PodFinished)
MACHINE_EVENTS = (*POD_EVENTS, TimerFired, LockAnswered, ObjectRead)
MOST_IN_A_TURN = 400
LONGEST_WAIT = 10.0
"""Seconds after which the clock is read again while a timer is set: the clock may be set forward, and a wait does not count a sleep."""
LONGEST_TURN = 0.1
"""Seconds of processor time after which a turn is written and its other items wait for the next turn: clients wait for the writer."""
MOST_REWRITTEN = 8_000_000
"""Characters of rewritten pods after which a turn is written: they cost a tenth of a second of disk and processor."""
AGAIN_SECONDS = 1.0
"""Pause after a turn that could not be written."""


def _requests_first(items: list[Item]) -> list[Item]:
    """The order after a turn that was too short for all: an event of a large run may take a whole turn, so requests go first."""
    return sorted(items, key=lambda item: isinstance(item, RunEvent))


class Controller:
    """advance: the interpreter's function, or a test's own."""

    def __init__(self, state: Path, journal: Journal, read_model: ReadModel, advance: Advance | None = None) -> None:
        self.state = state
        self._journal, self.read_model, self._advance_run = journal, read_model, advance or interpreter_advance
        self._inbox = Inbox(MOST_IN_A_TURN, enough=2 * machine_size.cores())
        self._postponed: deque[Item] = deque()
        self._again_at: float | None = None
        self._runs: dict[str, ActiveRun] = {}
        self._loaded: set[str] = set()
        self._reserve = Reserve(state)
        self._waited_for: dict[str, str] = {}
        """Run → the last message of its pods that says what they wait for."""
        self._warned: dict[str, set[str]] = {}
        """Run → the warnings that were already given."""
        self._late_at = self._late_from = 0.0
        self._most_nodes = int(os.environ.get("HERA_UTILS_MOST_NODES") or MOST_NODES)
        self._spare = False
        """Whether the journal's file may be larger than its content."""
        self._garbage = Garbage()
        self.launcher: Launcher
        self.effects: Effects
        self.lifecycle: Lifecycle
        self._thread = threading.Thread(target=self._loop, name="controller", daemon=True)
        self.failure: PlatformError | None = None

    def start(self, launcher: Launcher) -> None:
        """Restore the runs from the journal, continue unfinished launches and kills, and start the thread."""
        self.launcher = launcher
        artifacts = ArtifactRemoval(self.state, self.read_model)
        self.effects = Effects(
            self.state, self._journal, self.read_model, launcher, artifacts, self._note_removed_artifacts
        )
        self.lifecycle = Lifecycle(self.read_model, self.effects, launcher, self)
        for record in self.read_model.runs():
            if record.finished is None:
                self._load(record)
        self._perform_outbox()
        for (uid,) in self._journal.read("runs_gone"):
            self.later(lambda turn, uid=uid: self.lifecycle.remove_pods_of_run(turn, uid))  # type: ignore[misc]
        self._thread.start()

    def _perform_outbox(self) -> None:
        for pod, command, run, node, _, text in self._journal.read("all_outbox"):
            order, record = json.loads(text), self.effects.outstanding.get((run, node))
            if command == "forget":
                self.lifecycle.resume_forgetting(pod, run, node, order)
            elif record is None or record.uid != pod:
                continue
            elif command == "launch":
                self.launcher.reattach(record, order)
            else:
                self.launcher.kill(record, force=bool(order.get("force")))

    def stop(self) -> None:
        """End the thread after its current turn; the journal has everything."""
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self.launcher.close()

    # --- from other threads -------------------------------------------------------------------------------------------
    def report(self, run: str, event: Event) -> None:
        """Take in an event of a run, such as the end of a pod."""
        self._inbox.put(RunEvent(run, event))

    def call(self, act: Act[T]) -> T:
        """Run `act` in the controller's next turn. Returns its answer, or raises its error, when that turn is written."""
        request = TurnRequest(act)
        self._inbox.put(request)
        try:
            answer: T = request.future.result()
            return answer
        finally:
            # The traceback of a refusal refers to this frame, and the cycle would keep the request's body in memory.
            del request

    def later(self, act: Callable[[Turn], None]) -> None:
        """Run `act` in a later turn, and again if that turn cannot be written."""

        def act_without_answer(turn: Turn) -> Callable[[], None]:
            act(turn)
            return lambda: None

        self._inbox.put(TurnRequest(act_without_answer, awaited=False))

    def _note_removed_artifacts(self, uid: str, outcome: dict[tuple[str, str], str]) -> None:
        """Record in the run's nodes which artifacts were removed from stores on the network."""

        def act(turn: Turn) -> Callable[[], None]:
            active = self.active(uid)
            if active is not None and uid not in turn.deleted:
                changed, text = artifact_gc.record_outcome(active.run.document, outcome, artifact_gc.COMPLETION)
                active.run.changed.update(changed)
                turn.touched[uid] = active
                if text:
                    self.effects.record_event(turn, about(active.run), "Warning", "ArtifactGCFailed", text)
            return lambda: None

        self._inbox.put(TurnRequest(act))

    def drop_run(self, uid: str, size: int) -> None:
        self._waited_for.pop(uid, None)
        self._warned.pop(uid, None)
        active = self._runs.pop(uid, None)
        if active is not None:
            active.run.index = None
        self._garbage.add(size)

    def busy(self) -> bool:
        """Whether a run is in progress, or a pod that no run created."""
        return self.effects.outstanding.has_pods(NO_RUN) or any(
            not active.run.finished for active in list(self._runs.values())
        )

    # --- the loop -----------------------------------------------------------------------------------------------------
    def _loop(self) -> None:
        while not self._inbox.is_closed:
            items: list[Item] = []
            try:
                self._take_turn(items)
            except UnexpectedFailure as failed:
                self._undo_turn([item for item in items if item is not failed.item], None)
                failed.item.future.set_exception(failed.fault)
            except Exception as error:  # noqa: BLE001 - the only writer must not end; requests get the error
                self._undo_turn(
                    items, PlatformError(f"the local platform failed: {type(error).__name__}: {error}"), lost=True
                )

    def _incoming(self) -> Iterator[Item]:
        """The waiting items, after waiting for an item, for a due timer or for the time to try again."""
        if self._spare and self._inbox.empty():
            with contextlib.suppress(JournalError):  # this only saves disk space, and the next deletion tries it again
                self._spare = not self._journal.give_back(self._inbox.empty)
        self._garbage.give_back(self._runs.values(), is_idle=self._inbox.empty())
        due = [at for at in (self.effects.timers.next(), self._again_at) if at is not None]
        # A timer may be set for the year 30000 (activeDeadlineSeconds is any number); a thread cannot wait that long.
        timeout = min(max(0.0, min(due) - now()), LONGEST_WAIT) if due else None
        if not self._is_time_to_retry():
            yield from self._inbox.take(timeout, len(self.effects.outstanding))
        if self._is_time_to_retry():
            self._postponed, self._again_at = deque(_requests_first([*self._postponed, *self._inbox.rest()])), None
            while self._postponed:
                yield self._postponed.popleft()

    def _is_time_to_retry(self) -> bool:
        return self._again_at is not None and self._again_at <= now()

    def _take_turn(self, items: list[Item]) -> None:
        """Take waiting items, handle them and write the turn. items: the taken items are added to it."""
        turn = Turn(self.read_model.version + 1, now(), self.read_model.object)
        answers: list[tuple[Future[Any], Callable[[], Any]]] = []
        for item in self._incoming():
            turn.at = now()
            if not items:
                self._begin_turn()
            if items and (self._is_late() or turn.rewritten > MOST_REWRITTEN):
                self._postpone(turn, items, item)
                break
            items.append(item)
            if isinstance(item, RunEvent):
                self._take_event(turn, item)
                continue
            try:
                answers.append((item.future, item.act(turn)))
            except HeraUtilsError as error:
                # Without its traceback: that refers to this frame, and this frame to the error.
                item.future.set_exception(error.with_traceback(None))
            except Exception as error:
                raise UnexpectedFailure(item, error) from error
        if not items:
            self._begin_turn()
        turn.at = now()
        self._fire_timers(turn)
        turn.seal()
        try:
            self._write(turn)
        except JournalError as error:
            self._undo_turn(
                [item for item in items if isinstance(item, RunEvent) or not item.future.done()],
                failure(self._journal.path, error),
            )
            return
        self.failure = None
        self.read_model.publish(turn)
        self._spare = self._spare or bool(turn.deleted)
        perform(partial(self.effects.objects_written, turn))
        for act in turn.after_write:
            perform(act)
        for future, answer in answers:
            resolve(future, answer)
        for uid in {*turn.touched, *self._loaded}:
            self._unload(uid)
        self._loaded.clear()

    def _postpone(self, turn: Turn, items: list[Item], item: Item) -> None:
        """Leave the item, and all after it, for the next turn. Each turn still takes one event, however many requests there are."""
        postponed = [item, *self._postponed, *self._inbox.rest()]
        if not any(isinstance(taken, RunEvent) for taken in items):
            event = next((waiting for waiting in postponed if isinstance(waiting, RunEvent)), None)
            if event is not None:
                postponed.remove(event)
                items.append(event)
                self._take_event(turn, event)
        self._postponed, self._again_at = deque(postponed), now()

    def _write(self, turn: Turn) -> None:
        """Write the turn; on a full disk, give up the reserved space first. Raises JournalError when nothing was written."""
        try:
            turn.write(self._journal)
        except JournalError as error:
            if not is_full(self._journal.path, error) or not self._reserve.give_up():
                raise
            turn.write(self._journal)
        else:
            self._reserve.keep()

    def _undo_turn(self, items: list[Item], error: PlatformError | None, *, lost: bool = False) -> None:
        """Undo the turn: restore memory from the journal, refuse its requests, and repeat its events in a second.

        error: None when the request of another caller failed; then all unanswered items are repeated at once. lost: do not repeat items.
        """
        self.failure = error
        self._runs.clear()
        self.effects.restore()
        for record in self.read_model.runs():
            if record.finished is None:
                self._load(record)
        for item in items:
            if isinstance(item, RunEvent):
                if not lost:
                    self._postponed.append(item)
            elif not item.future.done():
                if error is None or not (item.awaited or lost):
                    self._postponed.append(item)
                else:
                    item.future.set_exception(error)
        self._again_at = now() + (AGAIN_SECONDS if error is not None else 0.0)

    # --- runs ---------------------------------------------------------------------------------------------------------
    def _load(self, record: StoredRun) -> ActiveRun | None:
        active = restore_run(self._journal, self.read_model, record)
        if active is not None:
            self._runs[record.uid] = active
            self._loaded.add(record.uid)
            self.read_model.hold(active.record)
        return active

    def active(self, uid: str) -> ActiveRun | None:
        """The run in memory, loaded from the journal if necessary; None when there is no such run."""
        active = self._runs.get(uid)
        if active is None:
            record = self.read_model.run_of_uid(uid)
            active = self._load(record) if record is not None else None
        return active

    def enter(self, turn: Turn, run: Run, event: Event, *, warnings: tuple[str, ...] = ()) -> None:
        """Start a new run with its first event (Submitted). warnings: sentences about parts of it that have no effect here."""
        record = StoredRun(run.uid, run.namespace, run.name, turn.version, turn.at, None)
        run.changed.update(run.nodes)  # a memoized resubmission begins with nodes
        active = ActiveRun(run, record, {}, fresh=True)
        self._runs[run.uid] = active
        for text in warnings:
            self.effects.record_event(turn, about(run), "Warning", "NoEffect", text)
        annotations = run.document["metadata"].get("annotations") or {}
        self._warn_once(turn, run, "StandIn", stand_ins_of(annotations.get(IMAGE_DECISIONS) or ""))
        self.advance(turn, active, event)

    def is_name_used(self, namespace: str, name: str) -> bool:
        """Whether a workflow of that name exists, or is created in this turn."""
        if self.read_model.run(namespace, name) is not None:
            return True
        return any(
            active.fresh and (active.run.namespace, active.run.name) == (namespace, name)
            for active in self._runs.values()
        )

    def give(self, turn: Turn, events: EventsOfRuns) -> None:
        """Advance runs by events that other runs caused (a lock became free…)."""
        for uid, event in events:
            active = self.active(uid)
            if active is not None:
                self.advance(turn, active, event)

    def advance(self, turn: Turn, run: ActiveRun, event: Event, *, refusable: bool = False) -> None:
        """Advance a run by one event, and by all events that follow within this turn (locks granted, objects read), also of other runs.

        refusable: the event is a user's request; if the interpreter refuses it (before it changes anything), the error is raised.
        """
        waiting: deque[tuple[str, Event]] = deque([(run.run.uid, event)])
        while waiting:
            uid, event = waiting.popleft()
            active = self.active(uid)
            if active is None or uid in turn.deleted:
                continue
            active.run.is_late, active.run.most_nodes = self._is_late, self._most_nodes
            try:
                with measure_step(self.effects.metrics, active.run), cost.limit_steps():
                    commands = self._advance_run(active.run, event)
            except Exception as error:
                if refusable and isinstance(error, HeraUtilsError):
                    raise
                self._record(turn, active, event)
                waiting.extend(self._end_broken_run(turn, active, error))
                continue
            finally:
                refusable = False
            self._record(turn, active, event)
            for command in commands:
                waiting.extend(self.effects.carry_out(turn, active, command))

    def _begin_turn(self) -> None:
        self._late_from, self._late_at = time.monotonic() + LONGEST_TURN, time.thread_time() + LONGEST_TURN

    def _is_late(self) -> bool:
        """Whether the turn has used its time. It is called for each node: reading the clock costs a fortieth of reading the thread's time,
        so that is read only once the clock is past the limit.
        """
        return time.monotonic() > self._late_from and time.thread_time() > self._late_at

    def _record(self, turn: Turn, active: ActiveRun, event: Event) -> None:
        if not isinstance(event, MACHINE_EVENTS):
            active.spec_mark = ""  # a user's request may change the spec (the parameters of a retry…)
        turn.touched[active.run.uid] = active
        # The same text as encode(events.to_json(event)), at a tenth of its cost.
        turn.add_statement("add_event", active.run.uid, encode({"event": type(event).__name__, **vars(event)}))

    def _end_broken_run(self, turn: Turn, active: ActiveRun, error: Exception) -> EventsOfRuns:
        """End a run that cannot continue: set phase Error, kill its pods, release its locks."""
        run = active.run
        plain = isinstance(error, HeraUtilsError | Oversize)
        log.error(
            "the run %s/%s cannot continue: %s", run.namespace, run.name, error, exc_info=None if plain else error
        )
        message = str(error) if plain else f"{type(error).__name__}: {error}"
        status = run.document.setdefault("status", {})
        status |= {"phase": "Error", "message": message, "finishedAt": timestamps.text(turn.at)}
        status.setdefault("startedAt", timestamps.text(turn.at))
        labels = run.document["metadata"].setdefault("labels", {})
        labels |= {"workflows.argoproj.io/phase": "Error", "workflows.argoproj.io/completed": "true"}
        for pod in self.effects.outstanding.of(run.uid):
            self.effects.kill(turn, pod)
        return self.effects.release_all(turn, run.uid)

    def _unload(self, uid: str) -> None:
        """Remove a run from memory once it has ended and has no pods; the journal keeps it."""
        active = self._runs.get(uid)
        if active is not None and active.run.finished and not self.effects.outstanding.has_pods(uid):
            del self._runs[uid]
            self._garbage.add(len(active.run.nodes) * BYTES_OF_A_NODE)
            # This breaks a reference cycle, which would keep thousands of nodes until a garbage collection.
            active.run.index = None
            self.read_model.release(uid)

    # --- what happened ------------------------------------------------------------------------------------------------
    def _take_event(self, turn: Turn, item: RunEvent) -> None:
        # An event of a runtime has no seed: without one, random choices would be the same in every run.
        event = item.event if item.event.seed else replace(item.event, seed=seed())
        if isinstance(event, POD_EVENTS):
            key = (item.run, event.node_id)
            if isinstance(event, PodFinished) and self.lifecycle.bury_pod(turn, *key):
                return
            pod = self.effects.outstanding.get(key)
            if pod is None:
                return  # the end is already stored; the runtime reports it again after a restart
            pod = turn.pods.get(pod.uid, pod)
            deleted = pod.uid in self.effects.deleted
            if isinstance(event, PodFinished) and deleted:
                its_end = self.lifecycle.deleted_pod_ended(turn, pod, event)
                if its_end is None:
                    return
                event = its_end
            self._note_status(turn, pod, event)
            if isinstance(event, PodFinished):
                self.effects.settle_pod(turn, key)
                self.lifecycle.pod_ended(turn, pod, event)
                if deleted:
                    turn.hide_pod(turn.pods.get(pod.uid, pod))
        active = self.active(item.run)
        if active is not None:
            if isinstance(event, PodWaiting):
                self._warn_of_waiting(turn, active, event.message)
            if isinstance(event, PodFinished):
                for text in event.warnings:
                    if pod_events.is_of_artifacts(text):
                        self.effects.record_event(turn, about(active.run), "Warning", "ArtifactIncomplete", text)
                    else:
                        self._warn_once(turn, active.run, "OtherUser", [text])
                self._warn_once(turn, active.run, "StandIn", event.stand_ins)
            self.advance(turn, active, event)

    def _warn_once(self, turn: Turn, run: Run, reason: str, texts: Iterable[str]) -> None:
        """Record each text as one warning event per run, so that no image gets a stand-in silently."""
        before = self._warned.setdefault(run.uid, set())
        for text in texts:
            if text not in before:
                before.add(text)
                self.effects.record_event(turn, about(run), "Warning", reason, text)

    def _warn_of_waiting(self, turn: Turn, active: ActiveRun, message: str) -> None:
        """Record Kubernetes' event FailedScheduling, once for all pods of a run that wait for the same reason."""
        ordinary = "Insufficient cpu" in message  # not recorded: it is normal for a run with more tasks than cores
        if message.startswith("Unschedulable: ") and not ordinary and self._waited_for.get(active.run.uid) != message:
            self._waited_for[active.run.uid] = message
            self.effects.record_event(turn, about(active.run), "Warning", "FailedScheduling", message)

    def _note_status(self, turn: Turn, pod: StoredPod, event: Event) -> None:
        ran = isinstance(event, PodFinished) and event.start is not None
        before = {} if ran else json.loads(pod.status)  # an event with start and end needs no status before
        status = pod_object.status_after(pod.document, before, event)
        if status is None:
            return
        count_pod_phases(self.effects.metrics, pod.namespace, before, status, ran=ran)
        changed = pod._replace(status=encode(status))
        turn.put_pod(changed)
        if not isinstance(event, PodFinished):
            self.effects.outstanding.put(changed)

    def _fire_timers(self, turn: Turn) -> None:
        """Fire due timers, at least one and as many as the turn has time for. A timer that is set again waits for the next turn."""
        fired: set[tuple[str, str]] = set()
        while (due := self.effects.timers.first_due(turn.at)) is not None and due not in fired:
            if fired and self._is_late():
                return
            fired.add(due)
            self.effects.timers.cancel(*due)
            self._fire(turn, *due)

    def _fire(self, turn: Turn, run: str, key: str) -> None:
        turn.add_statement("delete_timer", run, key)
        if key == DELETE_KEY:
            record = self.read_model.run_of_uid(run)
            if record is not None:
                self.lifecycle.delete_run(turn, record)
            return
        if key.startswith(COLLECT_KEY):
            for pod in [StoredPod(*row) for row in self._journal.read("get_pod", key.removeprefix(COLLECT_KEY))]:
                turn.hide_pod(pod)
            return
        active = self.active(run)
        if active is not None:
            self.advance(turn, active, TimerFired(turn.at, seed(), key))
