"""`hera-utils resume`: resumes a suspended run, task or cron workflow."""

from __future__ import annotations

import click

from hera_utils.cli.options import complete_with, settings_options
from hera_utils.cli.run_actions import act_on_run, watch_option


@click.command()
@click.argument("name", metavar="NAME", shell_complete=complete_with("runs", "stored"))
@click.option(
    "--node-field-selector",
    default="",
    metavar="SELECTOR",
    help="Only these suspended tasks, e.g. displayName=approve.",
)
@watch_option
@settings_options
def command(name: str, node_field_selector: str, watch: bool) -> int:
    """Resume a suspended run, or the suspended tasks of a run; or a suspended cron workflow (NAME, or cronwf/NAME)."""
    body = {"nodeFieldSelector": node_field_selector} if node_field_selector else None
    return act_on_run(name, "resume", "continues", body, watch=watch)
