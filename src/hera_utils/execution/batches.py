"""A run as workflows: one where one can hold it, else several parts, each defined with its own points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from hera_utils.errors import SettingsError, UnsupportedError
from hera_utils.execution.definition import Defined, Definition
from hera_utils.execution.fingerprints import Print, Prints
from hera_utils.experiment.points import Point
from hera_utils.experiment.task_ownership import TaskOwnership, TaskRef, prune, task_ownership
from hera_utils.preflight.limits import size

Json = dict[str, Any]

SAMPLE = 64  # points that tell the size of a point


@dataclass(frozen=True)
class Limits:
    """How large a workflow of a run may get. bytes: of its document. nodes: tasks. in_flight: how many of them go on at once.

    A cluster stores a workflow and its status in one object of 1 MiB, and Argo adds about a kilobyte a node (compressed when it must):
    so half of it is left to the status. This machine has no such limit; but what is read of a run is a whole workflow at a time.
    most: the bytes that cannot be exceeded, for a workflow that is large whatever its points are.
    """

    bytes: int
    nodes: int
    in_flight: int
    most: int

    def room(self, fixed: float) -> float:
        """The bytes that a part may have when `fixed` of them are in each."""
        return max(self.bytes, min(self.most, 2 * fixed))


ON_A_CLUSTER = Limits(bytes=512 * 1024, nodes=1000, in_flight=4, most=1000 * 1024)
HERE = Limits(bytes=4 * 1024 * 1024, nodes=2000, in_flight=2, most=64 * 1024 * 1024)


@dataclass(frozen=True)
class Part:
    """One workflow of a run, before it has a name. role: points, whole or gather. pieces, prints: of each point. rest: fingerprints'."""

    role: str
    document: Json
    points: Sequence[Point] = ()
    pieces: Mapping[str, tuple[TaskRef, ...]] = field(default_factory=dict)
    prints: Mapping[str, Print] = field(default_factory=dict)
    rest: str = ""
    made: Any = None
    sent: bool = False


@dataclass(frozen=True)
class Survey:
    """What one look at the definition tells. full: the workflow of all points, None when only a sample was defined.

    belonging: of the points that were defined. each: (bytes, tasks) that one more point adds; fixed: bytes of what all parts have.
    """

    shown: Defined
    full: Defined | None
    belonging: TaskOwnership
    each: tuple[float, float]
    fixed: float

    @property
    def unit(self) -> str:
        """Why it is one workflow, whatever its size; "" when it may be split."""
        if self.shown.sent:
            return "its function submits it itself (w.create())"
        return self.belonging.whole or self.belonging.unsplittable

    def points_a_part(self, limits: Limits) -> int:
        grown, tasks = self.each
        by_size = (limits.room(self.fixed) - self.fixed) / grown if grown > 0 else limits.nodes
        return max(1, int(min(by_size, limits.nodes / max(1.0, tasks))))

    def fits(self, limits: Limits) -> bool:
        """Whether all points fit into one workflow (of those that were defined)."""
        return self.full is not None and bytes_of(self.full.document) <= limits.bytes


def bytes_of(document: Json) -> int:
    return size(document).bytes


def surveyed(definition: Definition, limits: Limits) -> Survey:
    """Define the whole where one workflow may hold it, else a sample: `define` is never called with 100,000 points at once, unless
    its workflow is one unit.
    """
    inputs = definition.inputs
    axes, count = definition.axes, len(inputs.points)
    if count > limits.nodes:
        first = list(islice(inputs.points, SAMPLE))
        sample = definition.workflow(first)
        survey = _measured(definition, sample, task_ownership(sample.document, axes, first), first)
        if not survey.unit:
            return survey
        if sample.sent:
            raise SettingsError(
                f"the experiment's function submitted the workflow of {SAMPLE} points itself (w.create())",
                fix="end it with `return w`: the engine submits a sweep of this size in batches",
            )
    full = definition.workflow()
    points = list(inputs.points)
    found = task_ownership(full.document, axes, points)
    survey = Survey(full, full, found, (0.0, 1.0), 0.0)
    if survey.unit or survey.fits(limits):
        return survey
    return replace(_measured(definition, full, found, points), full=full)


def _measured(definition: Definition, shown: Defined, found: TaskOwnership, points: Sequence[Point]) -> Survey:
    half = points[: max(1, len(points) // 2)]
    larger, smaller = bytes_of(shown.document), bytes_of(definition.workflow(half).document)
    grown = max(1.0, (larger - smaller) / max(1, len(points) - len(half)))
    tasks = sum(map(len, found.tasks.values())) / len(points)
    return Survey(shown, None, found, (grown, tasks), max(0.0, larger - grown * len(points)))


def parts(
    definition: Definition, survey: Survey, prints: Prints, points: Iterable[Point], limits: Limits
) -> Iterator[Part]:
    """The workflows that compute these points, each made when it is asked for."""
    chosen = iter(points)
    if survey.unit or survey.fits(limits):
        wanted = list(chosen)
        if wanted:
            yield _single(definition, survey, prints, wanted)
        return
    room = survey.points_a_part(limits)
    waiting: list[Point] = []
    while True:
        waiting += islice(chosen, max(0, room - len(waiting)))
        if not waiting:
            return
        part = _split(definition, prints, waiting[:room])
        if bytes_of(part.document) > limits.room(survey.fixed) and len(part.points) > 1:
            room = max(1, len(part.points) // 2)
            continue
        waiting = waiting[len(part.points) :]
        yield part


def _single(definition: Definition, survey: Survey, prints: Prints, wanted: Sequence[Point]) -> Part:
    full = survey.full or definition.workflow()
    found = survey.belonging
    if found.whole or full.sent:
        printed = prints.whole(full.document)
        every = list(definition.inputs.points)
        return Part(
            "whole",
            full.document,
            every,
            found.tasks,
            {point.id: printed for point in every},
            made=full.made,
            sent=full.sent,
        )
    printed_all = dict(prints.of(full.document, found))
    document, pieces = prune(full.document, found, [point.id for point in wanted])
    chosen = {point.id: printed_all[point.id] for point in wanted}
    rest = prints.rest(full.document, found)
    return Part("points", document, wanted, pieces, chosen, rest, made=full.made)


def _split(definition: Definition, prints: Prints, wanted: Sequence[Point]) -> Part:
    defined = definition.workflow(wanted)
    found = task_ownership(defined.document, definition.axes, wanted)
    if found.whole or found.unsplittable or defined.sent:
        raise UnsupportedError(
            f"the workflow cannot be split: {found.whole or found.unsplittable or 'its function submits it itself'}",
            fix="make the function define the same tasks for all points",
        )
    printed = dict(prints.of(defined.document, found))
    document, pieces = prune(defined.document, found, [point.id for point in wanted])
    return Part("points", document, wanted, pieces, printed, made=defined.made)


def prints_of(definition: Definition, survey: Survey, prints: Prints, limits: Limits) -> Iterator[tuple[Point, Print]]:
    """What every point depends on now. Defines all of them, part by part where they are many."""
    if survey.full is not None or survey.unit:
        full = survey.full or definition.workflow()
        if survey.belonging.whole or full.sent:
            printed = prints.whole(full.document)
            for point in definition.inputs.points:
                yield point, printed
            return
        known = dict(prints.of(full.document, survey.belonging))
        for point in definition.inputs.points:
            yield point, known[point.id]
        return
    every, axes = iter(definition.inputs.points), definition.axes
    while chunk := list(islice(every, limits.nodes)):
        defined = definition.workflow(chunk)
        found = task_ownership(defined.document, axes, chunk)
        known = dict(prints.of(defined.document, found))
        for point in chunk:
            yield point, known[point.id]
