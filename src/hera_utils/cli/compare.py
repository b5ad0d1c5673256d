"""`hera-utils compare`: several runs side by side, with their results and only the facts that differ."""

from __future__ import annotations

from pathlib import Path

import click

from hera_utils.cli.options import complete_with, settings_options
from hera_utils.cli.terminal import print_note, write_data
from hera_utils.errors import SettingsError

_FORMATS = ("text", "csv", "json", "html")
_SUFFIXES = {".csv": "csv", ".json": "json", ".html": "html", ".htm": "html", ".txt": "text"}


@click.command()
@click.argument("names", metavar="RUN...", nargs=-1, shell_complete=complete_with("runs"))
@click.option(
    "--where", "conditions", multiple=True, metavar="CONDITION", help="The runs with this, as in `hera-utils runs`."
)
@click.option(
    "--columns", default="", metavar="NAMES", help="The results that are shown, e.g. 'min(error),max(error)'."
)
@click.option("--points", is_flag=True, help="One line per point, with the outputs of every run beside each other.")
@click.option("-o", "--output", type=click.Choice(_FORMATS), default=None, help="The output format.  [default: text]")
@click.option(
    "--to",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write into a file (.csv, .json, .html).",
)
@settings_options
def command(
    names: tuple[str, ...], conditions: tuple[str, ...], columns: str, points: bool, output: str | None, to: Path | None
) -> int:
    """Compare recorded runs: a line per run, with only the inputs, code, images, packages and platform that differ, and the results.

    An output of several points is shown as its mean; --columns takes min, max, mean, median, std, sum and count. For a comparison of two
    runs value by value: hera-utils results diff RUN RUN.
    """
    from hera_utils.cli.run_catalogue import entries_of, recorded_entries, write_table
    from hera_utils.report.comparison_html import comparison_page
    from hera_utils.runs.comparison_table import table_of_points, table_of_runs
    from hera_utils.runs.conditions import Condition, search_entries

    form = output or (_SUFFIXES.get(to.suffix.lower(), "csv") if to is not None else "text")
    entries = list({entry.name: entry for entry in entries_of(names)}.values())
    if conditions:
        more = [
            match.entry
            for match in search_entries(recorded_entries(), [Condition.parse(condition) for condition in conditions])
        ]
        entries += [entry for entry in more if entry.name not in {known_entry.name for known_entry in entries}]
    if len(entries) < 2:
        raise SettingsError(
            f"a comparison needs two runs or more, and {'only one is' if entries else 'none are'} named",
            fix="name runs, or give --where; list them with: hera-utils runs",
        )
    chosen = [name.strip() for name in columns.split(",") if name.strip()]
    table = (table_of_points if points else table_of_runs)(entries, chosen)
    if form == "html":
        write_data(comparison_page(table, [entry.name for entry in entries]), to)
        return 0
    write_table(table, "csv" if form == "text" and to is not None else form, to)
    if table.code and form == "text":
        print_note(f"files of the script that differ: {', '.join(table.code)}")
    return 0
