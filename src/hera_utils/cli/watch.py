"""`hera-utils watch`: follows a run until it ends."""

from __future__ import annotations

import click

from hera_utils.cli.options import name_argument, settings_options, timeout_option


@click.command()
@name_argument
@timeout_option
@settings_options
def command(name: str) -> int:
    """Follow a run until it ends; the exit status is 0 only when it succeeded.

    A run of an experiment ends with its last workflow, gather included. Workflows not submitted yet are awaited while the script
    is running; otherwise that is reported, and the status is 1. Ctrl-C does not end the run.
    """
    from hera_utils.cli.following import follow_run
    from hera_utils.cli.run_names import connect_client

    with connect_client() as client:
        return follow_run(client, name)
