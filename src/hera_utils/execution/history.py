"""Reads the records of an experiment's earlier runs and decides which points run again, and why. Sends nothing.

`decide` goes through all points; `rerun_reason` decides for one of them; explanation.py explains at length.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from hera_utils.argo.phases import COMPLETED, UNSUCCESSFUL, phase_of
from hera_utils.errors import HeraUtilsError, ResourceError
from hera_utils.execution.batches import SizeEstimate, fingerprints_of
from hera_utils.execution.declared_files import DeclaredFiles
from hera_utils.execution.definition import Definition
from hera_utils.execution.explanation import Explanation
from hera_utils.execution.fingerprint_diff import FingerprintChange, describe_changes, find_changes
from hera_utils.execution.fingerprints import Fingerprint, Fingerprinter
from hera_utils.execution.python_environments import PythonEnvironments
from hera_utils.experiment.author import authors_of
from hera_utils.experiment.checkpoints import checkpoint_name
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.points import Point
from hera_utils.images.choice import StandIn
from hera_utils.installed import version_of
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.run_images import decisions_of
from hera_utils.provenance.git import commit_of
from hera_utils.provenance.modules import Sources
from hera_utils.results.secrecy import refuse_secret_inputs, refuse_secret_literals, secrets_of
from hera_utils.runs.file_facts import FileFacts
from hera_utils.runs.point_status import statuses_of_ended
from hera_utils.runs.record import DONE, SUBMITTED, PointRow, RunRecord, encoded, records
from hera_utils.runs.whole_run import ANY_FUNCTION
from hera_utils.settings.command_line import remove_secrets
from hera_utils.settings.resolve import CLIContext
from hera_utils.settings.secret import mask
from hera_utils.wording import counted

Json = dict[str, Any]
PART_OF_UNIT = "it is part of one unit"
"""Why a point runs again although only other points of its workflow have to."""
Stored = Callable[[str, str], Json | None]


@dataclass(frozen=True)
class LastResult:
    """The last result of a point. run: the folder of the record that has it. fingerprint: as JSON.

    computed: the run that computed it; workflow, tasks (as JSON): where in that run. outputs: path → the facts by which the file is
    recognized. checkpoint: the name of its folder of checkpoints.
    """

    status: str
    fingerprint: str
    run: Path
    computed: str
    workflow: str
    tasks: str
    outputs: Mapping[str, FileFacts] = field(default_factory=dict)
    checkpoint: str = ""

    def row_for_new_run(self, row: PointRow) -> PointRow:
        """The row of another run's record with this result."""
        return replace(
            row,
            fingerprint=json.loads(self.fingerprint),
            status=self.status,
            run=self.computed,
            workflow=self.workflow,
            tasks=tuple((str(task), item) for task, item in json.loads(self.tasks)),
        )


@dataclass(frozen=True)
class History:
    """The runs of one experiment on one platform. results: point id → its last result. in_flight: ids of the points that run now.

    fan_ins: fingerprint → whether the gather workflow (or the tasks after the points) succeeded, in the newest run that has workflows.
    outputs_of_all: path → the facts by which a file that was written after all points is recognized.
    """

    results: Mapping[str, LastResult] = field(default_factory=dict)
    in_flight: frozenset[str] = frozenset()
    fan_ins: Mapping[str, bool] = field(default_factory=dict)
    outputs_of_all: Mapping[str, FileFacts] = field(default_factory=dict)
    _texts: dict[Path, dict[str, str]] = field(default_factory=dict)

    def text(self, run: Path, digest: str) -> str:
        """The text that a digest in the fingerprints of a run stands for."""
        texts = self._texts.setdefault(run, {})
        if digest not in texts:
            with RunRecord.open(run) as record:
                texts[digest] = record.text(digest)
        return texts[digest]


@dataclass(frozen=True)
class Decisions:
    """Which points of a sweep run. run: point id → why it runs. done: id → the run that computed it.

    in_flight: id → its present fingerprint, of the points that still run. fingerprints: of the points in `run`.
    unseen: whether some declared files could not be read. outputs: id → the facts about the output files, of the points that are done.
    explanation: of the changes because of which points run. assumed: sentences about what could not be checked.
    adopted: id → the new fingerprint of a point that is done, if an older record has a less complete one.
    """

    run: Mapping[str, str]
    done: Mapping[str, str] = field(default_factory=dict)
    in_flight: Mapping[str, Fingerprint] = field(default_factory=dict)
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)
    unseen: bool = False
    outputs: Mapping[str, Mapping[str, FileFacts]] = field(default_factory=dict)
    explanation: Explanation = field(default_factory=Explanation)
    assumed: tuple[str, ...] = ()
    adopted: Mapping[str, Fingerprint] = field(default_factory=dict)

    def only(self, points: set[str]) -> Decisions:
        """The decisions with only these points to run."""
        return replace(self, run={point: reason for point, reason in self.run.items() if point in points})


@dataclass(frozen=True)
class _PointDecision:
    """The decision about one point. reason: why it runs, "" if it is done. last: its last result, if any; changes: those since then.

    outputs, adopted: as in Decisions, if it is done.
    """

    reason: str
    last: LastResult | None = None
    changes: Sequence[FingerprintChange] = ()
    outputs: Mapping[str, FileFacts] = field(default_factory=dict)
    adopted: Fingerprint | None = None

    @property
    def done(self) -> LastResult | None:
        """The last result, if it still holds."""
        return None if self.reason else self.last


def _decide_for_point(
    point: Point, fingerprint: Fingerprint, history: History, fingerprinter: Fingerprinter, files: DeclaredFiles
) -> _PointDecision:
    last = history.results.get(point.id)
    if last is None:
        return _PointDecision(rerun_reason(None, []))
    changes = changes_since(last, fingerprint, history, fingerprinter)
    reason = rerun_reason(last, changes)
    if reason:
        return _PointDecision(reason, last, changes)
    reason, outputs = files.undone(point, last.outputs)
    if reason:
        return _PointDecision(reason, last, changes)
    says_less = fingerprinter.code_counts and encoded(fingerprint) != last.fingerprint
    adopted = {**json.loads(last.fingerprint), **fingerprint} if says_less else None
    return _PointDecision("", last, changes, outputs, adopted)


def decide(
    definition: Definition, estimate: SizeEstimate, history: History, fingerprinter: Fingerprinter, files: DeclaredFiles
) -> Decisions:
    """Decide which points are done, and why the others run."""
    decisions: dict[str, _PointDecision] = {}
    in_flight: dict[str, Fingerprint] = {}
    fingerprints: dict[str, Fingerprint] = {}
    assumptions = _Assumptions(history)
    unit = bool(estimate.ownership.unit_reason)
    for point, fingerprint in fingerprints_of(definition, estimate, fingerprinter):
        if point.id in history.in_flight:
            in_flight[point.id] = fingerprint
            continue
        decision = decisions[point.id] = _decide_for_point(point, fingerprint, history, fingerprinter, files)
        if decision.done is not None:
            assumptions.note(decision.done, fingerprint, decision.outputs)
        if decision.reason or unit:
            fingerprints[point.id] = fingerprint
    run = {point: decision.reason for point, decision in decisions.items() if decision.reason}
    done = {point: last for point, decision in decisions.items() if (last := decision.done) is not None}
    if unit and done and not run:
        why, _ = files.undone(None, history.outputs_of_all)
        run = dict.fromkeys(done, why) if why else {}
    if run and unit:
        run = {point.id: run.get(point.id, PART_OF_UNIT) for point in definition.inputs.points}
        done = {}
    changed = {
        point: (decision.last.run, decision.last.computed, tuple(decision.changes))
        for point, decision in decisions.items()
        if decision.last is not None and decision.changes
    }
    return Decisions(
        run,
        {point: last.computed for point, last in done.items()},
        in_flight,
        fingerprints,
        unseen=files.unseen > 0,
        outputs={point: decisions[point].outputs for point in done},
        explanation=Explanation(changed, history.text, lambda digest: fingerprinter.texts.get(digest, "")),
        assumed=tuple(assumptions.sentences(fingerprinter)) if done else (),
        adopted={point: adopted for point in done if (adopted := decisions[point].adopted) is not None},
    )


class _Assumptions:
    """Collects what is assumed of points that are done, because an older version did not record it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._points: dict[str, int] = {}

    def note(self, last: LastResult, fingerprint: Fingerprint, outputs: Mapping[str, FileFacts]) -> None:
        """Add the assumptions about one point that is done. outputs: the present facts about its files."""
        if outputs.keys() - last.outputs.keys():
            self._add("their outputs are those that they wrote, because these exist")
        if encoded(fingerprint) == last.fingerprint:
            return
        before = json.loads(last.fingerprint)
        if "referenced" in fingerprint and "referenced" not in before:
            self._add("the stored templates that they refer to are as they were")
        if "python" in fingerprint and '{"' not in self._history.text(last.run, before.get("python", ""))[1:]:
            self._add("the Python of their tasks is of the version that it was")

    def _add(self, what: str) -> None:
        self._points[what] = self._points.get(what, 0) + 1

    def sentences(self, fingerprinter: Fingerprinter) -> Iterator[str]:
        for what, count in self._points.items():
            yield f"assumed of {counted(count, 'point')} of older records: {what}"
        if names := sorted(fingerprinter.unread):
            yield f"the stored template{'s' if len(names) > 1 else ''} {', '.join(names)} cannot be looked at: assumed to be as before"
        if images := sorted(fingerprinter.tagged or ()):
            listed = ", ".join(images[:3]) + (", …" if len(images) > 3 else "")
            yield f"assumed of images that a tag names: they are as they were; a digest in the name is certain ({listed})"


def fingerprinter_of(
    context: CLIContext,
    files: DeclaredFiles,
    *,
    keep_done: bool,
    secrets: Iterable[str],
    stored: Stored,
) -> Fingerprinter:
    """keep_done: ignore changes of code. secrets: besides those of the settings. stored: (kind, name) → the stored template."""
    sources = Sources(script_folder())
    decisions = decisions_of(context)
    digests = {image: decision.digest for image, decision in decisions.items() if decision.digest}
    every_secret = [*context.secrets(), *secrets_of(os.environ), *secrets]

    def interpreter(image: str) -> str:
        choice = decisions[image].choice if image in decisions else None
        named = str(choice.settings.get("python") or "current") if isinstance(choice, StandIn) else "current"
        return named if named != "current" else context.python or sys.executable

    fingerprinter = Fingerprinter(
        sources,
        inputs=files.read,
        digests=digests,
        code_counts=not keep_done,
        stored=stored,
        hides=partial(_is_secret_in, every_secret),
    )
    if context.platform == "local":
        fingerprinter.python = PythonEnvironments(sources, interpreter)
    else:  # on a cluster the Python of the image runs the task
        fingerprinter.tagged = set()
    return fingerprinter


def _is_secret_in(secrets: list[str], text: str) -> bool:
    """Whether a text contains a secret and must not be written into a record."""
    if mask(text, secrets) != text:
        return True
    with contextlib.suppress(ValueError):
        document = json.loads(text) if text.startswith("{") else {}
        try:
            refuse_secret_literals([{"spec": document}])
        except ResourceError:
            return True
    return False


def rerun_reason(last: LastResult | None, changes: Sequence[FingerprintChange]) -> str:
    """Why a point runs; "" if it succeeded and nothing that it depends on has changed. changes: what has changed."""
    if last is None:
        return "new"
    if last.status == SUBMITTED:
        return f"it was submitted in {last.computed} and its end is unknown"
    if changes:
        return ", ".join(describe_changes(changes))
    return "" if last.status == DONE else f"it ended as {last.status} in {last.computed}"


def changes_since(
    last: LastResult, fingerprint: Fingerprint, history: History, fingerprinter: Fingerprinter
) -> list[FingerprintChange]:
    """What has changed, of all that a point depends on, since it last ran. With --keep-done, a finished point ignores changes of code."""
    if encoded(fingerprint) == last.fingerprint:
        return []
    return find_changes(
        json.loads(last.fingerprint),
        fingerprint,
        lambda digest: history.text(last.run, digest),
        lambda digest: fingerprinter.texts.get(digest, ""),
        code_counts=fingerprinter.code_counts or last.status != DONE,
    )


# --- records -----------------------------------------------------------------------------------------------------------


def history_of(runs: Path, facts: Json) -> History:
    """The history of the experiment that `facts` describe, from the records of a folder. A record that cannot be read is left out."""
    results: dict[str, LastResult] = {}
    fan_ins: dict[str, bool] = {}
    of_all: Mapping[str, FileFacts] = {}
    for folder in records(runs):
        with contextlib.suppress(HeraUtilsError), RunRecord.open(folder) as record:
            if identity(record.facts) != identity(facts):
                continue
            workflows, outputs = record.workflows(), record.outputs()
            if workflows and not fan_ins:
                of_all = outputs.get("", {})
                fan_ins = {row.fingerprint: row.phase == "Succeeded" for row in workflows if row.fingerprint}
                fan_ins = fan_ins or {"": True}
            for point, status, fingerprint, workflow, run, tasks in record.results():
                if status and point not in results:
                    files = outputs.get(point, {})
                    computed, saved = run or record.name, checkpoint_name(record.facts, record.name, point)
                    results[point] = LastResult(status, fingerprint, folder, computed, workflow, tasks, files, saved)
    return History(results, fan_ins=fan_ins, outputs_of_all=of_all)


def newest_record(runs: Path, facts: Json | None = None) -> Path | None:
    """The folder of the newest recorded run (of the experiment that `facts` describe), None if there is none."""
    for folder in records(runs):
        with contextlib.suppress(HeraUtilsError), RunRecord.open(folder) as record:
            if facts is None or identity(record.facts) == identity(facts):
                return folder
    return None


def unfinished_run(runs: Path, facts: Json) -> Path | None:
    """The record of the newest run of the experiment that `facts` describe, if that run has not ended."""
    folder = newest_record(runs, facts)
    if folder is not None:
        with RunRecord.open(folder) as record:
            return None if record.facts.get("ended") else folder
    return None


def with_state_of_run(
    history: History, run: Path, client: ArgoClient, sweep: Iterable[Point], files: DeclaredFiles
) -> History:
    """The history with what the platform knows about a run and its record does not: which points run now, and how others have ended
    since a process followed it. For a plan, which changes no record.

    run: the folder of its record.
    """
    by_id = {point.id: point for point in sweep}
    results, fan_ins, in_flight = dict(history.results), dict(history.fan_ins), set(history.in_flight)
    with contextlib.suppress(HeraUtilsError), RunRecord.open(run) as record:
        for row in record.workflows():
            if row.phase and row.phase not in UNSUCCESSFUL:
                continue  # one that failed may have been retried
            with contextlib.suppress(HeraUtilsError):  # the workflow was deleted
                phase = phase_of(client.get(row.name, fields="status.phase"))
                points = list(record.points(workflow=row.name)) if phase != row.phase else []
                if phase not in COMPLETED:
                    in_flight |= {point.id for point in points}
                elif phase != row.phase:
                    statuses = statuses_of_ended(client.get(row.name), points, unit=row.role != "points")
                    for point in statuses.keys() & results.keys() & by_id.keys():
                        outputs = files.outputs(by_id[point]) if statuses[point] == DONE else {}
                        results[point] = replace(results[point], status=statuses[point], outputs=outputs)
                    if row.fingerprint in fan_ins:
                        fan_ins[row.fingerprint] = phase == DONE
    return replace(history, results=results, fan_ins=fan_ins, in_flight=frozenset(in_flight))


def newest_run(runs: Path, facts: Json | None = None) -> str:
    """The name of the newest recorded run (of the experiment that `facts` describe). Raises ResourceError if there is none."""
    folder = newest_record(runs, facts)
    if folder is None:
        raise ResourceError(f"no run is recorded in {runs}", fix="name the folder with --runs")
    return folder.name


def identity(facts: Json) -> tuple[str, ...]:
    """The facts that two runs must share so that one may use the points of the other."""
    return tuple(str(facts.get(name) or "") for name in ("key", "platform", "state", "namespace"))


def runs_folder(context: CLIContext) -> Path:
    """The folder of the records: the setting, else runs/ beside the script."""
    folder = context.runs if "runs" in context else None
    return Path(folder) if folder else script_folder() / "runs"


def script_folder() -> Path:
    """The folder of the script that runs, which has the files of its experiment; the current folder if there is no script."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if not main or Path(main).absolute().is_relative_to(sys.prefix):
        return Path.cwd()
    return Path(main).absolute().parent


def name_of_experiment(key: str, *, in_script: bool) -> str:
    """The name of an experiment without one: its function's name, or its script's if the function has a name like `define`."""
    file, _, function = key.rpartition(":")
    return Path(file).stem if in_script and file and function in ANY_FUNCTION else function


def run_facts(experiment: Experiment, key: str, context: CLIContext, namespace: str) -> Json:
    """What a record says about its run, besides the points."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    commit = commit_of(script_folder())
    inputs = experiment.inputs.as_json()
    refuse_secret_inputs(inputs, context.secrets())
    return {
        "experiment": experiment.name or name_of_experiment(key, in_script=bool(main)),
        "key": key,
        "script": str(Path(main).absolute()) if main else "",
        "module": _name_as_module(),
        "arguments": remove_secrets(sys.argv[1:]),
        **platform_facts(context, namespace),
        "authors": [author.text for author in authors_of(experiment.authors or context.authors or "")],
        "license": experiment.license or context.license or "",
        "inputs": inputs,
        "inputs_digest": experiment.inputs.digest,
        "git": None
        if commit is None
        else {"commit": commit.commit, "changed": commit.changed, "branch": commit.branch},
        "versions": {
            "python": sys.version.split()[0],
            "hera_utils": version_of("hera_utils"),
            "hera": version_of("hera"),
        },
    }


def _name_as_module() -> str:
    """The whole name of the script that runs, if `python -m` or `hera-utils run -m` started it as a module of a package; else ""."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return "" if spec is None or not spec.parent else str(spec.name)


def platform_facts(context: CLIContext, namespace: str) -> Json:
    """The facts about the platform on which these settings run experiments."""
    state = str(context.state) if context.platform == "local" else ""
    return {"platform": platform_of(context), "namespace": namespace, "state": state}


def platform_of(context: CLIContext) -> str:
    """Identifies a platform: by the address of its Argo server, or by that of its cluster if the kubeconfig leads to the server (through
    a tunnel, which has another port each time).
    """
    if context.platform == "local" or context.argo_server is not None:
        return "local" if context.platform == "local" else str(context.argo_server)
    bare = Connection("", kubeconfig=context.k8s_config_file, context=context.k8s_context)
    from hera_utils.platforms.cluster_access import access_to

    return access_to(bare).address.server
