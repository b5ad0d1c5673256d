"""What the commands on runs share: reaching the platform, @latest, following to the end, telling how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.argo.annotations import SCRIPT
from hera_utils.argo.phases import COMPLETED
from hera_utils.cli.resume_command import resume_command
from hera_utils.errors import ResourceError, RunFailed, WaitTimeout

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.runs.outcome import Outcome
    from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]

LATEST = "@latest"
DETACHED = 130


@contextmanager
def reached(context: CLIContext | None = None) -> Iterator[ArgoClient]:
    """A client of the platform that this command line means; the local one is started when it is not there."""
    from hera_utils.cli import options
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.connect import connect

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
    newest_name: str = max(newest, key=by_age)["metadata"]["name"]
    return newest_name


def workflows_of(client: ArgoClient, name: str) -> list[str]:
    """The workflows that a name means, oldest first: of a run that was split all of them, else the one of that name."""
    from hera_utils.runs.record import RUN_LABEL, label_of

    fields = "items.metadata.name,items.metadata.creationTimestamp,items.metadata.resourceVersion"
    if name == LATEST:
        name = run_of(client, run_name(client, name))
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


def how_to_come_back(client: ArgoClient, run: str) -> str:
    command = client.connection.command
    return f"the run continues; come back with: {command('watch', run)}   (end it with: {command('stop', run)})"


def follow_to_end(client: ArgoClient, name: str, *, again: str = "") -> int:
    """Show a run until it ends, then why it failed. Returns the exit status; Ctrl-C leaves the run alone.

    again: the command that runs it anew, "" where that is not known.
    """
    from hera_utils.cli import options
    from hera_utils.cli.terminal import console, note
    from hera_utils.watch.display import display_for
    from hera_utils.watch.follow import follow

    try:
        document = follow(client, name, display_for(console()), deadline=options.deadline())
    except KeyboardInterrupt:
        note("\n" + how_to_come_back(client, name))
        return DETACHED
    except WaitTimeout:
        raise options.deadline().reached(how_to_come_back(client, name)) from None
    return tell_end(client, document, again=again)


def tell_end(client: ArgoClient, document: Json, *, again: str = "") -> int:
    """Why a finished run did not succeed, and what of it had no effect, on stderr. Returns the exit status: 0 when it succeeded, else 1.

    again: as in `follow_to_end`.
    """
    from hera_utils.cli.terminal import note, symbols
    from hera_utils.runs.outcome import outcome
    from hera_utils.runs.summary import last_lines_of_failures, lines

    tell_warning(document)
    run = outcome(document)
    if run.succeeded:
        return 0
    for line in lines(run, last_lines_of_failures(client, run), mark=symbols().failed):
        note(line)
    note(f"hera-utils: {run.name} {run.phase.lower()}")
    first, *more = _what_helps(client, document, run, again)
    note(f"  fix: {first}")
    for line in more:
        note(f"       {line}")
    return 1


def _what_helps(client: ArgoClient, document: Json, run: Outcome, again: str) -> list[str]:
    """By the cause: a retry runs what was submitted once more, so it helps only where that was not at fault."""
    from hera_utils.runs.cause import Cause, cause_of
    from hera_utils.runs.record import RUN_LABEL

    command, cause = client.connection.command, cause_of(run)
    logs, retry = f"read {command('logs', run.name)}", ["retry", run.name, "--watch"]
    if cause is Cause.IMAGE and client.connection.local:
        return [
            f"write that line into a file, for example images.yaml; then: {command(*retry, '--images', 'images.yaml')}"
        ]
    if cause is Cause.PASSING:
        return [f"{logs}; once the cause is fixed: {command(*retry)}"]
    whole = str((document["metadata"].get("labels") or {}).get(RUN_LABEL) or "")
    script = str((document["metadata"].get("annotations") or {}).get(SCRIPT) or "")
    if whole and not again:
        folder = Path(script).parent / "runs" / whole if script else None
        start = ("hera-utils", "run", *client.connection.flags)
        again = resume_command(folder, start) or "its script with --resume and the same arguments"
    anew = again or (
        command("run", os.path.relpath(script)) if script else "hera-utils run, or the program that submitted it"
    )
    kept = f"to run the submitted workflow again: {command(*retry)}"
    return [f"{logs}; correct the workflow and run it again: {anew}", kept]


def tell_warning(document: Json) -> None:
    """What of the workflow has no effect where it runs: one line, on stderr."""
    from hera_utils.cli.terminal import note
    from hera_utils.runs.summary import warning

    if text := warning(document):
        note(f"hera-utils: {document['metadata']['name']}: {text}")


def act_on(
    name: str,
    verb: str,
    done: str,
    body: Json | None = None,
    *,
    watch: bool = False,
    first: Callable[[ArgoClient, str], None] | None = None,
) -> int:
    """Tell a run to do something, each of its workflows that it means something to; say what was done (NAME stands for the run).

    first: called with each of these workflows before.
    """
    from hera_utils.cli import options
    from hera_utils.cli.following import follow_run
    from hera_utils.cli.terminal import say

    options.deadline(waits="" if watch else "without --watch")
    with reached() as client:
        names = workflows_of(client, name)
        for workflow in _workflows_of(client, names, verb):
            if first is not None:
                first(client, workflow)
            if verb == "resume":
                _refuse_ended(client, workflow)
            phase = _phase(client.act(workflow, verb, body))
            # the suspended task may have been the last one
            ended = verb == "resume" and phase in COMPLETED
            say(
                f"{workflow} was resumed and has ended ({phase})"
                if ended
                else f"{workflow} {done.replace('NAME', workflow)}"
            )
        if not watch:
            return 0
        return follow_run(client, name if name != LATEST else run_of(client, names[0]))


def _phase(document: Json) -> str:
    return str((document.get("status") or {}).get("phase") or "")


def _refuse_ended(client: ArgoClient, name: str) -> None:
    """Argo answers a resume of a run that has ended as any other: whether it had is asked before."""
    phase = _phase(client.get(name, fields="status.phase"))
    if phase in COMPLETED:
        raise RunFailed(f"{name} has ended ({phase}): no task of it is suspended")


def _workflows_of(client: ArgoClient, names: list[str], verb: str) -> list[str]:
    """Of a run's several workflows those that a verb can mean: the failed ones for retry, those that go on for the others."""
    if len(names) == 1:
        return names
    wanted = ("Failed", "Error") if verb == "retry" else ("", "Pending", "Running")
    phases = {one: _phase(client.get(one, fields="status.phase")) for one in names}
    chosen = [one for one, phase in phases.items() if phase in wanted]
    if not chosen:
        listed = ", ".join(sorted(set(phases.values())))
        raise RunFailed(f"none of the run's {len(names)} workflows can be changed ({verb}) ({listed})")
    return chosen


def watch_option(function: Any) -> Any:
    """Adds `--watch`, and `--timeout` for it."""
    from hera_utils.cli.options import timeout_option

    return click.option(
        "-w", "--watch", is_flag=True, help="Follow the run to its end; the exit status says how it ended."
    )(timeout_option(function))
