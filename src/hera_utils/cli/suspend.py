"""`hera-utils suspend`: prevents a run from starting more tasks."""

from __future__ import annotations

import click

from hera_utils.cli.options import complete_with, settings_options
from hera_utils.cli.run_actions import act_on_run


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_with("runs", "stored"))
@settings_options
def command(name: str) -> int:
    """Suspend a run: it starts no more tasks until it is resumed; running tasks continue.

    A cron workflow (NAME, or cronwf/NAME) starts no more runs.
    """
    return act_on_run(name, "suspend", "is suspended; resume it with: hera-utils resume NAME")
