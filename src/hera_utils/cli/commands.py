"""The commands, each once: its name, its section of the help, its line. Its code is imported when it is called."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

import click

SECTIONS: dict[str, dict[str, str]] = {
    "Running": {
        "init": "Write an experiment to begin with: it runs, and its test passes.",
        "run": "Run a Hera script or a workflow file, and follow it to its end.",
        "rerun": "Run again what the manifest of a run tells.",
        "lint": "Check workflow files and scripts without running anything.",
        "doctor": "Check everything that a run needs; say how to repair what is missing.",
        "provision": "Make the claims, config maps, secrets and account that an experiment describes.",
        "release": "Remove what provisioning made; data only when asked to.",
    },
    "Looking": {
        "ls": "List the runs.",
        "get": "Show a run: its tasks, how they went, why they failed.",
        "watch": "Follow a run until it ends.",
        "logs": "Show what the tasks of a run wrote.",
        "results": "Show what a run gave, as a table; what two runs gave differently.",
        "report": "Write a page that tells a run: results, plots, timeline, failures; its manifest.",
        "cp": "Copy files out of and into claims, and artifacts out of runs.",
    },
    "Steering": {
        "stop": "End a run; its exit handlers still run.",
        "terminate": "End a run at once.",
        "suspend": "Let a run start no more tasks.",
        "resume": "Let a suspended run (or task) go on.",
        "retry": "Run the failed tasks of a run again.",
        "delete": "Delete runs.",
        "gc": "Free disk space: old runs with their logs and files.",
    },
    "Platform": {
        "serve": "Start, stop or look at the local platform.",
        "connection": "Print how to reach the platform, for argo, kubectl and other clients.",
        "profile": "Name platforms and go from one to another.",
        "trust": "Let this folder's settings files decide where your token goes.",
        "completion": "Print what bash, zsh or fish needs to complete our command lines.",
        "settings": "Show every setting and who gave it.",
        "version": "Show which versions there are, and whether they fit.",
    },
}


class LazyGroup(click.Group):
    """Knows its commands' names and lines without importing them, so that `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = import_module(f"hera_utils.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0].endswith((".py", ".yaml", ".yml")) and args[0] not in self.list_commands(ctx):
            ctx.fail(f"no such command: {args[0]}. To run a script: hera-utils run {args[0]}")
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            near = get_close_matches(args[0], known, 1, 0.6)
            ctx.fail(f"no such command '{args[0]}'" + (f"; did you mean {near[0]}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="With nothing configured, workflows run on this machine; naming an Argo server (--argo_server, ARGO_SERVER, "
    "a profile) runs the same script there. NAME may be @latest, the newest run.",
)
@click.version_option(package_name="hera_utils", prog_name="hera-utils")
def commands() -> None:
    """Numerical experiments as Hera scripts that run anywhere."""
