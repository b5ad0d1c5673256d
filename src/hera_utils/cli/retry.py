"""`hera-utils retry`: run the failed tasks of a run again."""

from __future__ import annotations

from typing import Any

import click

from hera_utils.cli.options import name_argument, settings_options
from hera_utils.cli.runs import act_on, watch_option


@click.command()
@name_argument
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter to change.")
@click.option("--restart-successful", is_flag=True, help="Run tasks that succeeded again too (those of the selector).")
@click.option(
    "--node-field-selector", default="", metavar="SELECTOR", help="Which tasks to restart, e.g. displayName=collect."
)
@watch_option
@settings_options
def command(
    name: str, parameters: tuple[str, ...], restart_successful: bool, node_field_selector: str, watch: bool
) -> int:
    """Run the failed tasks of a failed run again, in place; what succeeded is kept."""
    body: dict[str, Any] = {}
    if parameters:
        body["parameters"] = list(parameters)
    if restart_successful:
        body["restartSuccessful"] = True
    if node_field_selector:
        body["nodeFieldSelector"] = node_field_selector
    return act_on(name, "retry", "runs again", body, watch=watch)
