"""`hera-utils delete`: delete runs."""

from __future__ import annotations

import click

from hera_utils.cli.options import settings_options


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@settings_options
def command(names: tuple[str, ...]) -> int:
    """Delete runs with their logs and artifacts; a run that is still going is ended first. Files on claims remain."""
    from hera_utils.cli.run_names import reached, workflows_of
    from hera_utils.cli.terminal import say

    with reached() as client:
        for name in names:
            for found in workflows_of(client, name):
                client.delete(found)
                say(f"{found} deleted")
    return 0
