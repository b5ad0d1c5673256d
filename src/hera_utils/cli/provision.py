"""`hera-utils provision`: creates what an experiment's environment describes, or shows what would change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import context, output_option, settings_options
from hera_utils.cli.terminal import print_json, print_line

if TYPE_CHECKING:
    from hera_utils.platforms.provision import Change

Json = dict[str, Any]


@click.command()
@click.argument("experiment", metavar="EXPERIMENT.py", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the difference, and change nothing.")
@click.option("--force", is_flag=True, help="Take over fields that others have set to other values.")
@output_option("json")
@settings_options
def command(experiment: Path, dry_run: bool, force: bool, output: str) -> int:
    """Create the claims, config maps, secrets, account and role that an experiment describes. Running it twice changes nothing more.

    Objects that hera-utils did not create are left unchanged. Values of secrets are never shown. The exit status of --dry-run is 1
    when a conflict prevents it.
    """
    from hera_utils.cli.experiments import environment_and_cluster
    from hera_utils.platforms.provision import plan_changes, provision

    settings = context()
    environment, cluster = environment_and_cluster(experiment, settings)
    where: Json = {"state": settings.state, "folders": settings.volumes, "force": force}
    planned = plan_changes(cluster, environment, **where)
    if not dry_run:
        provision(cluster, environment, **where)
    if output == "json":
        print_json(
            {
                "namespace": cluster.namespace,
                "dry_run": dry_run,
                "changes": [_change_as_json(change) for change in planned],
            }
        )
    else:
        for change in planned:
            for line in change.lines() if dry_run else [change.done()]:
                print_line(line)
        print_line(_summary(planned, dry_run, cluster.namespace))
    return int(any(change.blocks for change in planned))


def _change_as_json(change: Change) -> Json:
    fields = [{"path": field.path, "before": field.before, "after": field.after} for field in change.fields]
    return {
        "kind": change.declared.kind,
        "name": change.declared.name,
        "action": change.action,
        "fields": fields,
        "note": change.note,
        "where": change.where,
    }


def _summary(planned: list[Change], dry_run: bool, namespace: str) -> str:
    created = sum(change.action == "create" for change in planned)
    changed = sum(change.action == "change" for change in planned)
    blocked = sum(change.blocks for change in planned)
    if not planned:
        return "the experiment's environment describes nothing to provision"
    be = "to be " if dry_run else ""
    summary = f"{created} {be}created, {changed} {be}changed, {len(planned) - created - changed - blocked} unchanged"
    return f"namespace {namespace}: {summary}" + (f", {blocked} cannot be" if blocked else "")
