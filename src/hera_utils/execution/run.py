"""A run of an experiment: its end or present state, and the results of its tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.argo.phases import COMPLETED, UNSUCCESSFUL
from hera_utils.errors import ResourceError
from hera_utils.execution.dispatcher import Dispatcher
from hera_utils.execution.history import newest_run
from hera_utils.execution.trials import read_trials
from hera_utils.experiment.search_design import Trial, best
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.results.artifacts import download_run
from hera_utils.results.results import Results
from hera_utils.results.task_results import TaskResult
from hera_utils.runs.notification import Ending
from hera_utils.runs.outcome import Outcome, outcome
from hera_utils.runs.record import DONE, RunRecord
from hera_utils.runs.whole_run import load_run

if TYPE_CHECKING:
    from hera_utils.platforms.artifact_downloads import SavedArtifact

Json = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One execution of an experiment.

    workflow: the document of its last workflow, as last seen. link: the address of its page. folders: claim → folder of this machine.
    points: how many the sweep has; undone: how many of them are not done. record: the folder of its record.
    oversized: a sentence about outputs that no cluster would accept. `run["fan-in"].outputs["total"]` is an output of a task.
    """

    name: str
    namespace: str
    workflow: Json = field(repr=False)
    link: str = ""
    folders: dict[str, str] = field(default_factory=dict)
    points: int = 0
    undone: int = 0
    record: Path | None = None
    stated: Outcome | None = field(default=None, repr=False)
    fetch: Callable[[], Results] | None = field(default=None, repr=False, compare=False)
    bring: Callable[[Path, str, str], list[SavedArtifact]] | None = field(default=None, repr=False, compare=False)
    oversized: str = field(default="", repr=False)

    @property
    def phase(self) -> str:
        return self.outcome.phase

    @property
    def succeeded(self) -> bool:
        return self.outcome.succeeded

    @cached_property
    def outcome(self) -> Outcome:
        return self.stated if self.stated is not None else outcome(self.workflow)

    @cached_property
    def results(self) -> Results:
        """The points and tasks of the run as a table: `.to_pandas()`, `.to_csv("results.csv")`…; as a sequence, a row a task.

        If the run has several workflows, the first use of this property fetches them.
        """
        return self.fetch() if self.fetch is not None else Results.of([self.workflow], name=self.name)

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Each point that a search chose, with its result, in the order in which they were chosen; () for another sweep."""
        return () if self.record is None else read_trials(self.record)[1]

    @property
    def front(self) -> tuple[Trial, ...]:
        """The best trials of a search: those than which no other is better; several objectives may have several."""
        if self.record is None:
            return ()
        design, trials = read_trials(self.record)
        return () if design is None else tuple(best(design, trials))

    @property
    def best(self) -> Trial:
        """The best trial of a search. Raises ResourceError if there is none, or if `front` has several."""
        if self.record is not None and read_trials(self.record)[0] is None:
            raise ResourceError(
                f"{self.name} has no best point: its sweep is not a search, so nothing says which value is better",
                fix="compare the rows of run.results, or name what to minimize: search(…, minimize=…)",
            )
        front = self.front
        if len(front) != 1:
            why = (
                "no point gave a value to compare" if not front else f"{len(front)} points are each better in something"
            )
            raise ResourceError(f"{self.name} has no best point: {why}", fix="see run.front and run.trials")
        return front[0]

    def download(self, folder: str | Path, *, task: str = "", artifact: str = "") -> list[SavedArtifact]:
        """Download the output artifacts (all, a task's, or one) into a folder, as TASK/NAME. Files that are there already are kept.

        Raises ResourceError if there are none, or if the folder cannot be written.
        """
        if self.bring is None:
            raise ResourceError(f"it is unknown where {self.name} ran", fix="hera-utils cp artifact:RUN FOLDER")
        return self.bring(Path(folder), task, artifact)

    def tasks(self, name: str) -> list[TaskResult]:
        """Every task with that name, each item of a fan-out; if there is none, every task that ran the template with that name."""
        last = [row for row in self.results if row.task.rpartition(".")[2].split("(")[0] == name]
        return last or [row for row in self.results if row.template == name]

    def _repr_html_(self) -> str:
        from hera_utils.execution.notebook import html_of_run

        points = f"{self.points - self.undone}/{self.points} points" if self.points > 1 else ""
        table = self.results._repr_html_()
        return html_of_run(self.name, self.outcome, points=points, link=self.link, table=table)

    def __getitem__(self, name: str) -> TaskResult:
        """The only task with that name. Raises KeyError if there is none, or if there are several (`tasks(name)` has them)."""
        rows = self.tasks(name)
        if len(rows) != 1:
            there = ", ".join(dict.fromkeys(row.task for row in self.results)) or "none"
            raise KeyError(f"{len(rows)} tasks are named {name!r}; there are: {there[:400]}")
        return rows[0]


def run_of_dispatcher(dispatcher: Dispatcher, client: ArgoClient, phase: str, folders: dict[str, str]) -> Run:
    """The Run of a dispatcher whose workflows have all ended."""
    record = dispatcher.record
    rows = record.workflows()
    states = record.counts_by_status()
    count = sum(states.values())
    last = dispatcher.last or {"metadata": {"name": record.name}, "status": {"phase": phase}}
    own = outcome(last)
    stated = replace(own, name=record.name, phase=phase, failures=tuple(dispatcher.failures))
    connection, namespace, folder = client.connection, client.namespace, record.folder
    alone = len(rows) == 1 and not any(row.run for row in record.points(status=DONE))
    points = tuple(record.points()) if alone and count > 1 else ()

    def fetch() -> Results:
        if alone:
            return Results.of([last], points, name=record.name)
        with ArgoClient(connection) as fresh:
            return Results.of_run(load_run(fresh, folder.name, [folder.parent]))

    def bring(target: Path, task: str, artifact: str) -> list[SavedArtifact]:
        with ArgoClient(connection) as fresh:
            fresh.namespace = namespace
            whole = load_run(fresh, folder.name, [folder.parent])
            return download_run(fresh, whole, target, task=task, artifact=artifact)

    return Run(
        record.name,
        client.namespace,
        last,
        client.link(str(last["metadata"]["name"])),
        folders,
        points=count,
        undone=count - states.get(DONE, 0),
        record=folder,
        stated=stated,
        fetch=fetch,
        bring=bring,
        oversized=dispatcher.oversized if connection.local else "",
    )


def notification_of_end(run: Run, seconds: float) -> Ending:
    """What a notification says of a run that has ended. seconds: how long it was followed."""
    statuses, experiment = dict[str, int](), ""
    if run.record is not None:
        with RunRecord.open(run.record) as record:
            statuses, experiment = record.counts_by_status(), str(record.facts.get("experiment") or "")
    return Ending(
        run=run.name,
        namespace=run.namespace,
        phase=run.phase,
        done=run.points - run.undone,
        failed=sum(count for status, count in statuses.items() if status in UNSUCCESSFUL),
        total=run.points,
        unit="points",
        seconds=seconds,
        link=run.link,
        experiment=experiment,
    )


def collect_run(client: ArgoClient, runs: Path, name: str = "", *, facts: Json | None = None) -> Run:
    """A run in its present state, without waiting: from its record and those of its workflows that the platform still has.

    name: by default the newest recorded run (of the experiment that `facts` describe).
    """
    whole = load_run(client, name or newest_run(runs, facts), [runs])
    # failures of earlier runs do not count: this run computed those points again
    documents = whole.own or whole.documents
    last = documents[-1] if documents else {"metadata": {"name": whole.name}, "status": {}}
    failures = tuple(failure for document in documents for failure in outcome(document).failures)
    return Run(
        whole.name,
        client.namespace,
        last,
        client.link(str(last["metadata"]["name"])),
        points=len(whole.points),
        undone=sum(row.status != DONE for row in whole.points),
        record=whole.folder,
        stated=replace(outcome(last), name=whole.name, phase=whole.phase, failures=failures),
        fetch=lambda: Results.of_run(whole),
    )


def stop_run(client: ArgoClient, runs: Path, name: str) -> list[str]:
    """Stop the workflows of a run that have not ended, and return their names. name: as in `collect_run`."""
    stopped = []
    for document in load_run(client, name or newest_run(runs), [runs]).documents:
        if outcome(document).phase not in COMPLETED:
            client.act(document["metadata"]["name"], "stop")
            stopped.append(str(document["metadata"]["name"]))
    return stopped
