"""`hera-utils terminate`: ends a run at once, without exit handlers."""

from __future__ import annotations

import click

from hera_utils.cli.options import name_argument, settings_options
from hera_utils.cli.run_actions import act_on_run, watch_option


@click.command()
@name_argument
@watch_option
@settings_options
def command(name: str, watch: bool) -> int:
    """Terminate a run: its running tasks are ended at once, nothing else starts, not even exit handlers."""
    return act_on_run(name, "terminate", "is being terminated", watch=watch)
