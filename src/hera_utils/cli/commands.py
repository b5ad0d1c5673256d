"""The list of commands: the name, the section of the help and the help line of each. Its code is imported when it is called."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module

import click

from hera_utils.bytecode_cache import cached_bytecode
from hera_utils.cli.examples import examples_text

SECTIONS: dict[str, dict[str, str]] = {
    "Running": {
        "init": "Create a first experiment: it runs, and its test passes.",
        "run": "Run a Hera script or a workflow file, and follow it to its end.",
        "rerun": "Repeat a run from its manifest.",
        "lint": "Check workflow files and scripts without running anything.",
        "doctor": "Check everything that a run needs; say how to fix what is missing.",
        "provision": "Create the claims, config maps, secrets and account that an experiment describes.",
        "release": "Remove what provisioning created; data only on request.",
    },
    "Looking": {
        "ls": "List the runs.",
        "runs": "Search the runs of all experiments by inputs, outputs, tags and facts.",
        "get": "Show a run: its tasks, their status, why they failed.",
        "watch": "Follow a run until it ends.",
        "logs": "Show the logs of a run's tasks.",
        "results": "Show the results of a run as a table, or compare two runs.",
        "compare": "Show many runs side by side: what differs, and the results.",
        "which": "Tell which run and point made a file, and from what.",
        "report": "Write a page about a run: results, plots, timeline, failures; or its manifest.",
        "cp": "Copy files from and to claims, and artifacts from runs.",
    },
    "Steering": {
        "stop": "Stop a run; its exit handlers still run.",
        "terminate": "Terminate a run: no exit handlers run.",
        "suspend": "Suspend a run: it starts no more tasks.",
        "resume": "Resume a suspended run or task.",
        "retry": "Run the failed tasks of a run again.",
        "tag": "Give a run tags, a name and a note.",
        "delete": "Delete runs.",
        "gc": "Free disk space: old runs with their logs and files.",
    },
    "Platform": {
        "image": "Pull, import, list and remove the container images of this machine.",
        "serve": "Start or stop the local platform's server, or show its status.",
        "connection": "Print how to reach the platform, for argo, kubectl and other clients.",
        "profile": "Store platforms under names, and switch between them.",
        "trust": "Allow this folder's settings files to decide where your token goes.",
        "completion": "Print the completion script for bash, zsh or fish.",
        "settings": "Show every setting and its origin.",
        "version": "Show the versions of client and servers, and whether they fit.",
    },
}


class LazyGroup(click.Group):
    """Knows the names and help lines of its commands without importing them, so that `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for commands in SECTIONS.values() for name in commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        with cached_bytecode("commands"):
            command = import_module(f"hera_utils.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        command.epilog = examples_text(cmd_name) or command.epilog
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0].endswith((".py", ".yaml", ".yml")) and args[0] not in self.list_commands(ctx):
            ctx.fail(f"no such command: {args[0]}. To run a script: hera-utils run {args[0]}")
        names = self.list_commands(ctx)
        if args and args[0] not in names and not args[0].startswith("-"):
            swapped = [name for name in names if sorted(name) == sorted(args[0])]  # prefers init to lint for `inti`
            near = swapped or get_close_matches(args[0], names, 1, 0.6)
            ctx.fail(f"no such command '{args[0]}'" + (f"; did you mean {near[0]}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()))


@click.group(
    cls=LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "token_normalize_func": lambda word: word.replace("_", "-"),
    },
    epilog="With nothing configured, workflows run on this machine; with an Argo server (--argo_server, ARGO_SERVER, "
    "a profile), the same script runs there."
    " NAME is a run: its name, or the beginning of it; @latest is the newest run, @latest~1 the one before.",
)
@click.version_option(package_name="hera_utils", prog_name="hera-utils")
def commands() -> None:
    """Numerical experiments as Hera scripts that run anywhere."""
