"""Runs that were begun elsewhere: how one stands, stopping one. By the records of a folder, and the platform's own word."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from hera_utils.argo.phases import COMPLETED
from hera_utils.errors import HeraUtilsError, ResourceError
from hera_utils.execution.history import identity
from hera_utils.execution.run import Run
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.results.results import Results
from hera_utils.runs.outcome import outcome
from hera_utils.runs.record import DONE, RunRecord, records
from hera_utils.runs.whole_run import WholeRun, load_run
from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]


def claim_here(context: CLIContext, claim: str) -> Path | None:
    """The folder that a claim stands for on this machine, without asking a server; None when there is none."""
    if context.platform != "local":
        return None
    named = context.volumes.get(claim)
    folder = Path(named) if named else Path(context.state) / "claims" / context.argo_namespace / claim
    return folder if folder.is_dir() else None


def newest(runs: Path, identity_of: Json | None = None) -> str:
    """The name of the newest recorded run (of one experiment). ResourceError when there is none."""
    for folder in records(runs):
        with contextlib.suppress(HeraUtilsError), RunRecord.open(folder) as record:
            if identity_of is None or identity(record.facts) == identity(identity_of):
                return folder.name
    raise ResourceError(f"no run is recorded in {runs}", fix="name the folder with --runs")


def standing_run(client: ArgoClient, runs: Path, name: str = "", *, identity_of: Json | None = None) -> Run:
    """A run as it stands: its record, and those of its workflows that the platform still has."""
    found = load_run(client, name or newest(runs, identity_of), [runs])
    return _run(client, found)


def _run(client: ArgoClient, found: WholeRun) -> Run:
    last = found.documents[-1] if found.documents else {"metadata": {"name": found.name}, "status": {}}
    documents = [outcome(document) for document in found.documents]
    undone = sum(row.status != DONE for row in found.points)
    phase = found.phase
    failures = tuple(failure for one in documents for failure in one.failures)
    return Run(
        found.name,
        client.namespace,
        last,
        client.link(str(last["metadata"]["name"])),
        points=len(found.points),
        undone=undone,
        record=found.folder,
        stated=replace(outcome(last), name=found.name, phase=phase, failures=failures),
        fetch=lambda: Results.of_run(found),
    )


def stop_run(client: ArgoClient, runs: Path, name: str = "") -> list[str]:
    """Stop what goes on of a run; the names of the workflows that were told so."""
    found = load_run(client, name or newest(runs), [runs])
    stopped = []
    for document in found.documents:
        if outcome(document).phase not in COMPLETED:
            client.act(document["metadata"]["name"], "stop")
            stopped.append(str(document["metadata"]["name"]))
    return stopped
