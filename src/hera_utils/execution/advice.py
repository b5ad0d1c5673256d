"""Says what to do next: as a command line to a user who typed one, as Python to a user who wrote a program or a notebook."""

from __future__ import annotations

from dataclasses import dataclass

from hera_utils.errors import RunFailed
from hera_utils.execution.run import Run
from hera_utils.platforms.connection import Connection
from hera_utils.runs.come_back import describe_return
from hera_utils.runs.failure_cause import FailureCause, cause_of
from hera_utils.runs.outcome import phase_as_verb
from hera_utils.settings.command_line import CommandLine


@dataclass(frozen=True)
class Advice:
    """launch: the command line that started the script, None if it cannot be repeated. connection: to the platform of the run."""

    launch: CommandLine | None
    connection: Connection

    def resume(self, *flags: str) -> str:
        """How to run what is not done: the same command line with `--resume` and these flags."""
        return (
            "engine.run(experiment, resume=True)" if self.launch is None else self.launch.with_flags("--resume", *flags)
        )

    def command(self, verb: str, name: str) -> str:
        return self.connection.command(verb, name)

    def wait_or_stop(self, name: str) -> str:
        return f"wait for it: {self.command('watch', name)}; or end it: {self.command('stop', name)}"

    def come_back(self, name: str, *, waiting: int, gathers: bool) -> str:
        """How to come back to a run that continues after Ctrl-C or a deadline.

        waiting: the number of points that are not sent yet. gathers: whether a gather workflow is still to be sent.
        """
        watch = self.command("watch", name)
        if not waiting and not gathers:
            return describe_return([watch])
        goes = "the submitted workflows continue" if waiting else "the points continue"
        return f"{goes} (see it with: {watch}); {self.describe_unsent_rest(waiting=waiting, gathers=gathers)}"

    def describe_unsent_rest(self, *, waiting: int, gathers: bool) -> str:
        """Which part of a run is not sent yet, and how to send it."""
        rest = "the rest and gather follow" if gathers else "the rest follows"
        return f"{rest if waiting or not gathers else 'gather follows'} with: {self.resume()}"

    def error_of_failed_run(self, run: Run, *, gathers: bool, unclear: str) -> RunFailed:
        """The error for a run that did not succeed. gathers: its experiment has a gather, which is what failed when every point is
        done. unclear: why it is unknown which of its points failed, "" if it is known.
        """
        first = next(iter(run.outcome.failures), None)
        why = f"{first.task}: {first.why}" if first is not None else run.outcome.message
        undone = run.undone > 0
        several = undone and run.points > 1
        points = f": {run.undone} of {run.points} points are not done" if several else ""
        if several and unclear:
            points = f": it is unknown which of its {run.points} points failed, because {unclear}"
        after = (
            "gather again with"
            if gathers and not undone
            else "continue with"
            if gathers or several
            else "run it again with"
        )
        more = " (the points are done)" if gathers and not undone else ""
        logs = f"read {self.command('logs', run.name)}"
        if cause_of(run.outcome) is FailureCause.IMAGE:
            fix = f"name a substitute for the image, as said above, in a file; then {after}: {self._resume_with_images()}{more}"
        else:
            if (
                self.launch is not None
                and several
                and run.undone < run.points
                and cause_of(run.outcome) is FailureCause.CODE
            ):
                more = " (with --keep-done the points that are done stay so, although the code changes)"
            fix = f"{logs}; once the cause is gone, {after}: {self.resume()}{more}"
        return RunFailed(f"{run.name} {phase_as_verb(run.phase)}{points}{f' ({why})' if why else ''}", fix=fix, run=run)

    def _resume_with_images(self) -> str:
        """How to resume with a file of images; a command line that has `--images` already is only repeated."""
        names_file = self.launch is None or any(
            "--images" in word for word in (*self.launch.before, *self.launch.arguments)
        )
        return self.resume() if names_file or not self.connection.local else self.resume("--images", "FILE")
