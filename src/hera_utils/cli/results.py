"""`hera-utils results`: what the tasks of a run were given and what they answered."""

from __future__ import annotations

import click

from hera_utils.cli.options import name_argument, output_option, settings_options


@click.command()
@name_argument
@click.option("--template", default=None, help="Only the tasks of this template.")
@output_option("csv", "json")
@settings_options
def command(name: str, template: str | None, output: str) -> int:
    """Show the tasks of a run as a table: inputs that differ, outputs, status, seconds, attempts.

    As csv and json every task and every value is there, unabridged.
    """
    from hera_utils.cli.runs import reached, run_name
    from hera_utils.cli.terminal import print_json, print_table, say
    from hera_utils.report.results import as_csv, as_json, rows, tables

    with reached() as client:
        document = client.get(run_name(client, name))
    found = tuple(row for row in rows(document) if template is None or row.template == template)
    if output == "json":
        print_json(as_json(found))
    elif output == "csv":
        click.echo(as_csv(found), nl=False)
    else:
        for number, table in enumerate(tables(found)):
            say(("\n" if number else "") + table.title)
            print_table(table.header, table.lines, table.numeric)
    return 0
