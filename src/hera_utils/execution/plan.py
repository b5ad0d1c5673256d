"""What a run will be, before anything is sent: its points, the workflows that compute them, what is done already and what runs again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hera_utils.errors import UnsupportedError
from hera_utils.execution.batches import HERE, ON_A_CLUSTER, Limits, Survey, bytes_of, prints_of, surveyed
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.execution.definition import Definition, document_of, environment_of
from hera_utils.execution.fingerprints import Print, Prints
from hera_utils.execution.history import Earlier, Judge
from hera_utils.experiment.environment import Environment
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.points import Point
from hera_utils.experiment.values import plain
from hera_utils.preflight.concurrency import times
from hera_utils.preflight.limits import Size, breaches, size
from hera_utils.provenance.modules import Sources
from hera_utils.provenance.python import packages
from hera_utils.settings.resolve import CLIContext

__all__ = ["Plan", "document_of", "environment_of", "plan", "refuse_too_large", "task_count"]

Json = dict[str, Any]

_TOLD = 3  # reasons that a plan gives unasked


@dataclass(frozen=True)
class Verdict:
    """What is to be done of a sweep. run: point id → why. done: id → the run that computed it.

    flying: id → the print that it would have now, of the points that still run. unseen: whether some declared files could not be looked at.
    """

    run: Mapping[str, str]
    done: Mapping[str, str] = field(default_factory=dict)
    flying: Mapping[str, Print] = field(default_factory=dict)
    unseen: bool = False


@dataclass(frozen=True)
class Plan:
    """A run before it begins.

    told: the sweep in words; points: how many. environment: as it will be. survey: the definition, looked at. limits: of a workflow.
    verdict: None when nothing was asked of earlier runs: then every point runs. gather: what comes after all points.
    """

    told: str
    points: int
    environment: Environment
    definition: Definition
    survey: Survey
    limits: Limits
    verdict: Verdict | None = None
    gather: Json | None = None

    @property
    def document(self) -> Json:
        """The workflow of all points; where it is split, that of the first ones."""
        return self.survey.shown.document

    @property
    def first(self) -> Json:
        """The largest of the workflows that will be sent: what a platform has to take."""
        if self.single or self.survey.full is None:
            return self.document
        room = self.survey.points_a_part(self.limits)
        return self.definition.workflow(self.definition.inputs.points[:room]).document

    @property
    def axes(self) -> dict[str, int]:
        return {name: len(values) for name, values in self.definition.inputs.points.axes.items()}

    @property
    def workflow(self) -> Any:
        """Hera's object, when the experiment gave one."""
        return self.survey.shown.made

    @property
    def size(self) -> Size:
        return size(self.document)

    @property
    def to_run(self) -> int:
        return self.points if self.verdict is None else len(self.verdict.run)

    def wanted(self) -> Iterator[Point]:
        """The points that run, in order."""
        chosen = None if self.verdict is None else self.verdict.run
        return (point for point in self.definition.inputs.points if chosen is None or point.id in chosen)

    @property
    def single(self) -> bool:
        """Whether one workflow computes all points."""
        return bool(self.survey.unit) or self.survey.fits(self.limits)

    def workflows(self) -> tuple[int, int, bool]:
        """(how many compute the whole sweep, the bytes of the largest, whether that is certain)."""
        if self.single:
            full = self.survey.full
            return 1, bytes_of(full.document) if full is not None else 0, full is not None
        room = min(self.points, self.survey.points_a_part(self.limits))
        return -(-self.points // room), int(self.survey.fixed + room * self.survey.each[0]), False

    def pods(self) -> tuple[int, bool]:
        """(how many tasks all points have, whether that is certain)."""
        count, exact = task_count(self.document)
        if self.survey.full is None and not self.single:
            found = self.survey.belonging
            shown = max(1, len(found.tasks))
            pieces = sum(map(len, found.tasks.values()))
            each, shared = pieces / shown, count - pieces
            count = round(each * self.points) + shared * self.workflows()[0]
            exact = exact and pieces % shown == 0
        if self.gather is not None:
            more, sure = task_count(self.gather)
            count, exact = count + more, exact and sure
        return count, exact

    def _repr_html_(self) -> str:
        from hera_utils.execution.notebook import html_of_plan

        return html_of_plan(self.lines())

    def lines(self, *, explain: bool = False) -> list[str]:
        """The plan as it is told. explain: why each point runs."""
        words = self.told
        swept = (
            "no sweep"
            if not self.axes
            else words
            if words.startswith(f"{self.points} points")
            else f"{self.points} points ({words})"
        )
        pods, exact = self.pods()
        count, largest, sure = self.workflows()
        about = "" if sure else "about "
        flows = "1 workflow of" if count == 1 else f"{about}{count} workflows of at most"
        more = "" if self.gather is None else ", then gather"
        limit = "limit of a cluster: 1 MiB" if self.limits is HERE else "limit 1 MiB"
        pods_told = f"{'' if exact else 'at least '}{pods} pod{'' if pods == 1 else 's'}"
        lines = [f"{swept} → {pods_told}, {flows} {about if count == 1 else ''}{_kilobytes(largest)}{more} ({limit})"]
        found = self.survey.belonging
        too_large = self.survey.full is None or not self.survey.fits(self.limits)
        if self.points > 1 and found.whole:
            lines.append(f"one unit, runs as a whole: {found.whole}")
        elif found.unsplittable and (explain or too_large):
            lines.append(f"one unit, never split: {found.unsplittable}")
        if self.verdict is not None:
            lines += self._standing(self.verdict, explain)
        return lines

    def as_json(self) -> Json:
        """The plan for machines: `{"points", "axes", "pods": {"count", "exact"}, "workflows": {"count", "bytes", "exact"}, "gather",
        "unit", "done", "running", "run": [{"id", "name", "values", "why"}, …]}`.

        unit: why the workflow is never split, None where it may be. done, running: points by id; None without a resume.
        """
        pods, exact = self.pods()
        count, largest, sure = self.workflows()
        reasons = self.verdict.run if self.verdict is not None else {}
        return {
            "points": self.points,
            "axes": self.axes,
            "pods": {"count": pods, "exact": exact},
            "workflows": {"count": count, "bytes": largest, "exact": sure},
            "gather": self.gather is not None,
            "unit": self.survey.unit or None,
            "done": None if self.verdict is None else sorted(self.verdict.done),
            "running": None if self.verdict is None else sorted(self.verdict.flying),
            "run": [
                {
                    "id": point.id,
                    "name": point.name,
                    "values": {axis: plain(value) for axis, value in point.items()},
                    "why": reasons.get(point.id),
                }
                for point in self.wanted()
            ],
        }

    def _standing(self, verdict: Verdict, explain: bool) -> list[str]:
        done, flying, run = len(verdict.done), len(verdict.flying), len(verdict.run)
        states = [f"{done} points are done already"] if done else ["no point is done already"]
        states += [f"{flying} are still running"] if flying else []
        names = (
            {point.id: point.name for point in self.definition.inputs.points if point.id in verdict.run} if run else {}
        )
        reasons = [f"{names[point]}: {why}" for point, why in verdict.run.items()]
        if not run:
            lines = [", ".join(states)]
        elif explain:
            lines = [f"{', '.join(states)}, {run} will run", *(f"  {reason}" for reason in reasons)]
        else:
            more = ", …" if run > 1 else ""
            lines = [f"{', '.join(states)}, {run} will run ({_first(verdict.run, names)}{more})"]
        if verdict.unseen:
            lines.append("files in the cluster's volume were not checked: the records of earlier runs decide")
        return lines


def _first(run: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The reason that says most: of a point that ran before."""
    point = next((one for one, why in run.items() if why != "new"), next(iter(run)))
    return f"{names[point]}: {run[point]}"


def _kilobytes(count: int) -> str:
    return f"{count / 1000:.1f} kB" if count < 10_000 else f"{count / 1000:.0f} kB"


def plan(
    experiment: Experiment, context: CLIContext, *, earlier: Earlier | None = None, volume: Path | None = None
) -> Plan:
    """Define the workflow (Hera is bound by the caller) and look at it. earlier: what runs before have done, for a resumed run.

    volume: the folder that stands for the experiment's volume, where there is one.
    """
    definition = Definition(experiment, context)
    local = context.platform == "local"
    limits = HERE if local else ON_A_CLUSTER
    survey = surveyed(definition, limits)
    gather = definition.gather()
    points = definition.inputs.points
    made = Plan(
        points.told,
        len(points),
        definition.environment,
        definition,
        survey,
        limits,
        gather=None if gather is None else gather.document,
    )
    if earlier is None:
        return made
    return judged(made, earlier, prints_for(context), volume, script_folder(context))


def prints_for(context: CLIContext) -> Prints:
    """What prints are made with: on this machine a script's task runs with the submitting Python and its packages."""
    local = context.platform == "local"
    keep = bool(getattr(context, "keep_done", False)) if "keep_done" in context else False
    return Prints(Sources(script_folder(context)), packages() if local else {}, code_counts=not keep)


def script_folder(context: CLIContext) -> Path:
    """The folder of the script that runs, where its experiment's files are; the current one when there is no script."""
    import sys

    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if not main or Path(main).absolute().is_relative_to(sys.prefix):
        return Path.cwd()
    return Path(main).absolute().parent


def judged(made: Plan, known: Earlier, prints: Prints, volume: Path | None, script: Path) -> Plan:
    """The plan of a resumed run: which of its points are done."""
    from dataclasses import replace

    files = DeclaredFiles(made.definition.layout, volume, script)
    run: dict[str, str] = {}
    done: dict[str, str] = {}
    flying: dict[str, Print] = {}
    every: list[str] = []
    judge = Judge(known, prints.texts, prints.code_counts)
    for point, printed in prints_of(made.definition, made.survey, prints, made.limits):
        printed = with_files(printed, files, point)
        every.append(point.id)
        if point.id in known.flying:
            flying[point.id] = printed
            continue
        why = judge.why(point.id, printed) or _absent(files.missing(point))
        if why:
            run[point.id] = why
        else:
            done[point.id] = known.points[point.id].computed
    if run and made.survey.belonging.whole:
        run = {point: run.get(point, "it is part of one unit") for point in every}
        done = {}
    return replace(made, verdict=Verdict(run, done, flying, files.unseen > 0))


def with_files(printed: Print, files: DeclaredFiles, point: Point) -> Print:
    read = files.read(point)
    return {**printed, "files": read} if read else printed


def _absent(missing: list[str]) -> str:
    if not missing:
        return ""
    return f"output missing: {missing[0]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")


def refuse_too_large(document: Json) -> None:
    """UnsupportedError for what no cluster takes."""
    for what, fix in breaches(document):
        raise UnsupportedError(what, fix=fix)


def task_count(document: Json) -> tuple[int, bool]:
    """(how many tasks the workflow will run, whether that is certain). Loops over results are counted once, and so are templates
    that call themselves: neither is known before the run. Conditions and retries are not looked at.
    """
    spec = document.get("spec") or {}
    templates = {template.get("name"): template for template in spec.get("templates") or []}
    known: dict[str, tuple[int, bool]] = {}

    def of(template: Json | None, above: tuple[str, ...]) -> tuple[int, bool]:
        if template is None:
            return 1, False  # of a WorkflowTemplate, or wrong: the server will say
        name = str(template.get("name", ""))
        if name in above:
            return 1, False
        if name and name in known:
            return known[name]
        calls = [*((template.get("dag") or {}).get("tasks") or [])]
        calls += [step for group in template.get("steps") or [] for step in group]
        if not calls:
            return (0 if "suspend" in template else 1), True
        found = [of_call(call, (*above, name)) for call in calls]
        answer = sum(count for count, _ in found), all(exact for _, exact in found)
        if name:
            known[name] = answer
        return answer

    def of_call(call: Json, above: tuple[str, ...]) -> tuple[int, bool]:
        count, exact = of(call.get("inline") or templates.get(call.get("template")), above)
        often = times(call)
        return (count, False) if often is None else (count * often, exact)

    return of(templates.get(spec.get("entrypoint")), ())
