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
    from hera_utils.cli.terminal import note, print_json, print_table
    from hera_utils.settings.sources import Surroundings, foreign_files
    from hera_utils.settings.trust import Untrusted, concerns, refuse_untrusted

    settings, around = context(check_trust=False), Surroundings()
    rows = settings.rows()
    if output == "json":
        print_json([{"name": row.name, "value": row.value, "origin": row.origin, "help": row.help} for row in rows])
    else:
        print_table(("setting", "value", "given by"), [(row.name, row.value, row.origin) for row in rows])
    try:
        refuse_untrusted(concerns(settings, foreign_files(around)), around.user_folder)
    except Untrusted as untrusted:
        note(f"! {untrusted}: other commands refuse that\n  fix: {untrusted.fix}")
    return 0
