"""`hera-utils watch`: follow a run until it ends."""

from __future__ import annotations

import click

from hera_utils.cli.options import name_argument, settings_options


@click.command()
@name_argument
@settings_options
def command(name: str) -> int:
    """Follow a run until it ends; the exit status is 0 only when it succeeded.

    Ctrl-C leaves the run alone.
    """
    from hera_utils.cli.runs import follow_names, follow_to_end, reached, workflows_of

    with reached() as client:
        names = workflows_of(client, name)
        return follow_to_end(client, names[0]) if len(names) == 1 else follow_names(client, names)
