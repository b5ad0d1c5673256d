"""The plan of a run before anything is sent: its points, the workflows that compute them, what is done already and what runs again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hera_utils.errors import UnsupportedError
from hera_utils.execution.batches import HERE, SizeEstimate, bytes_of
from hera_utils.execution.cost import Cost
from hera_utils.execution.decisions import Decisions
from hera_utils.execution.definition import Definition
from hera_utils.experiment.environment import Environment
from hera_utils.experiment.points import Point
from hera_utils.experiment.values import as_json_values
from hera_utils.preflight import task_counts
from hera_utils.preflight.size_limits import Size, find_breaches, size_of_document
from hera_utils.wording import counted

Json = dict[str, Any]
_MOST_ALIKE, _FIRST_ALIKE = 20, 5  # points with one reason that are named: of up to 20 all, of more the first 5


@dataclass(frozen=True)
class Plan:
    """A run before it begins. estimate: how large its workflows are.

    decisions: what is done and what runs again; None if earlier runs are not considered: then every point runs.
    images: image → what happens to it on this machine, in words; {} on a cluster. cost: of a point, from earlier runs; None if unknown.
    """

    definition: Definition
    estimate: SizeEstimate
    decisions: Decisions | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    cost: Cost | None = None

    @property
    def points(self) -> int:
        """The number of points of the sweep."""
        return len(self.definition.inputs.points)

    @property
    def environment(self) -> Environment:
        return self.definition.environment

    @property
    def gather(self) -> Json | None:
        """The workflow that runs after all points."""
        built = self.definition.gather
        return None if built is None else built.document

    @property
    def document(self) -> Json:
        """The workflow of all points; of the first ones if the run is split."""
        return self.estimate.sample.document

    @property
    def axes(self) -> dict[str, int]:
        return {name: len(values) for name, values in self.definition.inputs.points.axes.items()}

    @property
    def workflow(self) -> Any:
        """Hera's object, None if the experiment returned a document."""
        return self.estimate.sample.workflow

    @property
    def size(self) -> Size:
        return size_of_document(self.document)

    @property
    def to_run(self) -> int:
        """The number of points that run."""
        return self.points if self.decisions is None else len(self.decisions.run)

    def points_to_run(self) -> Iterator[Point]:
        """The points that run, in the order of the sweep."""
        chosen = None if self.decisions is None else self.decisions.run
        return (point for point in self.definition.inputs.points if chosen is None or point.id in chosen)

    @property
    def single(self) -> bool:
        """Whether one workflow computes all points."""
        return self.estimate.single

    def workflows(self) -> tuple[int, int, bool]:
        """(number of workflows for the whole sweep, bytes of the largest, whether both are exact)."""
        if self.single:
            full = self.estimate.full
            return 1, bytes_of(full.document) if full is not None else 0, full is not None
        room = min(self.points, self.estimate.points_per_batch)
        return -(-self.points // room), int(self.estimate.fixed[0] + room * self.estimate.each[0]), False

    def pods(self) -> tuple[int, bool]:
        """(number of pods of all points and of gather, whether it is exact)."""
        every = task_counts.count_tasks(self.document.get("spec") or {})
        count, exact = every.count, every.exact
        if self.estimate.full is None and not self.single:
            owned = self.estimate.ownership.tasks
            sampled, tasks = max(1, len(owned)), sum(map(len, owned.values()))
            each, shared = tasks / sampled, count - tasks
            count = round(each * self.points) + shared * self.workflows()[0]
            exact = exact and tasks % sampled == 0
        if self.gather is not None:
            more = task_counts.count_tasks(self.gather.get("spec") or {})
            count, exact = count + more.count, exact and more.exact
        return count, exact

    def _repr_html_(self) -> str:
        from hera_utils.execution.notebook import html_of_plan

        return html_of_plan([*self.lines(), *self.image_lines()])

    def lines(self, *, explain: bool = False) -> list[str]:
        """The plan as text. explain: add why each point runs."""
        sweep = self.definition.inputs.points.description
        swept = (
            "no sweep"
            if not self.axes
            else sweep
            if sweep.startswith(counted(self.points, "point"))
            else f"{counted(self.points, 'point')} ({sweep})"
        )
        count, exact = self.pods()
        pods = f"{'' if exact else 'at least '}{counted(count, 'pod')}"
        count, largest, sure = self.workflows()
        about = "" if sure else "about "
        flows = "1 workflow of" if count == 1 else f"{about}{count} workflows of at most"
        more = "" if self.gather is None else ", then gather"
        limit = "limit of a cluster: 1 MiB" if self.estimate.limits is HERE else "limit 1 MiB"
        lines = [f"{swept} → {pods}, {flows} {about if count == 1 else ''}{kilobytes(largest)}{more} ({limit})"]
        ownership = self.estimate.ownership
        if self.points > 1 and ownership.unit_reason:
            lines.append(f"one unit, runs as a whole: {ownership.unit_reason}")
        elif ownership.unsplittable and (explain or not self.estimate.fits):
            lines.append(f"one unit, never split: {ownership.unsplittable}")
        if self.decisions is not None:
            lines += self._decision_lines(self.decisions, explain)
        if self.cost is not None and self.to_run:
            lines.append(self.cost.line(self.to_run))
        return lines

    def image_lines(self) -> list[str]:
        """What happens to each image on this machine, as a table of two columns."""
        width = max(map(len, self.images), default=0)
        return [f"  {image:{width}}  {words}" for image, words in self.images.items()]

    def as_json(self) -> Json:
        """The plan as JSON: `{"points", "axes", "pods": {"count", "exact"}, "workflows": {"count", "bytes", "exact"}, "gather",
        "unit", "images", "done", "running", "run": [{"id", "name", "values", "why"}, …],
        "changes": [{"kind", "name", "points", "lines"}, …], "assumed", "cost"}`.

        images: image → what happens to it on this machine. changes: what has changed since points were computed, old and new text.
        unit: why the workflow is never split, None if it may be. done, running: ids of points; None without a resume.
        """
        pods, exact = self.pods()
        count, largest, sure = self.workflows()
        reasons = self.decisions.run if self.decisions is not None else {}
        return {
            "points": self.points,
            "axes": self.axes,
            "pods": {"count": pods, "exact": exact},
            "workflows": {"count": count, "bytes": largest, "exact": sure},
            "gather": self.gather is not None,
            "unit": self.estimate.unit or None,
            "images": dict(self.images),
            "cost": None if self.cost is None else self.cost.as_json(self.to_run),
            "done": None if self.decisions is None else sorted(self.decisions.done),
            "running": None if self.decisions is None else sorted(self.decisions.in_flight),
            "run": [
                {
                    "id": point.id,
                    "name": point.name,
                    "values": as_json_values(point),
                    "why": reasons.get(point.id),
                }
                for point in self.points_to_run()
            ],
            "changes": []
            if self.decisions is None
            else [detail.as_json() for detail in self.decisions.explanation.details()],
            "assumed": [] if self.decisions is None else list(self.decisions.assumed),
        }

    def _decision_lines(self, decisions: Decisions, explain: bool) -> list[str]:
        done, in_flight, run = len(decisions.done), len(decisions.in_flight), len(decisions.run)
        states = [f"{done} point{'s are' if done > 1 else ' is'} done already"] if done else []
        if in_flight:  # some may have ended by now; the resumed run finds that out
            states.append(f"{in_flight} {'are' if in_flight > 1 else 'is'} in a run that goes on")
        states = states or ["no point is done already"]
        names = {point.id: point.name for point in self.points_to_run()}
        if not run:
            lines = [", ".join(states)]
        elif explain:
            lines = [f"{', '.join(states)}, {run} will run", *_reasons(decisions.run, names)]
            changes = decisions.explanation.lines(several=self.points > 1)
            lines += ["since these were computed:", *changes] if changes else []
        else:
            more = ", …" if run > 1 else ""
            lines = [f"{', '.join(states)}, {run} will run ({_main_reason(decisions.run, names)}{more})"]
        if decisions.unseen:
            lines.append("files in the cluster's volume were not checked: the records of earlier runs decide")
        return [*lines, *decisions.assumed]


def _reasons(run: Mapping[str, str], names: Mapping[str, str]) -> list[str]:
    """Why each point runs, a line for each; of more than _MOST_ALIKE points with one reason the first, and the number of the others."""
    alike: dict[str, list[str]] = {}
    for point, reason in run.items():
        alike.setdefault(reason, []).append(names[point])
    lines = []
    for reason, points in alike.items():
        named = points if len(points) <= _MOST_ALIKE else points[:_FIRST_ALIKE]
        lines += [f"  {name}: {reason}" for name in named]
        lines += [f"  and {len(points) - len(named)} more: {reason}"] if len(named) < len(points) else []
    return lines


def _main_reason(run: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The most informative reason: that of a point which ran before, if there is one."""
    point = next((point for point, reason in run.items() if reason != "new"), next(iter(run)))
    return f"{names[point]}: {run[point]}"


def kilobytes(count: int) -> str:
    return f"{count / 1000:.1f} kB" if count < 10_000 else f"{count / 1000:.0f} kB"


def refuse_too_large(document: Json) -> None:
    """Raise UnsupportedError for a document that is too large for any cluster."""
    for what, fix in find_breaches(document):
        raise UnsupportedError(what, fix=fix)
