"""`hera-utils release`: removes what provisioning created of an experiment's environment, and nothing else."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from hera_utils.cli.options import context, output_option, settings_options
from hera_utils.cli.terminal import print_json, print_line, print_note


@click.command()
@click.argument("experiment", metavar="EXPERIMENT.py", type=click.Path(path_type=Path))
@click.option("--with-data", is_flag=True, help="Remove claims as well, with their data.")
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@output_option("json")
@settings_options
def command(experiment: Path, with_data: bool, dry_run: bool, output: str) -> int:
    """Remove what `hera-utils provision` created for an experiment.

    Objects that others created or provisioned too remain; a claim holds data and remains unless --with-data is given.
    """
    from hera_utils.cli.experiments import environment_and_cluster
    from hera_utils.platforms.provision import release

    environment, cluster = environment_and_cluster(experiment, context())
    outcomes = release(cluster, environment, with_data=with_data, dry_run=dry_run)
    if output == "json":
        print_json(
            {"namespace": cluster.namespace, "dry_run": dry_run, "objects": [asdict(released) for released in outcomes]}
        )
        return 0
    for released in outcomes:
        print_line(released.line(dry_run=dry_run))
    if dry_run:
        print_note("nothing was removed (--dry-run)")
    return 0
