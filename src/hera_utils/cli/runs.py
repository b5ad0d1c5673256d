"""What the commands on runs share: reaching the platform, @latest, following to the end, telling how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from hera_utils.errors import Refused, ResourceError

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.report.outcome import Outcome
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
    newest = client.list(fields="items.metadata.name,items.metadata.creationTimestamp")
    if not newest:
        raise ResourceError(
            f"there is no run in namespace {client.namespace}", fix="start one with: hera-utils run SCRIPT"
        )
    found: str = max(newest, key=lambda one: one["metadata"].get("creationTimestamp") or "")["metadata"]["name"]
    return found


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
    """Why a finished run did not succeed, on stderr. Returns the exit status: 0 when it succeeded, else 1."""
    from hera_utils.cli.terminal import note, symbols
    from hera_utils.report.outcome import outcome
    from hera_utils.report.summary import lines

    end = outcome(document)
    if end.succeeded:
        return 0
    for line in lines(end, last_lines(client, end), mark=symbols().failed):
        note(line)
    note(f"hera-utils: {end.name} {end.phase.lower()}")
    note(f"  fix: read hera-utils logs {end.name}; once the cause is gone: hera-utils retry {end.name} --watch")
    return 1


def last_lines(client: ArgoClient, end: Outcome) -> dict[str, list[str]]:
    """The last lines that the first failed tasks wrote, by node id; nothing for those that wrote nothing or left no log."""
    from hera_utils.argo.names import pod_name
    from hera_utils.report.summary import LAST_LINES, first_failures

    found: dict[str, list[str]] = {}
    for failure in first_failures(end):
        pod = pod_name(end.name, failure.node_name, failure.template, failure.node_id)
        try:
            lines = [line for _, line in client.logs(end.name, pod=pod, tail=LAST_LINES)]
        except Refused:
            continue
        found[failure.node_id] = [line for line in lines if "argo=true" not in line][-LAST_LINES:]
    return found


def act_on(name: str, verb: str, done: str, body: Json | None = None, *, watch: bool = False) -> int:
    """Tell a run to do something; say what was done."""
    from hera_utils.cli.terminal import say

    with reached() as client:
        found = run_name(client, name)
        client.act(found, verb, body)
        say(f"{found} {done}")
        return follow_to_end(client, found) if watch else 0


def watch_option(function: Any) -> Any:
    return click.option(
        "-w", "--watch", is_flag=True, help="Follow it to its end; the exit status tells how it ended."
    )(function)
