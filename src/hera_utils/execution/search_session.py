"""One run of a search: its points are chosen in rounds, each an ordinary batch, until the sampler ends it or all its points are computed.

open            repeat the search with the known results (search_replay.py), and plan the next round
run             compute a round, give its results to the sampler, ask it for the next round; at last gather the points that are done
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hera_utils.errors import SettingsError, UnsupportedError
from hera_utils.execution.batches import Batch, SizeEstimate, batches_of
from hera_utils.execution.decisions import Decisions
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.execution.definition import Definition
from hera_utils.execution.dispatcher import Dispatcher
from hera_utils.execution.earlier_runs import record_end
from hera_utils.execution.history import History, LastResult
from hera_utils.execution.run_facts import script_folder
from hera_utils.execution.search_plan import SearchPlan
from hera_utils.execution.search_replay import Replay, Round, Rounds
from hera_utils.execution.session import Caller, Session
from hera_utils.execution.step_watch import StepWatch
from hera_utils.execution.trials import RecordedTrials, outputs_of, point_of, trial_as_json, trial_of
from hera_utils.experiment.layout import Layout
from hera_utils.experiment.points import Point
from hera_utils.experiment.search_design import FAILED, Trial, best
from hera_utils.experiment.values import as_json_values
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.results.point_results import PointResult
from hera_utils.results.results import Results
from hera_utils.runs.record import DONE, PRUNED, SUBMITTED, PointRow, RunRecord
from hera_utils.runs.whole_run import workflow_of
from hera_utils.watch.display import Display
from hera_utils.wording import counted

GIVE_UP = 5  # a search ends after this many points, or after its first round if that has more, when all have failed


class SearchSession(Session):
    """A run of a search. definition, estimate: those of the current round; definition is at the end that of the points that are done."""

    compared_inputs = (("constants", "constant"), ("search", "the search's"))
    replayed: Replay

    def __init__(self, client: ArgoClient, caller: Caller, definition: Definition, estimate: SizeEstimate) -> None:
        super().__init__(client, caller, definition, estimate)
        self.written = definition.experiment
        self.history = History()
        self.watch: StepWatch | None = None
        self.recorded = RecordedTrials(self.runs)
        self._joined: RunRecord | None = None
        self.stuck = False
        self._kept_trials: dict[str, Trial] = {}
        self._added_points: set[str] = set()
        """What the record has already: each round writes only its changes."""

    @property
    def rounds(self) -> Rounds:
        return Rounds(self.written, self.context, self.estimate.limits, self._files_of, self.fingerprinter)

    def _files_of(self, definition: Definition) -> DeclaredFiles:
        return DeclaredFiles(definition.layout, self._volume(), script_folder())

    # --- known results -----------------------------------------------------------------------------------------------
    def _first_plan(self, history: History) -> SearchPlan:
        own = self.record
        self.history = history
        self.replayed = self.rounds.replay(history, self._recall, own.folder if own is not None else None)
        if own is not None and not self._continues(own):
            self._leave_record(own)
            self.replayed = self.rounds.replay(history, self._recall)
        self._refuse_units_that_are_pruned()
        return self._prepare_round(self.replayed.decisions if self.caller.resume else None)

    def _continues(self, record: RunRecord) -> bool:
        """Whether the search chooses the same points, in the same order, as in an unfinished run."""
        recorded = [row.id for row in record.points()]
        return list(self.replayed.course.points)[: len(recorded)] == recorded

    def _leave_record(self, record: RunRecord) -> None:
        """Leave an unfinished run as it is, because its points are others. Raises SettingsError while some of them run."""
        assert self.dispatcher is not None
        in_flight, self.record, self.dispatcher = self.dispatcher.in_flight, None, None
        name = record.name
        if not in_flight:
            record_end(record)
        record.close()
        if in_flight:
            raise SettingsError(
                f"points of {name} are still running, and its sampler asks for other points now",
                fix=self.advice.wait_or_stop(name),
            )
        self.reporter.lines(
            [f"{name} stays unfinished, because its sampler asks for other points now: this is a new run"]
        )

    def _recall(self, point: Point, last: LastResult) -> Trial | None:
        """The trial of a point: from the records, else from the workflow that computed it, if the platform still has it."""
        trial = self.recorded.find_trial(point, last)
        if trial is not None or last.status != DONE:
            return trial
        outputs = self._answers([last.row_for_new_run(PointRow(point.id, 0, point.name, as_json_values(point)))])
        return Trial(point, outputs=outputs[point.id]) if point.id in outputs else None

    def _answers(self, rows: Sequence[PointRow]) -> dict[str, dict[str, Any]]:
        """point id → the outputs of its tasks; points whose workflow was deleted are left out."""
        return {point.id: outputs_of(point.outputs) for point in self._results_of(rows)}

    def _results_of(self, rows: Sequence[PointRow]) -> list[PointResult]:
        documents = [workflow_of(self.client, name) for name in dict.fromkeys(row.workflow for row in rows)]
        results = Results.of([document for document in documents if document is not None], rows)
        return [point for point in results.points if point.tasks]

    def _refuse_units_that_are_pruned(self) -> None:
        current = self.replayed.current
        if current is None or not self.rounds.design.prunes or self.rounds.design.at_once == 1:
            return
        if current.estimate.unit:
            raise UnsupportedError(
                f"the points of this search cannot be stopped one by one: {current.estimate.unit}",
                fix="let each task belong to one point, or leave pruned out",
            )

    # --- rounds ------------------------------------------------------------------------------------------------------
    def _prepare_round(self, decisions: Decisions | None) -> SearchPlan:
        """Prepare the current round to be computed, and return its plan; the last plan if the search is over."""
        rounds, course = self.rounds, self.replayed.course
        current = self.replayed.current
        overview = Definition(rounds.experiment(course.points.values()), self.context)
        if isinstance(overview.layout, Layout):
            overview.layout.check(overview.inputs)
        if current is None:
            self.definition = self._definition_of_done_points()
        else:
            self.definition, self.estimate = current.definition, current.estimate
        if self.estimate.sample.sent:
            raise SettingsError(
                "the experiment's function submits the workflow of a round itself (w.create())",
                fix="end it with `return w`: the engine submits the rounds of a search",
            )
        self.fingerprinter = replace(self.fingerprinter, inputs=self._files_of(self.definition).read)
        return SearchPlan(overview, self.estimate, decisions, design=rounds.design, over=current is None)

    def _definition_of_done_points(self) -> Definition:
        """The definition of the points that have a result, for `gather`."""
        points, trials = self.replayed.course.points, self.replayed.course.trials
        done = [point for point in points.values() if point.id in trials and trials[point.id].status == DONE]
        return self.rounds.definition(points.values(), done)

    def _rows(self, history: History) -> Iterator[PointRow]:
        """The rows of all points that are known by now."""
        decisions, current = self.replayed.decisions, self.replayed.current
        settled = {*decisions.done, *self.replayed.course.trials, *(current.trials if current is not None else ())}
        present = {point.id for point in current.points} if current is not None else set()
        for number, point in enumerate(self.plan.definition.inputs.points):
            if point.id in self._added_points and point.id not in present:
                continue  # the record has its row and its result
            self._added_points.add(point.id)
            row = PointRow(point.id, number, point.name, as_json_values(point))
            last = history.results.get(point.id)
            if last is not None and point.id in settled:
                yield last.row_for_new_run(row)
            else:
                yield replace(row, why=decisions.run.get(point.id, ""))

    def _new_record(self) -> RunRecord:
        record = super()._new_record()
        record.facts["single"] = False  # each round is a workflow of its own
        record.facts["inputs"] = self.plan.definition.inputs.as_json()
        return record

    def _dispatcher(self, record: RunRecord) -> Dispatcher:
        dispatcher, design = super()._dispatcher(record), self.rounds.design
        if design.prunes:
            parallelism = self.context.parallelism if "parallelism" in self.context else None
            at_once = design.at_once if parallelism is None else min(design.at_once, parallelism)
            dispatcher.options = replace(dispatcher.options, in_flight=at_once)
        self._joined = record
        dispatcher.searching = True
        dispatcher.pruned = {point for point, trial in record.trials().items() if trial.get("status") == PRUNED}
        return dispatcher

    def _known_points(self) -> dict[str, Point]:
        """The points by id; from the record of the unfinished run while that is joined."""
        if hasattr(self, "replayed"):
            return dict(self.replayed.course.points)
        return {row.id: point_of(row) for row in self._joined.points()} if self._joined is not None else {}

    def _continues_run(self, record: RunRecord, dispatcher: Dispatcher) -> bool:
        return True

    def _has_more_than_points(self, history: History) -> bool:
        if self.replayed.current is not None or self.definition.gather is None:
            return self.replayed.current is not None
        return self._must_run_again(self._gather_batch().rest, history)

    def _batches(self) -> Iterator[Batch]:
        decisions = self.replayed.decisions
        chosen = [point for point in self.definition.inputs.points if point.id in decisions.run]
        parts = [[point] for point in chosen] if self.rounds.design.prunes else [chosen]
        for part in parts if chosen else ():
            fingerprints = decisions.fingerprints
            yield from batches_of(self.definition, self.estimate, self.fingerprinter, part, fingerprints)

    def _compute(self, dispatcher: Dispatcher) -> None:
        assert self.record is not None
        course = self.replayed.course
        self._keep_trials(course.trials)
        with self._display() as display:
            while self.replayed.current is not None and not self.stuck:
                self._carry_out(self.replayed.current, dispatcher, display)
                self._settle_round()
                self._next_round()
            if display is not None:
                phase = "Succeeded" if self._complete() else "Failed"
                count = len(self.replayed.course.points)  # some may have been in two workflows
                state = replace(dispatcher.progress(count), done=len(self.replayed.course.trials), total=count)
                display.update(replace(state, phase=phase, finished=time.time()))
        if self.replayed.current is None:
            self.definition = self._definition_of_done_points()
        self.reporter.lines(self._summary())

    def _carry_out(self, current: Round, dispatcher: Dispatcher, display: Display | None) -> None:
        """Compute the points of a round whose results are not known; once again those whose pods were lost."""
        most = self.rounds.design.most
        dispatcher.begin_round()
        if self.rounds.design.prunes:
            points = current.points
            dispatcher.watcher = self.watch = StepWatch(self.replayed.course, dispatcher, self.reporter, points)
        dispatcher.carry_out(self._batches(), display, total=most)
        lost = dispatcher.take_lost_points()
        if lost:
            self.reporter.lines([f"the pods of {counted(len(lost), 'point')} were lost while they ran: they run again"])
            run = {point.id: "its pod was lost" for point in current.points if point.id in lost}
            again = replace(current.decisions, run=run, in_flight={}, fingerprints={})
            self.replayed.current = replace(current, decisions=again)
            dispatcher.carry_out(self._batches(), display, total=most)

    def _settle_round(self) -> None:
        """Record the results of the current round's points, then give them to the sampler."""
        assert self.record is not None
        assert self.replayed.current is not None
        course, ids = self.replayed.course, {point.id: point for point in self.replayed.current.points}
        rows = list(self.record.points(ids=ids))
        self.stuck = any(row.status in ("", SUBMITTED, "Deleted") for row in rows)
        if self.stuck:
            return
        recorded = self.record.trials(ids)  # of points that were stopped
        trials = {row.id: trial_of(ids[row.id], recorded[row.id]) for row in rows if row.id in recorded}
        trials.update(self.replayed.current.trials)
        stopped = self._find_stopped_workflow(row for row in rows if row.status != DONE and row.id not in trials)
        if stopped:
            self.reporter.lines([f"{stopped} was stopped, so the search ends here"])
            self.stuck = True
            return
        fresh = [row for row in rows if row.status == DONE and row.id not in trials]
        outputs = self._answers(fresh) if fresh else {}
        for row in rows:
            if row.id not in trials:
                trials[row.id] = self._trial(row, ids[row.id], outputs)
        self._keep_trials(trials)
        course.settle(trials.values())
        self._report_failed_trials(trials, rows)

    def _keep_trials(self, trials: Mapping[str, Trial]) -> None:
        """Record the trials that changed: of thousands, each round changes a few."""
        assert self.record is not None
        fresh = {point: trial for point, trial in trials.items() if self._kept_trials.get(point) is not trial}
        if fresh:
            self.record.keep_trials({point: trial_as_json(trial) for point, trial in fresh.items()})
            self._kept_trials |= fresh

    def _find_stopped_workflow(self, rows: Iterable[PointRow]) -> str:
        """The first workflow of these that a user stopped: it says nothing about its points. "" for none."""
        for name in dict.fromkeys(row.workflow for row in rows):
            document = workflow_of(self.client, name)
            if document is not None and (document.get("spec") or {}).get("shutdown"):
                return name
        return ""

    def _trial(self, row: PointRow, point: Point, outputs: Mapping[str, dict[str, Any]]) -> Trial:
        steps = self.watch.steps.get(row.id, {}) if self.watch is not None else {}
        done = row.status == DONE
        return Trial(point, DONE if done else FAILED, outputs.get(row.id, {}) if done else {}, steps=steps)

    def _report_failed_trials(self, trials: Mapping[str, Trial], rows: Sequence[PointRow]) -> None:
        valued, failed = self.replayed.course.trials, [row for row in rows if trials[row.id].status == FAILED]
        reasons = {point.id: f": {point.message}" for point in self._results_of(failed) if point.message}
        for point, trial in trials.items():
            if trial.status == FAILED:
                self.reporter.lines([f"{trial.point.name} failed, and the sampler was told so{reasons.get(point, '')}"])
            elif valued[point].status == FAILED:
                names = ", ".join(f"{name} is {trial.outputs[name]}" for name in self.rounds.design.objectives)
                self.reporter.lines([f"{trial.point.name} counts as failed, because {names}"])

    def _next_round(self) -> None:
        """Ask for the next points, and record them before any of them is sent."""
        assert self.record is not None
        assert self.dispatcher is not None
        course, enough = self.replayed.course, max(GIVE_UP, self.rounds.design.at_once)
        if len(course.trials) >= enough and all(trial.failed for trial in course.trials.values()):
            self.stuck = True
        if self.stuck:
            return
        self.replayed.done.update(
            {trial.point.id: self.record.name for trial in course.trials.values() if trial.status == DONE}
        )
        self.rounds.replay_on(self.replayed, self.history, self._recall)
        self.plan = self._prepare_round(self.replayed.decisions if self.caller.resume else None)
        self.record.add_points(self._rows(self.history))
        if self.replayed.current is not None:
            self._take_over(self.record, self.replayed.current.decisions, self.history)
        self.record.update(points=self.plan.points, inputs=self.plan.definition.inputs.as_json())
        self._keep_trials(course.trials)
        self.__dict__.pop("writes", None)
        self._refuse_conflicting_writes(self.record)
        if self.writes is not None:
            options = self.dispatcher.options
            self.dispatcher.options = replace(options, annotations=self.writes.annotations())

    def submit(self) -> list[str]:
        """Send as much of the current round as may run at once, without waiting for it."""
        assert self.record is not None
        assert self.dispatcher is not None
        name, most = self.record.name, self.rounds.design.most
        self.dispatcher.send_until_full(self._batches())
        link = self.client.link(next(iter(self.dispatcher.in_flight), name))
        count = self.plan.points - self.record.counts_by_status().get("", 0)
        return [
            f"{name}: {count} of at most {most} points are submitted; the rest follows with: {self.advice.resume()}",
            link,
        ]

    def _how_to_come_back(self) -> str:
        assert self.record is not None
        return self.advice.come_back(self.record.name, waiting=1, gathers=False)

    def _complete(self) -> bool:
        """Whether the search is over and at least one point has a result."""
        trials = self.replayed.course.trials.values()
        return self.replayed.current is None and any(trial.status == DONE for trial in trials)

    def _summary(self) -> list[str]:
        """The best points, and the number of points."""
        design, trials = self.rounds.design, list(self.replayed.course.trials.values())
        counts = [counted(len(trials), "point")]
        counts += [
            f"{count} {what}" for what in (FAILED, PRUNED) if (count := sum(trial.status == what for trial in trials))
        ]
        front = best(design, trials)
        if not front:
            return [", ".join(counts).lower()]
        words = [
            f"best: {', '.join(f'{n} {v:g}' for n, v in zip(design.objectives, trial.values, strict=True))} at "
            f"{', '.join(f'{axis}={value}' for axis, value in trial.point.items())}"
            for trial in front[:3]
        ]
        more = [f"and {len(front) - 3} more that no other is better than"] if len(front) > 3 else []
        return [*words, *more, ", ".join(counts).lower()]
