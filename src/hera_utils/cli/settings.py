"""`hera-utils settings`: each value and who gave it."""

from __future__ import annotations

import click

from hera_utils.cli.options import context, output_option, settings_options


@click.command()
@settings_options
@output_option("json")
def command(output: str) -> int:
    """Show every setting, its value and who gave it (secrets are masked).

    A value comes from the first that gives it: a flag, an environment variable, the file $ARGOCONFIG, ./hera.config,
    ./hera-utils.toml, ~/hera.config, the user's profile, the script, a default.
    """
    from hera_utils.cli.terminal import print_json, print_table

    rows = context().rows()
    if output == "json":
        print_json([{"name": row.name, "value": row.value, "origin": row.origin, "help": row.help} for row in rows])
    else:
        print_table(("setting", "value", "given by"), [(row.name, row.value, row.origin) for row in rows])
    return 0
