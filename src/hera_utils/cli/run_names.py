"""Which run a command line means: a name, @latest, the folder of a record; and the platform that has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.errors import ResourceError

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.results.results import Results
    from hera_utils.runs.whole_run import WholeRun
    from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]

LATEST = "@latest"


@contextmanager
def reached(context: CLIContext | None = None) -> Iterator[ArgoClient]:
    """A client of the platform that this command line means; the local one is started when it is not there."""
    from hera_utils.cli import options
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connect import connect

    with ArgoClient(connect(context if context is not None else options.context())) as client:
        yield client


def run_name(client: ArgoClient, name: str) -> str:
    """The run that a name of the user's own stands for, else the name itself; for @latest, that of the newest run of the namespace."""
    if name != LATEST:
        return own_name(name)
    newest = client.list(fields="items.metadata.name,items.metadata.creationTimestamp,items.metadata.resourceVersion")
    if not newest:
        raise ResourceError(
            f"there is no run in namespace {client.namespace}", fix="start one with: hera-utils run SCRIPT"
        )
    newest_name: str = max(newest, key=by_age)["metadata"]["name"]
    return newest_name


def workflows_of(client: ArgoClient, name: str) -> list[str]:
    """The workflows that a name means, oldest first: of a run that was split all of them, else the one of that name."""
    from hera_utils.runs.record import RUN_LABEL, label_of

    fields = "items.metadata.name,items.metadata.creationTimestamp,items.metadata.resourceVersion"
    name = run_of(client, run_name(client, name)) if name == LATEST else own_name(name)
    found = client.list(selector=f"{RUN_LABEL}={label_of(name)}", fields=fields) if name else []
    return [str(one["metadata"]["name"]) for one in sorted(found, key=by_turn)] or [name]


def by_turn(workflow: Json) -> tuple[str, int, str]:
    """Sorts the workflows of one run as they were submitted: of one second, by the number that their names end in."""
    name = str(workflow["metadata"]["name"])
    number = name.rpartition("-")[2]
    return workflow["metadata"].get("creationTimestamp") or "", int(number) if number.isdecimal() else 1 << 30, name


def run_of(client: ArgoClient, workflow: str) -> str:
    """The run that a workflow is part of; its own name when it is of none."""
    from hera_utils.runs.record import RUN_LABEL

    labels = client.get(workflow, fields="metadata.labels").get("metadata", {}).get("labels") or {}
    return str(labels.get(RUN_LABEL) or workflow)


def by_age(workflow: Json) -> tuple[str, int]:
    """Sorts runs, the oldest first. Kubernetes tells whole seconds; in one second, what was written last is the newest."""
    metadata = workflow["metadata"]
    version = str(metadata.get("resourceVersion") or "")
    return metadata.get("creationTimestamp") or "", int(version) if version.isdigit() else 0


# --- with its record -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reached:
    """A run and the client that reaches it."""

    run: WholeRun
    client: ArgoClient
    context: CLIContext

    def results(self, *, logs: bool = False) -> Results:
        from hera_utils.results.last_lines import with_last_lines
        from hera_utils.results.results import Results

        results = Results.of_run(self.run)
        return with_last_lines(self.client, results) if logs else results


def runs_folders() -> list[Path]:
    """Where records may be: the setting, else runs/ of this folder. (Those beside a run's script are found by the run.)"""
    from hera_utils.cli import options

    context = options.context()
    return [Path(str(context.runs))] if "runs" in context and context.runs else [Path("runs")]


def own_name(name: str) -> str:
    """The newest recorded run whose user calls it so (runs/notes.py); the name itself where there is none."""
    from hera_utils.runs.notes import named_runs

    folders = record_folders()
    if any((folder / name / "run.json").is_file() for folder in folders):
        return name
    called = [folder for runs in folders for folder in named_runs(runs, name)]
    return max(called, key=lambda folder: (folder / "run.json").stat().st_ctime).name if called else name


def record_folders() -> list[Path]:
    """Where runs are recorded: the folder that the settings name, else runs/ of this folder and every one that is known."""
    from hera_utils.cli import options
    from hera_utils.runs.record_folders import known_folders

    context = options.context()
    named = runs_folders()
    if "runs" in context and context.runs:
        return named
    return list(dict.fromkeys(folder.resolve() for folder in (*named, *known_folders(Path(context.state)))))


@contextmanager
def reached_run(name: str) -> Iterator[Reached]:
    """The run that NAME means: a run's or a workflow's name, @latest, or the folder of a record."""
    from hera_utils.cli import options
    from hera_utils.runs.whole_run import load_run

    context = options.context()
    runs = runs_folders()
    given = Path(name)
    if given.parent != Path() and (given / "run.json").is_file():
        runs, name = [given.resolve().parent], given.resolve().name
    with reached(context) as client:
        run = run_of(client, run_name(client, name)) if name == LATEST else own_name(name)
        yield Reached(load_run(client, run, runs), client, context)
