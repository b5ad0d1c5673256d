"""What the commands on runs share: reaching the platform, @latest, following to the end, telling how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from hera_utils.errors import ResourceError, RunFailed

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]

LATEST = "@latest"
DETACHED = 130


@contextmanager
def reached(context: CLIContext | None = None) -> Iterator[ArgoClient]:
    """A client of the platform that this command line means; the local one is started when it is not there."""
    from hera_utils.cli import options
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connection import connect

    with ArgoClient(connect(context if context is not None else options.context())) as client:
        yield client


def run_name(client: ArgoClient, name: str) -> str:
    """The name itself; for @latest, that of the newest run of the namespace."""
    if name != LATEST:
        return name
    newest = client.list(fields="items.metadata.name,items.metadata.creationTimestamp,items.metadata.resourceVersion")
    if not newest:
        raise ResourceError(
            f"there is no run in namespace {client.namespace}", fix="start one with: hera-utils run SCRIPT"
        )
    found: str = max(newest, key=by_age)["metadata"]["name"]
    return found


def by_age(workflow: Json) -> tuple[str, int]:
    """Sorts runs, the oldest first. Kubernetes tells whole seconds; in one second, what was written last is the newest."""
    metadata = workflow["metadata"]
    version = str(metadata.get("resourceVersion") or "")
    return metadata.get("creationTimestamp") or "", int(version) if version.isdigit() else 0


def follow_to_end(client: ArgoClient, name: str) -> int:
    """Show a run until it ends, then why it failed. Returns the exit status; Ctrl-C leaves the run alone."""
    from hera_utils.cli.terminal import console, note
    from hera_utils.watch.display import shown
    from hera_utils.watch.follow import follow

    try:
        document = follow(client, name, shown(console()))
    except KeyboardInterrupt:
        note(f"\nthe run goes on; come back with: hera-utils watch {name}   (end it with: hera-utils stop {name})")
        return DETACHED
    return tell_end(client, document)


def tell_end(client: ArgoClient, document: Json) -> int:
    """Why a finished run did not succeed, and what of it had no effect, on stderr. Returns the exit status: 0 when it succeeded, else 1."""
    from hera_utils.cli.terminal import note, symbols
    from hera_utils.execution.run import Run
    from hera_utils.execution.screen import last_lines
    from hera_utils.report.summary import lines

    tell_warning(document)
    run = Run(document["metadata"]["name"], client.namespace, document)
    if run.succeeded:
        return 0
    for line in lines(run.outcome, last_lines(client, run), mark=symbols().failed):
        note(line)
    note(f"hera-utils: {run.name} {run.phase.lower()}")
    note(f"  fix: read hera-utils logs {run.name}; once the cause is gone: hera-utils retry {run.name} --watch")
    return 1


def tell_warning(document: Json) -> None:
    """What of the workflow has no effect where it runs: one line, on stderr."""
    from hera_utils.cli.terminal import note
    from hera_utils.report.summary import warning

    if text := warning(document):
        note(f"hera-utils: {document['metadata']['name']}: {text}")


def act_on(name: str, verb: str, done: str, body: Json | None = None, *, watch: bool = False) -> int:
    """Tell a run to do something; say what was done (NAME in it stands for the run)."""
    from hera_utils.cli.terminal import say

    with reached() as client:
        found = run_name(client, name)
        phase = (client.act(found, verb, body).get("status") or {}).get("phase", "")
        if verb == "resume" and phase in ("Succeeded", "Failed", "Error"):
            raise RunFailed(f"{found} has ended ({phase}): nothing of it is suspended")
        say(f"{found} {done.replace('NAME', found)}")
        return follow_to_end(client, found) if watch else 0


def watch_option(function: Any) -> Any:
    return click.option(
        "-w", "--watch", is_flag=True, help="Follow it to its end; the exit status tells how it ended."
    )(function)
