"""What the commands on whole runs share: finding the run that a name, @latest or a record's folder means."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.results.results import Results
    from hera_utils.runs.whole_run import WholeRun
    from hera_utils.settings.resolve import CLIContext


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


@contextmanager
def reached_run(name: str) -> Iterator[Reached]:
    """The run that NAME means: a run's or a workflow's name, @latest, or the folder of a record."""
    from hera_utils.cli import options
    from hera_utils.cli.runs import reached, run_name
    from hera_utils.runs.whole_run import load_run

    context = options.context()
    runs = runs_folders()
    given = Path(name)
    if given.parent != Path() and (given / "run.json").is_file():
        runs, name = [given.resolve().parent], given.resolve().name
    with reached(context) as client:
        yield Reached(load_run(client, _whole(client, run_name(client, name), name), runs), client, context)


def _whole(client: ArgoClient, workflow: str, typed: str) -> str:
    """@latest names a workflow: the run is the one it is part of."""
    if workflow == typed:
        return workflow
    from hera_utils.runs.record import RUN_LABEL

    metadata = client.get(workflow, fields="metadata.labels").get("metadata") or {}
    return str((metadata.get("labels") or {}).get(RUN_LABEL) or workflow)
