"""Prints how a run ended, and what to do: on stderr, for every command that follows a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.argo.annotations import SCRIPT
from hera_utils.argo.conditions import spec_warning
from hera_utils.argo.phases import SUCCEEDED, phase_of
from hera_utils.cli.terminal import print_fix, print_note, symbols

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.runs.outcome import Outcome

Json = dict[str, Any]


def print_outcome(client: ArgoClient, document: Json, *, again: str = "") -> int:
    """Print on stderr why a run failed, and which of its fields had no effect. Returns the exit status: 0 if it succeeded, else 1.

    again: as in `follow_to_end`.
    """
    print_warnings(client, document)
    if phase_of(document) == SUCCEEDED:
        return 0
    from hera_utils.runs.failure_summary import lines_with_logs
    from hera_utils.runs.outcome import outcome, phase_as_verb

    run = outcome(document)
    for line in lines_with_logs(client, document, run, mark=symbols().failed):
        print_note(line)
    print_note(f"hera-utils: {run.name} {phase_as_verb(run.phase)}")
    print_fix("\n".join(_suggest_fixes(client, document, run, again)))
    return 1


def send_notification(client: ArgoClient, name: str) -> None:
    """Send the notification of the settings, if there is one, that a run of this command has ended."""
    from hera_utils.cli.options import context

    settings = context()
    if settings.notify is None and not settings.notify_command:
        return
    from hera_utils.runs.notification import ending_of_workflow, notify

    for line in notify(ending_of_workflow(client.get(name), client.link(name)), settings):
        print_note(f"hera-utils: {line}")


def _suggest_fixes(client: ArgoClient, document: Json, run: Outcome, again: str) -> list[str]:
    """The fix, by the cause. A retry runs the submitted workflow again, so it only helps if the workflow itself was not the cause."""
    from hera_utils.runs.failure_cause import FailureCause, cause_of
    from hera_utils.runs.record import RUN_LABEL

    command, cause = client.connection.command, cause_of(run)
    logs, retry = f"read {command('logs', run.name)}", ["retry", run.name, "--watch"]
    if cause is FailureCause.IMAGE and client.connection.local:
        return [
            f"write that line into a file, for example images.yaml; then: {command(*retry, '--images', 'images.yaml')}"
        ]
    if cause is FailureCause.PASSING:
        return [f"{logs}; once the cause is fixed: {command(*retry)}"]
    run_name = str((document["metadata"].get("labels") or {}).get(RUN_LABEL) or "")
    script = str((document["metadata"].get("annotations") or {}).get(SCRIPT) or "")
    if run_name and not again:
        folder = Path(script).parent / "runs" / run_name if script else None
        start = ("hera-utils", "run", *client.connection.flags)
        again = resume_command(folder, start) or "its script with --resume and the same arguments"
    anew = again or (
        command("run", os.path.relpath(script)) if script else "hera-utils run, or the program that submitted it"
    )
    fix_of_workflow = f"to run the submitted workflow again: {command(*retry)}"
    return [f"{logs}; correct the workflow and run it again: {anew}", fix_of_workflow]


def print_warnings(client: ArgoClient, document: Json) -> None:
    """Print on stderr which fields of the workflow had no effect, and which outputs only this machine accepts."""
    from hera_utils.preflight.size_limits import describe_oversized_outputs

    for text in (spec_warning(document), describe_oversized_outputs(document) if client.connection.local else ""):
        if text:
            print_note(f"hera-utils: {document['metadata']['name']}: {text}")


def resume_command(folder: Path | None, start: Sequence[str]) -> str:
    """The command that resumes a run, from its record: the command line of its script with --resume.

    folder: the run's record. start: the words before the script, ("python",) or ("hera-utils", "run", …).

    "" if there is no record, or if an argument was a secret: the record has stars there.
    """
    from hera_utils.runs.record import facts_of
    from hera_utils.settings.command_line import CommandLine
    from hera_utils.settings.secret import MASK

    try:
        facts = facts_of(folder) if folder is not None else {}
        script, words = str(facts["script"] or ""), tuple(str(word) for word in facts["arguments"] or ())
    except (KeyError, TypeError):
        return ""
    if not script or any(MASK in word for word in words):
        return ""
    as_module = facts.get("module")
    before = (*start, "-m") if as_module else tuple(start)
    return CommandLine(before, as_module or os.path.relpath(script), words).with_flags("--resume")
