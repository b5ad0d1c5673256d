"""`hera-utils settings`: shows the value of each setting and where it comes from."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hera_utils.cli.options import context, output_option, settings_options
from hera_utils.cli.terminal import print_json, print_line, print_note, print_table, width

if TYPE_CHECKING:
    from hera_utils.settings.resolve import Row


@click.command()
@output_option("json")
@partial(settings_options, listed=True)
def command(output: str) -> int:
    """Show every setting, its value and its origin (secrets are masked).

    The first of these that gives a value wins: a flag, an environment variable, the file $ARGOCONFIG, ./hera.config,
    ./hera-utils.toml, ~/hera.config, the user's profile, the script, a default.

    The flags below work with every command, and with every script that uses hera_utils; `-` may be written for `_`. In brackets:
    the environment variables that mean the same.
    """
    from hera_utils.settings.sources import Surroundings, foreign_files
    from hera_utils.settings.trust import Untrusted, find_concerns, refuse_untrusted

    settings, around = context(check_trust=False), Surroundings()
    rows = settings.rows()
    if output == "json":
        print_json([{"name": row.name, "value": row.value, "origin": row.origin, "help": row.help} for row in rows])
    else:
        _print_settings(rows)
    try:
        refuse_untrusted(find_concerns(settings, foreign_files(around)), around.user_folder)
    except Untrusted as untrusted:
        print_note(f"! {untrusted}: other commands refuse that\n  fix: {untrusted.fix}")
    return 0


def _print_settings(rows: list[Row]) -> None:
    """On a terminal print the settings that have a value, with `~` for the home folder; in a pipe all of them, unchanged."""
    header = ("setting", "value", "origin")
    if width() is None:
        print_table(header, [(row.name, row.value, row.origin) for row in rows])
        return
    home, given = f"{Path.home()}/", [row for row in rows if row.value]
    lines = [(row.name, row.value.replace(home, "~/"), row.origin.replace(home, "~/")) for row in given]
    print_table(header, lines)
    if len(given) < len(rows):
        print_line(f"and {len(rows) - len(given)} without a value (show all: hera-utils settings -o json)")
