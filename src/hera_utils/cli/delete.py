"""`hera-utils delete`: delete runs."""

from __future__ import annotations

import click

from hera_utils.cli.options import settings_options


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@settings_options
def command(names: tuple[str, ...]) -> int:
    """Delete runs with their logs and artifacts; a run that is still going is ended first. Files on claims remain."""
    from hera_utils.cli.run_names import chosen_run, reached, workflows_of
    from hera_utils.cli.terminal import say

    with reached() as client:
        runs = dict.fromkeys(chosen_run(client, name, whole=True) for name in names)  # all of them, before one is gone
        for workflow in dict.fromkeys(one for run in runs for one in workflows_of(client, run)):
            client.delete(workflow)
            say(f"{workflow} deleted")
    return 0
