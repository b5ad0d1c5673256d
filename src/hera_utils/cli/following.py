"""Follows a run to its end: all of its workflows, also those that its script has not submitted yet."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.argo.phases import COMPLETED, phase_of
from hera_utils.cli import options
from hera_utils.cli.outcome import print_outcome, resume_command
from hera_utils.cli.run_names import choose_run, record_folders
from hera_utils.cli.terminal import print_note, progress_console
from hera_utils.errors import WaitTimeout

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.runs.remaining import Remaining

Json = dict[str, Any]

DETACHED = 130
"""The exit status after Ctrl-C; the run continues."""


@dataclass
class FollowedRun:
    """A run, and its workflows as last seen (without their nodes), in the order in which they were submitted.

    name: the run's. runs: folders that may have its record.
    """

    client: ArgoClient
    name: str
    runs: list[Path] = field(default_factory=list)
    workflows: list[Json] = field(default_factory=list)

    def refresh(self) -> list[Json]:
        """Ask for the workflows again; [] if this is no run of an experiment."""
        from hera_utils.runs.record import RUN_LABEL, label_of
        from hera_utils.runs.whole_run import submission_order
        from hera_utils.watch.run_progress import FIELDS

        self.workflows = sorted(
            self.client.list(selector=f"{RUN_LABEL}={label_of(self.name)}", fields=FIELDS), key=submission_order
        )
        return self.workflows

    @property
    def names(self) -> list[str]:
        return [str(workflow["metadata"]["name"]) for workflow in self.workflows]

    @property
    def folder(self) -> Path | None:
        """The folder of the run's record, None if this machine does not have it."""
        from hera_utils.runs.whole_run import record_folder

        return record_folder(self.name, self.runs)

    @property
    def remaining(self) -> Remaining:
        from hera_utils.runs.remaining import NOTHING, find_remaining

        phases = [phase_of(workflow) for workflow in self.workflows]
        if not phases or any(phase not in COMPLETED for phase in phases):
            return NOTHING
        return find_remaining(self.workflows, self.folder, time.time())


def find_run_to_follow(client: ArgoClient, name: str) -> FollowedRun:
    """The run that a typed name means, as it is now; without workflows if the name is that of a workflow which belongs to no run."""
    run = FollowedRun(client, choose_run(client, name), record_folders())
    run.refresh()
    return run


def follow_to_end(client: ArgoClient, name: str, *, again: str = "") -> int:
    """Show a run until it ends, then why it failed. Returns the exit status; Ctrl-C leaves the run alone.

    again: the command that runs it again, "" if that is unknown.
    """
    from hera_utils.preflight.ready import not_taken_up_on
    from hera_utils.watch.display import display_for
    from hera_utils.watch.follow import follow

    try:
        with _explain_lost_server(client, name):
            document = follow(
                client,
                name,
                display_for(progress_console()),
                deadline=options.deadline(),
                not_taken_up=not_taken_up_on(client.connection),
            )
    except KeyboardInterrupt:
        print_note("\n" + _commands_to_come_back(client, name))
        return DETACHED
    except WaitTimeout:
        raise options.deadline().timeout_error(_commands_to_come_back(client, name)) from None
    return print_outcome(client, document, again=again)


def _explain_lost_server(client: ArgoClient, run: str) -> AbstractContextManager[None]:
    """Within, the loss of a cluster's server is told with how to come back. Any command starts this machine's server again."""
    if client.connection.local:
        return nullcontext()
    from hera_utils.runs.come_back import explain_lost_server  # imported here because few commands need it

    return explain_lost_server(lambda: _commands_to_come_back(client, run))


def _commands_to_come_back(client: ArgoClient, run: str) -> str:
    from hera_utils.runs.come_back import describe_return  # imported here because few commands need it

    command = client.connection.command
    return describe_return([command("watch", run)], stop=command("stop", run))


def follow_run(client: ArgoClient, name: str) -> int:
    """Show a run until it ends, then why it failed. Returns the exit status; Ctrl-C leaves the run alone."""
    run = find_run_to_follow(client, name)
    if not run.workflows:
        return follow_to_end(client, run.name)
    status, seen = 0, set()
    if len(run.names) == 1:  # a single workflow can be shown task by task
        status, seen = follow_to_end(client, run.names[0]), set(run.names)
        if status == DETACHED or (len(run.refresh()) == 1 and not run.remaining.what):
            return status
    return _follow_workflows(run, seen) or status


def _follow_workflows(run: FollowedRun, shown_names: set[str]) -> int:
    """shown_names: workflows that were followed to their end already."""
    from hera_utils.platforms.reconnect import repeat_until_answered
    from hera_utils.preflight.ready import not_taken_up_on
    from hera_utils.watch.display import display_for
    from hera_utils.watch.run_progress import follow_workflows
    from hera_utils.watch.stall import Stall

    def sleep(pause: float) -> None:
        options.deadline().sleep(run.name, pause)

    try:
        with _explain_lost_server(run.client, run.name):
            state = follow_workflows(
                run.name,
                lambda: repeat_until_answered(run.refresh, rejoin=run.client.rejoin, sleep=sleep),
                display_for(progress_console()),
                more=lambda _: run.remaining.phase,
                reasons=Stall(run.client.get, not_taken_up_on(run.client.connection)).reasons,
                deadline=options.deadline(),
            )
    except KeyboardInterrupt:
        print_note("\n" + _commands_to_come_back(run.client, run.name))
        return DETACHED
    except WaitTimeout:
        raise options.deadline().timeout_error(_commands_to_come_back(run.client, run.name)) from None
    for name in (row.label for row in state.rows if row.failed and row.label not in shown_names):
        print_outcome(run.client, run.client.get(name))
    if not state.is_over:
        for line in lines_about_unsubmitted_rest(run):
            print_note(line)
    return 0 if state.succeeded else 1


def lines_about_unsubmitted_rest(run: FollowedRun) -> list[str]:
    """What to print about a run whose submitted workflows have ended, while no process submits the rest."""
    what = run.remaining.what
    verb = "is" if what in ("gather", "1 point", "the rest of the search") else "are"
    folder = run.folder
    why = (
        "no process is running the script"
        if folder is not None
        else "its record is not on this machine, and no workflow appeared for a minute"
    )
    return [
        f"hera-utils: {run.name}: {what} {verb} not submitted ({why})",
        f"  fix: continue with: {resume_command(folder, ('python',)) or 'its script, the same arguments and --resume'}",
    ]


def is_over(run: FollowedRun) -> bool:
    """Whether all workflows of a run have ended and no more are awaited."""
    phases = [phase_of(workflow) for workflow in run.workflows]
    return all(phase in COMPLETED for phase in phases) and not run.remaining.awaited
