"""`hera-utils delete`: deletes runs, and stored templates and cron workflows."""

from __future__ import annotations

import click

from hera_utils.cli.options import complete_with, settings_options
from hera_utils.cli.terminal import print_line


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_with("runs", "stored"))
@settings_options
def command(names: tuple[str, ...]) -> int:
    """Delete runs with their logs and artifacts; a run that is still going is ended first. Files on claims remain, and
    where the run is recorded its results.

    A cron workflow is named by its name or as cronwf/NAME, and takes its runs with it; a stored template as workflowtemplate/NAME.
    """
    from hera_utils.cli.deletion import keep_and_delete
    from hera_utils.cli.platform_runs import workflows_of
    from hera_utils.cli.run_names import choose_run, connect_client
    from hera_utils.cli.stored_template import find_stored_object

    with connect_client() as client:
        # look up all names first: a wrong name must be found before anything is deleted
        stored_by = {name: find_stored_object(client, name) for name in names}
        runs = dict.fromkeys(
            choose_run(client, name, whole=True) for name, stored in stored_by.items() if stored is None
        )
        for workflow in dict.fromkeys(name for run in runs for name in workflows_of(client, run)):
            keep_and_delete(client, workflow)
            print_line(f"{workflow} deleted")
        for reference, stored in {str(stored): stored for stored in stored_by.values() if stored is not None}.items():
            client.delete_template(stored.kind, stored.name)
            print_line(f"{reference} deleted" + ("; its runs go with it" if stored.kind == "CronWorkflow" else ""))
    return 0
