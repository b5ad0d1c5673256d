"""A search repeated from its beginning with what is known of its points: how far it came, and which points come next. Sends nothing.

The sampler is new and is told the same as before, round by round, so it asks for the same points (decision 39). A point is known
when it is done, as for every sweep (history.decide), and what its tasks answered is known too; when it was stopped early, and nothing that
it depends on has changed; and in a run that goes on also when it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hera_utils.execution.batches import Limits, SizeEstimate, estimate_size
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.execution.definition import Definition
from hera_utils.execution.fingerprints import Fingerprint, Fingerprinter
from hera_utils.execution.history import PART_OF_UNIT, Decisions, History, LastResult, changes_since, decide
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.points import Point
from hera_utils.experiment.search import Course, SearchDesign, Trial, design_of, so_far
from hera_utils.runs.file_facts import FileFacts
from hera_utils.runs.record import DONE, PRUNED
from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]
Recall = Callable[[Point, LastResult], "Trial | None"]
"""What became of a point, by its last result; None where that is not known any more."""

FORGOTTEN = "what its tasks answered is not known here"


@dataclass(frozen=True)
class Round:
    """The points of a round, their workflow defined. decisions: which of them are done, and why the others run.

    trials: point id → what became of it, of those that do not run.
    """

    points: Sequence[Point]
    definition: Definition
    estimate: SizeEstimate
    decisions: Decisions
    trials: Mapping[str, Trial] = field(default_factory=dict)


@dataclass
class Replay:
    """How far a search is. current: the round whose results are not all known, None when the search is over.

    done: point id → the run that computed it, of the rounds before; outputs: by what their files are known.
    """

    course: Course
    current: Round | None = None
    done: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, Mapping[str, FileFacts]] = field(default_factory=dict)

    @property
    def decisions(self) -> Decisions:
        """Of all points that are known."""
        if self.current is None:
            return Decisions({}, self.done, outputs=self.outputs)
        present = self.current.decisions
        return replace(present, done={**self.done, **present.done}, outputs={**self.outputs, **present.outputs})


@dataclass(frozen=True)
class Rounds:
    """Makes rounds ready: the experiment's function is called with their points alone.

    files: makes those that a layout declares; fingerprinter: as for every sweep.
    """

    written: Experiment
    context: CLIContext
    limits: Limits
    files: Callable[[Definition], DeclaredFiles]
    fingerprinter: Fingerprinter

    @property
    def design(self) -> SearchDesign:
        design = design_of(self.written.inputs.sweep)
        assert design is not None, "made for searches only"
        return design

    def experiment(self, points: Iterable[Point]) -> Experiment:
        """The experiment whose search knows these points."""
        inputs = self.written.inputs
        return replace(self.written, inputs=replace(inputs, parameters=so_far(inputs.sweep, list(points))))

    def definition(self, points: Iterable[Point], chosen: Iterable[Point]) -> Definition:
        """Of some of the points that are known, under the names that they have among all."""
        ids = {point.id for point in chosen}
        experiment = self.experiment(points)
        chosen_points = [point for point in experiment.inputs.points if point.id in ids]
        return Definition(replace(experiment, inputs=experiment.inputs.narrowed(chosen_points)), self.context)

    def round(self, course: Course, points: Sequence[Point], history: History) -> Round:
        definition = self.definition(course.points.values(), points)
        estimate = estimate_size(definition, self.limits)
        files = self.files(definition)
        fingerprinter = replace(self.fingerprinter, inputs=files.read)
        decisions = decide(definition, estimate, history, fingerprinter, files)
        return Round(list(definition.inputs.points), definition, estimate, decisions)

    def replay(self, history: History, recall: Recall, own: Path | None = None) -> Replay:
        """own: the record of the run that goes on, None for a new one."""
        replayed = Replay(Course(self.design))
        self.replay_on(replayed, history, recall, own)
        return replayed

    def replay_on(self, replayed: Replay, history: History, recall: Recall, own: Path | None = None) -> None:
        """From the next round on, until one is not wholly known."""
        replayed.current = None
        while points := replayed.course.next():
            current = self._with_known(self.round(replayed.course, points, history), history, recall, own)
            if len(current.trials) < len(points):
                replayed.current = current
                return
            replayed.done.update(current.decisions.done)
            replayed.outputs.update(current.decisions.outputs)
            replayed.course.settle(current.trials.values())

    def first_estimate(self) -> SizeEstimate:
        """Of the round that the search begins with."""
        return estimate_size(Definition(self.written, self.context), self.limits)

    def _with_known(self, current: Round, history: History, recall: Recall, own: Path | None) -> Round:
        """The round, where what is known does not run."""
        decisions = current.decisions
        trials: dict[str, Trial] = {}
        run, done = dict(decisions.run), dict(decisions.done)
        for point in current.points:
            last = history.results.get(point.id)
            if last is None or point.id in decisions.in_flight:
                continue
            reason = run.get(point.id, "")
            settled = point.id in done or (reason == PART_OF_UNIT and last.status == DONE)
            if settled or (reason and self._counts(last, decisions.fingerprints[point.id], history, own)):
                trial = recall(point, last)
                if trial is not None:
                    run.pop(point.id, None)
                    trials[point.id] = trial
                elif done.pop(point.id, None):
                    run[point.id] = FORGOTTEN
        if current.estimate.ownership.whole and len(trials) < len(current.points):
            return current  # all of it runs
        return replace(current, decisions=replace(decisions, run=run, done=done), trials=trials)

    def _counts(self, last: LastResult, fingerprint: Fingerprint, history: History, own: Path | None) -> bool:
        """Whether a point that is not done has its result all the same."""
        if last.status in ("", DONE) or (last.status != PRUNED and last.run != own):
            return False
        return not changes_since(last, fingerprint, history, self.fingerprinter)
