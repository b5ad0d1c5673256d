"""Finds the run that a command line names (by a name, its beginning, @latest~N or the folder of a record) on its platform."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hera_utils.cli.run_choice import choose_name, is_relative
from hera_utils.cli.terminal import print_note
from hera_utils.errors import AccessError, Refused

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.results.results import Results
    from hera_utils.runs.whole_run import WholeRun
    from hera_utils.settings.resolve import CLIContext


@contextmanager
def connect_client(context: CLIContext | None = None) -> Iterator[ArgoClient]:
    """A client of the platform of this command line; starts the local server if it does not run."""
    from hera_utils.cli import options
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connect import connect

    with ArgoClient(connect(context if context is not None else options.context())) as client:
        yield client


def choose_run(client: ArgoClient, typed: str, *, whole: bool = False) -> str:
    """The run or workflow that a typed name means: its own name, the name that a user gave it, @latest~N, or the beginning of only one.

    whole: a beginning is not enough. Raises ResourceError if there is no such run.
    """
    from hera_utils.cli.platform_runs import runs_of_platform

    if not is_relative(typed):
        recorded = _find_recorded_run(typed)
        if recorded is not None or _exists(client, typed):
            return recorded or typed
    where = f" in namespace {client.namespace}"
    try:
        names = runs_of_platform(client)
    except AccessError:  # a user who may get a run may not be allowed to list runs
        if is_relative(typed):
            raise
        names = []
    if not (is_relative(typed) or any(name.startswith(typed) for name in names)):
        names += [name for name in _recorded_names() if name not in names]
    chosen_name = choose_name(typed, names, where=where, whole=whole)
    if not is_relative(typed) and chosen_name != typed:
        print_note(f"hera-utils: {typed}: the run {chosen_name}")
    return chosen_name


def _exists(client: ArgoClient, name: str) -> bool:
    from hera_utils.argo import faults

    if not name:
        return False
    try:
        client.get(name, fields="metadata.name")
    except Refused as refused:
        if refused.code in (faults.NOT_FOUND, faults.INVALID_ARGUMENT):
            return False
        raise
    return True


def _recorded_names() -> list[str]:
    records = [file for folder in record_folders() for file in folder.glob("*/run.json")]
    return [file.parent.name for file in sorted(records, key=lambda file: file.stat().st_mtime, reverse=True)]


@dataclass(frozen=True)
class ReachedRun:
    """A run with its record, and the client of its platform."""

    run: WholeRun
    client: ArgoClient
    context: CLIContext

    def results(self, *, logs: bool = False) -> Results:
        from hera_utils.results.last_lines import add_last_lines
        from hera_utils.results.results import Results

        results = Results.of_run(self.run)
        return add_last_lines(self.client, results, self.run.documents) if logs else results


def _find_recorded_run(name: str) -> str | None:
    """The recorded run with this name, or the newest one to which a user gave it (runs/notes.py); None if there is none."""
    from hera_utils.runs.notes import named_runs
    from hera_utils.runs.whole_run import record_folder

    folders = record_folders()
    if name and record_folder(name, folders) is not None:
        return name
    called = [folder for runs in folders for folder in named_runs(runs, name)] if name else []
    return max(called, key=lambda folder: (folder / "run.json").stat().st_ctime).name if called else None


def is_record(folder: Path) -> bool:
    """Whether a word that was typed is the folder of a record. A bare word is a name: runs of this folder are found by it."""
    return folder.parent != Path() and (folder / "run.json").is_file()


def record_folders() -> list[Path]:
    """The folders in which runs are recorded: the one that the settings name, else runs/ in this folder and all known ones."""
    from hera_utils.cli import options
    from hera_utils.runs.record_folders import known_folders

    context = options.context()
    if "runs" in context and context.runs:
        return [Path(str(context.runs))]
    return list(dict.fromkeys(folder.resolve() for folder in (Path("runs"), *known_folders(Path(context.state)))))


@contextmanager
def reach_run(name: str) -> Iterator[ReachedRun]:
    """The run that `name` means: the name of a run or a workflow, @latest, or the folder of a record."""
    from hera_utils.cli import options
    from hera_utils.runs.whole_run import load_run

    context = options.context()
    record = Path(name)
    with connect_client(context) as client:
        if is_record(record):
            run, runs = record.resolve().name, [record.resolve().parent]
        else:
            run, runs = choose_run(client, name), record_folders()
        yield ReachedRun(load_run(client, run, runs), client, context)
