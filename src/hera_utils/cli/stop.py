"""`hera-utils stop`: ends a run; its exit handlers still run."""

from __future__ import annotations

import click

from hera_utils.cli.options import name_argument, settings_options
from hera_utils.cli.run_actions import act_on_run, watch_option


@click.command()
@name_argument
@click.option(
    "--node-field-selector",
    default="",
    metavar="SELECTOR",
    help="Only these suspended tasks, e.g. displayName=approve.",
)
@click.option("--message", default="", help="The reason; it becomes the message of those suspended tasks.")
@watch_option
@settings_options
def command(name: str, message: str, node_field_selector: str, watch: bool) -> int:
    """Stop a run: its running tasks are ended, no others start, its exit handlers still run."""
    if message and not node_field_selector:
        raise click.UsageError(
            "--message says why suspended tasks are stopped: name them with --node-field-selector (Argo keeps none of a whole run)"
        )
    body = {"message": message, "nodeFieldSelector": node_field_selector}
    return act_on_run(
        name, "stop", "is being stopped", {key: value for key, value in body.items() if value}, watch=watch
    )
