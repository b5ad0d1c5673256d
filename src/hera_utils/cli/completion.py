"""`hera-utils completion`: what a shell needs to complete our command lines."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> int:
    """Print the script with which SHELL completes commands, flags and the names of runs.

    \b
    bash:  hera-utils completion bash >> ~/.bashrc
    zsh:   hera-utils completion zsh >> ~/.zshrc
    fish:  hera-utils completion fish > ~/.config/fish/completions/hera-utils.fish
    """
    from click.shell_completion import get_completion_class

    from hera_utils.cli.commands import commands
    from hera_utils.cli.terminal import say

    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    complete = kind(commands, {}, "hera-utils", "_HERA_UTILS_COMPLETE")
    say(complete.source_template % complete.source_vars())
    return 0


def runs_beginning(incomplete: str) -> list[str]:
    """The names of runs that begin so: @latest, and those that are recorded in this folder. No server is asked."""
    from pathlib import Path

    names = ["@latest", *sorted(record.parent.name for record in Path("runs").glob("*/run.json"))]
    return [name for name in names if name.startswith(incomplete) and name.isprintable()]
