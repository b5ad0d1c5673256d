"""Repeats a search from its beginning with the known results: finds how far it came, and which points come next. Sends nothing.

A new sampler gets the same results as before, round by round, so it chooses the same points (decision 39). A point is known
if it is done, as for every sweep (decisions.decide), and the outputs of its tasks are known too; if it was stopped early, and nothing that
it depends on has changed; and, in a run that is continued, also if it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hera_utils.execution.batches import Limits, SizeEstimate, estimate_size
from hera_utils.execution.decisions import PART_OF_UNIT, Decisions, changes_since, decide
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.execution.definition import Definition
from hera_utils.execution.fingerprints import Fingerprint, Fingerprinter
from hera_utils.execution.history import History, LastResult
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.points import Point
from hera_utils.experiment.search import SearchProgress, design_of, known_points
from hera_utils.experiment.search_design import SearchDesign, Trial
from hera_utils.runs.file_facts import FileFacts
from hera_utils.runs.record import DONE, PRUNED
from hera_utils.settings.resolve import CLIContext

Recall = Callable[[Point, LastResult], "Trial | None"]
"""A point and its last result → its trial; None if its outputs are not known any more."""

FORGOTTEN = "the outputs of its tasks are not known here"


@dataclass(frozen=True)
class Round:
    """The points of a round, with their workflow. decisions: which of them are done, and why the others run.

    trials: point id → its trial, of the points that do not run.
    """

    points: Sequence[Point]
    definition: Definition
    estimate: SizeEstimate
    decisions: Decisions
    trials: Mapping[str, Trial] = field(default_factory=dict)


@dataclass
class Replay:
    """How far a search is. current: the round whose results are not all known, None if the search is over.

    done: point id → the run that computed it, of the earlier rounds; outputs: point id → the facts about its output files.
    """

    course: SearchProgress
    current: Round | None = None
    done: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Mapping[str, FileFacts]] = field(default_factory=dict)

    @property
    def decisions(self) -> Decisions:
        """The decisions about all points that are known."""
        if self.current is None:
            return Decisions({}, self.done, outputs=self.outputs)
        present = self.current.decisions
        return replace(present, done={**self.done, **present.done}, outputs={**self.outputs, **present.outputs})


@dataclass(frozen=True)
class Rounds:
    """Prepares rounds: calls the experiment's function with the points of one round only.

    files: gives the declared files of a definition; fingerprinter: as for every sweep.
    """

    written: Experiment
    context: CLIContext
    limits: Limits
    files: Callable[[Definition], DeclaredFiles]
    fingerprinter: Fingerprinter

    @property
    def design(self) -> SearchDesign:
        design = design_of(self.written.inputs.sweep)
        assert design is not None, "created for searches only"
        return design

    def experiment(self, points: Iterable[Point]) -> Experiment:
        """The experiment with a search that has these points."""
        inputs = self.written.inputs
        return replace(self.written, inputs=replace(inputs, parameters=known_points(inputs.sweep, list(points))))

    def definition(self, points: Iterable[Point], chosen: Iterable[Point]) -> Definition:
        """The definition of the chosen ones of these points, with the names that they have among all points."""
        ids = {point.id for point in chosen}
        experiment = self.experiment(points)
        chosen_points = [point for point in experiment.inputs.points if point.id in ids]
        return Definition(replace(experiment, inputs=experiment.inputs.narrowed(chosen_points)), self.context)

    def round(self, course: SearchProgress, points: Sequence[Point], history: History) -> Round:
        definition = self.definition(course.points.values(), points)
        estimate = estimate_size(definition, self.limits)
        files = self.files(definition)
        fingerprinter = replace(self.fingerprinter, inputs=files.read)
        decisions = decide(definition, estimate, history, fingerprinter, files)
        return Round(list(definition.inputs.points), definition, estimate, decisions)

    def replay(self, history: History, recall: Recall, own: Path | None = None) -> Replay:
        """own: the record of the run to continue, None for a new run."""
        replayed = Replay(SearchProgress(self.design))
        self.replay_on(replayed, history, recall, own)
        return replayed

    def replay_on(self, replayed: Replay, history: History, recall: Recall, own: Path | None = None) -> None:
        """Replay from the next round on, up to the first round whose results are not all known."""
        replayed.current = None
        while points := replayed.course.next():
            current = self._remove_known_points(self.round(replayed.course, points, history), history, recall, own)
            if len(current.trials) < len(points):
                replayed.current = current
                return
            replayed.done.update(current.decisions.done)
            replayed.outputs.update(current.decisions.outputs)
            replayed.course.settle(current.trials.values())

    def first_estimate(self) -> SizeEstimate:
        """The size estimate of the first round."""
        return estimate_size(Definition(self.written, self.context), self.limits)

    def _remove_known_points(self, current: Round, history: History, recall: Recall, own: Path | None) -> Round:
        """The round without running the points whose results are known."""
        decisions = current.decisions
        trials: dict[str, Trial] = {}
        run, done = dict(decisions.run), dict(decisions.done)
        for point in current.points:
            last = history.results.get(point.id)
            if last is None or point.id in decisions.in_flight:
                continue
            reason = run.get(point.id, "")
            settled = point.id in done or (reason == PART_OF_UNIT and last.status == DONE)
            if settled or (reason and self._is_result_valid(last, decisions.fingerprints[point.id], history, own)):
                trial = recall(point, last)
                if trial is not None:
                    run.pop(point.id, None)
                    trials[point.id] = trial
                elif done.pop(point.id, None):
                    run[point.id] = FORGOTTEN
        if current.estimate.ownership.unit_reason and len(trials) < len(current.points):
            return current  # a unit runs with all of its points
        return replace(current, decisions=replace(decisions, run=run, done=done), trials=trials)

    def _is_result_valid(self, last: LastResult, fingerprint: Fingerprint, history: History, own: Path | None) -> bool:
        """Whether the result of a point counts although the point is not done: it was pruned, or it failed in this same run."""
        if last.status in ("", DONE) or (last.status != PRUNED and last.run != own):
            return False
        return not changes_since(last, fingerprint, history, self.fingerprinter)
