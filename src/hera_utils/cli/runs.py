"""`hera-utils runs`: searches the runs of all experiments by inputs, outputs, tags and facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from hera_utils.cli.options import settings_options
from hera_utils.cli.terminal import print_line, print_note
from hera_utils.wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hera_utils.runs.comparison_table import ComparisonTable
    from hera_utils.runs.conditions import RunMatch

_USUAL = ("status", "created", "points", "tag", "name")
_FORMATS = ("text", "name", "csv", "json")


@click.command()
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="CONDITION",
    help="Only runs with this, e.g. vintages=2009, 'nu<0.1', status=Failed, tag=paper, note~mesh. May be repeated: all must hold.",
)
@click.option(
    "--columns",
    default="",
    metavar="NAMES",
    help="What is shown, e.g. 'vintages,max(mean),commit'.  [default: status…]",
)
@click.option("--points", is_flag=True, help="One line per point that was found, with its inputs and outputs.")
@click.option("--limit", type=click.IntRange(min=1), default=None, help="At most N runs, the newest first.")
@click.option("-o", "--output", type=click.Choice(_FORMATS), default="text", help="The output format.  [default: text]")
@settings_options
def command(conditions: tuple[str, ...], columns: str, points: bool, limit: int | None, output: str) -> int:
    """Search the runs: of this folder, of every script that recorded runs on this machine, and those of the platform.

    A condition is NAME=VALUE, or with != < <= > >= ~ (contains) in place of the =. NAME is an input, an output, or one of: run, status,
    experiment, script, arguments, platform, namespace, created, ended, seconds, points, name, note, tag, commit, branch, python,
    hera, hera_utils. `inputs.NAME` and `outputs.NAME` tell two of the same name apart.
    """
    from hera_utils.cli.run_catalogue import all_entries, write_table
    from hera_utils.runs.conditions import Condition, check_columns, search_entries

    parsed = [Condition.parse(condition) for condition in conditions]
    entries = all_entries()
    # the column `run` is always there
    chosen = [name for column in columns.split(",") if (name := column.strip()) not in ("", "run")]
    check_columns(chosen, entries)
    matches = search_entries(entries, parsed)[:limit]
    if output == "name":
        for match in matches:
            print_line(match.entry.name)
        return 0
    table = (_table_of_points if points else _table_of_runs)(matches, chosen)
    if table.lines or output != "text":
        write_table(table, output)
    else:
        print_note(
            "no runs are recorded here"
            if not entries
            else f"none of {counted(len(entries), 'run')} satisfies {' and '.join(conditions)}"
        )
    return 0


def _table_of_runs(matches: Sequence[RunMatch], chosen: Sequence[str]) -> ComparisonTable:
    from hera_utils.runs.comparison_table import ComparisonTable
    from hera_utils.runs.conditions import cell

    names = list(chosen) or [name for name in _USUAL if any(cell(match, name) for match in matches)]
    return ComparisonTable(
        ("run", *names), tuple((match.entry.name, *(cell(match, name) for name in names)) for match in matches)
    )


def _table_of_points(matches: Sequence[RunMatch], chosen: Sequence[str]) -> ComparisonTable:
    from hera_utils.runs.comparison_table import ComparisonTable
    from hera_utils.runs.conditions import RunMatch, cell, short_names

    axes, outputs = short_names([match.entry for match in matches])
    names = list(chosen) or [*axes, *outputs]
    lines = [
        (match.entry.name, *(cell(RunMatch(match.entry, (row,)), name) for name in names))
        for match in matches
        for row in match.points
    ]
    return ComparisonTable(("run", *names), tuple(lines))
