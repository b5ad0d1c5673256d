"""Splits a run into workflows: one if it can hold all points, else several, each defined with its own batch of points."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from hera_utils.errors import SettingsError, UnsupportedError
from hera_utils.execution.definition import BuiltWorkflow, Definition
from hera_utils.execution.fingerprints import Fingerprint, Fingerprinter
from hera_utils.experiment.points import Point
from hera_utils.experiment.task_ownership import TaskOwnership, TaskRef, prune, task_ownership
from hera_utils.preflight.size_limits import TASKS, TEMPLATES, longest_list, size_of_document
from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]

SAMPLE = 64  # points that are defined to estimate how much one point adds to a workflow


@dataclass(frozen=True)
class Limits:
    """How large a workflow of a run may be. bytes: size of its document. nodes: number of tasks. in_flight: workflows that run at once.

    A cluster stores a workflow and its status in one object of 1 MiB, and Argo adds about a kilobyte a node (compressed when it must):
    so half of it is left to the status. This machine has no such limit, but a workflow is always read as a whole.
    most: the bytes that no workflow may exceed, also one that is larger than `bytes` whatever its points are. elements: the most
    templates, or tasks of a DAG: Argo's full resource definitions refuse more (preflight/size_limits.py).
    """

    bytes: int
    nodes: int
    in_flight: int
    most: int
    elements: int

    def room(self, fixed: float) -> float:
        """The most bytes that a batch may have, if every batch has `fixed` bytes that do not depend on its points."""
        return max(self.bytes, min(self.most, 2 * fixed))


ON_A_CLUSTER = Limits(bytes=512 * 1024, nodes=1000, in_flight=4, most=1000 * 1024, elements=min(TEMPLATES, TASKS))
HERE = Limits(bytes=4 * 1024 * 1024, nodes=2000, in_flight=2, most=64 * 1024 * 1024, elements=1_000_000)


def limits_of(context: CLIContext) -> Limits:
    """The limits of a workflow on the platform that the settings name."""
    return HERE if context.platform == "local" else ON_A_CLUSTER


@dataclass(frozen=True)
class Batch:
    """One workflow of a run, before it has a name.

    role: "points", "whole" or "gather". tasks, fingerprints: those of each point, by its id. rest: the digest of the part that belongs to
    no point. workflow: Hera's object, None if there is only a document. sent: whether the experiment's function submitted it itself.
    """

    role: str
    document: Json
    points: Sequence[Point] = ()
    tasks: Mapping[str, tuple[TaskRef, ...]] = field(default_factory=dict)
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    rest: str = ""
    workflow: Any = None
    sent: bool = False


@dataclass(frozen=True)
class SizeEstimate:
    """How large the workflows of a run will be, from defining all of it or a sample.

    sample: the workflow that was defined; full: the same if it has all points, else None. ownership: of the points of the sample.
    each: (bytes, tasks, elements of the longest list) that one more point adds; fixed: (bytes, elements) that every batch has besides.
    limits: those of one workflow.
    """

    sample: BuiltWorkflow
    full: BuiltWorkflow | None
    ownership: TaskOwnership
    limits: Limits
    each: tuple[float, float, float] = (0.0, 1.0, 0.0)
    fixed: tuple[float, float] = (0.0, 0.0)

    @property
    def unit(self) -> str:
        """Why the run must be one workflow, whatever its size; "" if it may be split."""
        if self.sample.sent:
            return "its function submits it itself (w.create())"
        return self.ownership.unit_reason or self.ownership.unsplittable

    @property
    def runs_whole(self) -> bool:
        """Whether the workflow can only run with all of its points."""
        return bool(self.ownership.unit_reason) or self.sample.sent

    @property
    def points_per_batch(self) -> int:
        grown, tasks, elements = self.each
        size, length = self.fixed
        by_size = (self.limits.room(size) - size) / grown if grown > 0 else self.limits.nodes
        by_length = (self.limits.elements - length) / elements if elements > 0 else self.limits.nodes
        return max(1, int(min(by_size, by_length, self.limits.nodes / max(1.0, tasks))))

    @property
    def fits(self) -> bool:
        """Whether one workflow holds all points; False if only a sample was defined."""
        if self.full is None:
            return False
        document = self.full.document
        return bytes_of(document) <= self.limits.bytes and longest_list(document) <= self.limits.elements

    def accepts(self, document: Json) -> bool:
        """Whether the document of a batch is small enough to be sent."""
        return bytes_of(document) <= self.limits.room(self.fixed[0]) and longest_list(document) <= self.limits.elements

    @property
    def single(self) -> bool:
        """Whether one workflow computes all points."""
        return bool(self.unit) or self.fits


def bytes_of(document: Json) -> int:
    return size_of_document(document).bytes


def estimate_size(definition: Definition, limits: Limits) -> SizeEstimate:
    """Define all points if one workflow may hold them, else a sample: `define` is never called with 100,000 points at once, unless
    its workflow must be one unit.
    """
    inputs = definition.inputs
    axes, count = definition.axes, len(inputs.points)
    if count > limits.nodes:
        first = list(islice(inputs.points, SAMPLE))
        sample = definition.workflow(first)
        estimate = SizeEstimate(sample, None, task_ownership(sample.document, axes, first), limits)
        estimate = _measure_growth(definition, estimate, first)
        if not estimate.unit:
            return estimate
        if sample.sent:
            raise SettingsError(
                f"the experiment's function submitted the workflow of {SAMPLE} points itself (w.create())",
                fix="end it with `return w`: the engine submits a sweep of this size in batches",
            )
    full = definition.workflow()
    points = list(inputs.points)
    estimate = SizeEstimate(full, full, task_ownership(full.document, axes, points), limits)
    return estimate if estimate.single else _measure_growth(definition, estimate, points)


def _measure_growth(definition: Definition, estimate: SizeEstimate, points: Sequence[Point]) -> SizeEstimate:
    """The estimate with what one more point adds, found by comparing with the workflow of half of the points."""
    half = points[: max(1, len(points) // 2)]
    larger, smaller = (
        (bytes_of(document), longest_list(document))
        for document in (estimate.sample.document, definition.workflow(half).document)
    )
    more = max(1, len(points) - len(half))
    grown = max(1.0, (larger[0] - smaller[0]) / more)
    longer = (larger[1] - smaller[1]) / more
    tasks = sum(map(len, estimate.ownership.tasks.values())) / len(points)
    fixed = max(0.0, larger[0] - grown * len(points)), max(0.0, larger[1] - longer * len(points))
    return replace(estimate, each=(grown, tasks, longer), fixed=fixed)


def largest_document(definition: Definition, estimate: SizeEstimate) -> Json:
    """The largest of the workflows that will be sent; the platform must accept it."""
    if estimate.single or estimate.full is None:
        return estimate.sample.document
    return definition.workflow(definition.inputs.points[: estimate.points_per_batch]).document


def batches_of(
    definition: Definition,
    estimate: SizeEstimate,
    fingerprinter: Fingerprinter,
    points: Iterable[Point],
    computed: Mapping[str, Fingerprint],
) -> Iterator[Batch]:
    """The workflows that compute these points, each defined when it is needed. computed: fingerprints that exist already, by point."""
    builder = _Builder(definition, estimate, fingerprinter, computed)
    chosen = iter(points)
    if estimate.single:
        some = list(chosen)
        if some:
            yield builder.single(some)
        return
    room = estimate.points_per_batch
    waiting: list[Point] = []
    while True:
        waiting += islice(chosen, max(0, room - len(waiting)))
        if not waiting:
            return
        batch = builder.split(waiting[:room])
        if len(batch.points) > 1 and not estimate.accepts(batch.document):
            room = max(1, len(batch.points) // 2)
            continue
        waiting = waiting[len(batch.points) :]
        yield batch


@dataclass(frozen=True)
class _Builder:
    """Makes the batches of one run."""

    definition: Definition
    estimate: SizeEstimate
    fingerprinter: Fingerprinter
    computed: Mapping[str, Fingerprint]

    def single(self, points: Sequence[Point]) -> Batch:
        """The workflow of these points, cut out of that of all points; all of it where it runs whole."""
        ownership = self.estimate.ownership
        built = self.estimate.full or self.definition.workflow()
        if self.estimate.runs_whole or built.sent:
            every = list(self.definition.inputs.points)
            fingerprints = self._fingerprints(built.document, ownership, every, unit=True)
            return Batch(
                "whole", built.document, every, ownership.tasks, fingerprints, workflow=built.workflow, sent=built.sent
            )
        document, tasks = prune(built.document, ownership, [point.id for point in points])
        fan_in = self.fingerprinter.fingerprint_fan_in(built.document, ownership)
        fingerprints = self._fingerprints(built.document, ownership, points)
        return Batch("points", document, points, tasks, fingerprints, fan_in, workflow=built.workflow)

    def split(self, points: Sequence[Point]) -> Batch:
        """The workflow of these points alone, defined for them."""
        built = self.definition.workflow(points)
        ownership = task_ownership(built.document, self.definition.axes, points)
        reason = ownership.unit_reason or ownership.unsplittable
        if reason or built.sent:
            raise UnsupportedError(
                f"the workflow cannot be split: {reason or 'its function submits it itself'}",
                fix="make the function define the same tasks for all points",
            )
        document, tasks = prune(built.document, ownership, [point.id for point in points])
        fingerprints = self._fingerprints(built.document, ownership, points)
        return Batch("points", document, points, tasks, fingerprints, workflow=built.workflow)

    def _fingerprints(
        self, document: Json, ownership: TaskOwnership, points: Sequence[Point], *, unit: bool = False
    ) -> dict[str, Fingerprint]:
        if all(point.id in self.computed for point in points):
            return {point.id: self.computed[point.id] for point in points}
        computed = self.fingerprinter.fingerprint_points(document, ownership, points, unit=unit)
        return {point.id: fingerprint for point, fingerprint in computed}


def fingerprints_of(
    definition: Definition, estimate: SizeEstimate, fingerprinter: Fingerprinter
) -> Iterator[tuple[Point, Fingerprint]]:
    """The fingerprint of every point as it is now. Many points are defined in chunks."""
    if estimate.full is not None or estimate.unit:
        built = estimate.full or definition.workflow()
        unit = estimate.runs_whole or built.sent
        yield from fingerprinter.fingerprint_points(
            built.document, estimate.ownership, definition.inputs.points, unit=unit
        )
        return
    every = iter(definition.inputs.points)
    while chunk := list(islice(every, estimate.limits.nodes)):
        built = definition.workflow(chunk)
        ownership = task_ownership(built.document, definition.axes, chunk)
        yield from fingerprinter.fingerprint_points(built.document, ownership, chunk)
