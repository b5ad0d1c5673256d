"""`hera-utils watch`: follow a run until it ends."""

from __future__ import annotations

import click

from hera_utils.cli.options import name_argument, settings_options, timeout_option


@click.command()
@name_argument
@timeout_option
@settings_options
def command(name: str) -> int:
    """Follow a run until it ends; the exit status is 0 only when it succeeded.

    A run of an experiment ends with its last workflow, gather included. What its script has not submitted is awaited while the script
    lives; where it does not, that is said, and the status is 1. Ctrl-C leaves the run alone.
    """
    from hera_utils.cli.following import follow_run
    from hera_utils.cli.runs import reached

    with reached() as client:
        return follow_run(client, name)
