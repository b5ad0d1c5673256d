"""The common part of stop, retry, resume…: sends an action to each workflow of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from hera_utils.argo.phases import COMPLETED, phase_of
from hera_utils.cli.terminal import print_line
from hera_utils.errors import HeraUtilsError, RunFailed

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]

_FINAL = ("stop", "terminate")
"""Actions that cannot be undone, and so need the full name of a run."""
_OF_CRON_WORKFLOWS = ("suspend", "resume")


def act_on_run(
    name: str,
    verb: str,
    done: str,
    body: Json | None = None,
    *,
    watch: bool = False,
    first: Callable[[ArgoClient, str], None] | None = None,
) -> int:
    """Send an action to each workflow of a run that it concerns, and print what was done. done: the words after the workflow's name, in
    which NAME stands for it too.

    first: called with each of these workflows before the action.
    """
    from hera_utils.cli import options
    from hera_utils.cli.following import follow_run
    from hera_utils.cli.platform_runs import workflows_of
    from hera_utils.cli.run_names import choose_run, connect_client
    from hera_utils.cli.stored_template import find_stored_object, set_suspended

    options.deadline(waits="" if watch else "without --watch")
    with connect_client() as client:
        stored = find_stored_object(client, name) if verb in _OF_CRON_WORKFLOWS and not body else None
        if stored is not None:
            print_line(set_suspended(client, stored, verb))
            return 0
        run = choose_run(client, name, whole=verb in _FINAL)
        names = workflows_of(client, run)
        for workflow in _workflows_of(client, names, verb):
            if first is not None:
                first(client, workflow)
            if verb == "resume":
                _refuse_ended(client, workflow)
            try:
                phase = phase_of(client.act(workflow, verb, body))
            except HeraUtilsError as error:
                # the fix of Argo's refusal may say NAME, because it does not know the run
                error.fix = (error.fix or "").replace("NAME", workflow) or None
                raise
            # a run whose last task was suspended ends at once
            ended = verb == "resume" and phase in COMPLETED
            print_line(
                f"{workflow} was resumed and has ended ({phase})"
                if ended
                else f"{workflow} {done.replace('NAME', workflow)}"
            )
        if not watch:
            return 0
        return follow_run(client, run)


def _refuse_ended(client: ArgoClient, name: str) -> None:
    """Raise RunFailed if the run has ended: Argo accepts a resume of an ended run without an error, so it is checked before."""
    phase = phase_of(client.get(name, fields="status.phase"))
    if phase in COMPLETED:
        raise RunFailed(
            f"{name} has ended ({phase}): no task of it is suspended",
            fix=f"see how it ended: hera-utils get {name}; to run its failed tasks again: hera-utils retry {name}",
        )


def _workflows_of(client: ArgoClient, names: list[str], verb: str) -> list[str]:
    """The workflows of a run that an action concerns: the failed ones for retry, those that have not ended for the others."""
    if len(names) == 1:
        return names
    wanted = ("Failed", "Error") if verb == "retry" else ("", "Pending", "Running")
    phases = {name: phase_of(client.get(name, fields="status.phase")) for name in names}
    chosen = [name for name, phase in phases.items() if phase in wanted]
    if not chosen:
        listed = ", ".join(sorted(set(phases.values())))
        raise RunFailed(
            f"none of the run's {len(names)} workflows can be changed ({verb}) ({listed})",
            fix="only failed ones can be retried"
            if verb == "retry"
            else "they have ended; see them with: hera-utils get NAME",
        )
    return chosen


def watch_option(function: Any) -> Any:
    """Adds `--watch`, and `--timeout` for it."""
    from hera_utils.cli.options import timeout_option

    return click.option(
        "-w", "--watch", is_flag=True, help="Follow the run to its end; the exit status says how it ended."
    )(timeout_option(function))
