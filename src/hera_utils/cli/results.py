"""`hera-utils results`: the results of a run as a table; `hera-utils results diff`: the differences between two runs' results."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.cli.options import complete_with, name_argument, settings_options
from hera_utils.cli.terminal import print_json, print_line, print_note, symbols, table_lines, width, write_data
from hera_utils.errors import ResourceError, SettingsError
from hera_utils.terminal_text import StyledText, visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from hera_utils.results.results import Results
    from hera_utils.results.summary import Summary
    from hera_utils.results.terminal_table import Sheet
    from hera_utils.runs.script_places import ScriptPlaces
    from hera_utils.runs.whole_run import WholeRun

_FORMATS = ("text", "table", "csv", "json", "parquet", "md", "latex")
_SUFFIXES = {
    ".csv": "csv",
    ".json": "json",
    ".parquet": "parquet",
    ".txt": "text",
    ".md": "md",
    ".tex": "latex",
}


class ResultsCommand(click.Command):
    """The command `results NAME`, which is also `results diff RUN RUN`."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args[:1] == ["diff"]:
            return diff.make_context("results diff", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=ResultsCommand)
@name_argument
@click.option("--template", default=None, help="Only the tasks of this template.")
@click.option(
    "--points", "by", flag_value="points", help="One row per point of the sweep (default where there are points)."
)
@click.option("--tasks", "by", flag_value="tasks", help="One row per task.")
@click.option(
    "--mean-over",
    "over",
    metavar="AXIS",
    multiple=True,
    help="The mean of each output over the values of this axis, e.g. seed, with its standard error. May be repeated.",
)
@click.option(
    "--compare",
    metavar="AXIS[=VALUE]",
    help="How much these means differ between the values of an axis, e.g. method, from one of them (default: the first), with intervals.",
)
@click.option("--wide", is_flag=True, help="Every column, nothing abridged.")
@click.option("-o", "--output", type=click.Choice(_FORMATS), default=None, help="The output format.  [default: text]")
@click.option(
    "--to",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write into a file (.csv, .json, .parquet, .md, .tex).",
)
@settings_options
def command(
    name: str,
    template: str | None,
    over: tuple[str, ...],
    compare: str | None,
    output: str | None,
    to: Path | None,
    **flags: Any,
) -> int:
    """Show the results of a run, also while it runs: one row per point of its sweep, or one table per template.

    The columns are the inputs that differ, the outputs, status, seconds and attempts; then the failures, with the last lines of
    their logs. The formats csv, json and parquet hold every task and every value, unabridged, numbers as numbers.
    """
    from hera_utils.cli.run_names import reach_run
    from hera_utils.runs.script_places import ScriptPlaces

    by, output = flags["by"], output or _format_of(to)
    with reach_run(name) as run:
        _warn_of_missing_results(run.run)
        places = ScriptPlaces(run.run.documents)
        chosen = _select_results(
            run.results(logs=not (over or compare) and output in ("text", "table", "json")), template, by
        )
    if over or compare:
        _write_summary(_summarize(chosen, over, compare, by), output, to, wide=flags["wide"])
    elif output == "parquet":
        _parquet(lambda path: chosen.to_parquet(path, by=by), to)
    elif output == "csv":
        write_data(chosen.to_csv(by=by), to)
    elif output == "json":
        write_data(chosen.to_json(by=by), to)
    elif output in ("md", "latex"):
        from hera_utils.results.terminal_table import sheets

        several = sheets(chosen.points, chosen.tasks, by=by, wide=flags["wide"], exact=False)
        write_data("\n".join(_format_for_paper(sheet, output) for sheet in several), to)
    else:
        write_data(_format_tables(chosen, by, places, wide=flags["wide"]), to)
    return 0


@click.command("diff")
@click.argument("first", metavar="RUN", shell_complete=complete_with("runs"))
@click.argument("second", metavar="RUN", shell_complete=complete_with("runs"))
@click.option(
    "--relative",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Tolerated difference of numbers, as a fraction of the larger one.",
)
@click.option("--absolute", type=click.FloatRange(min=0), default=0.0, help="Tolerated difference of numbers.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="The output format."
)
@settings_options
def diff(first: str, second: str, relative: float, absolute: float, output: str) -> int:
    """Compare the results of two runs: points (or tasks) with the same inputs, by status, outputs and artifacts.

    The exit status is 1 when they differ. Times and attempts are not compared.
    """
    from hera_utils.cli.run_names import reach_run
    from hera_utils.results.comparison import Tolerance, compare_results

    pair = []
    for name in (first, second):
        with reach_run(name) as run:
            _warn_of_missing_results(run.run)
            pair.append(run.results())
    difference = compare_results(pair[0], pair[1], Tolerance(relative, absolute))
    if output == "json":
        print_json(difference.as_json())
    else:
        for line in difference.lines():
            print_line(line)
    return 0 if difference.equal else 1


def _warn_of_missing_results(run: WholeRun) -> None:
    """Say that results of deleted workflows which no record has kept are missing, and where the run wrote them when it ended."""
    from hera_utils.wording import counted

    if run.lost and run.folder is not None:
        there = run.folder / "results.csv"
        written = f"; what it gave when it ended is in {there}" if there.is_file() else ""
        are, them = ("are", "them") if run.lost > 1 else ("is", "it")
        gone = f"{counted(run.lost, 'workflow')} of {run.name} {are} deleted, and no record has kept {them}"
        print_note(f"hera-utils: {gone}{written}")


def _format_of(to: Path | None) -> str:
    if to is None:
        return "text"
    try:
        return _SUFFIXES[to.suffix.lower()]
    except KeyError:
        raise SettingsError(
            f"the name {to} does not say which kind of file to write",
            fix=f"end it with one of {', '.join(_SUFFIXES)}, or give --output",
        ) from None


def _select_results(results: Results, template: str | None, by: str | None) -> Results:
    if by == "points" and not results.points:
        raise ResourceError(f"{results.name} has no points: the run has no sweep", fix="leave out --points")
    if template is None:
        return results
    there = dict.fromkeys(row.template for row in results.tasks)
    if template not in there:
        raise ResourceError(
            f"no task of {results.name} ran a template `{template}`",
            fix=f"it has: {', '.join(there)}" if there else "none of its tasks has started",
        )
    return results.of_template(template)


def _format_tables(results: Results, by: str | None, places: ScriptPlaces, *, wide: bool) -> str:
    from hera_utils.cli.tables import Table
    from hera_utils.results.terminal_table import lines_of_failures, sheets

    lines: list[str] = []
    fit = not wide and width() is not None
    for number, sheet in enumerate(sheets(results.points, results.tasks, by=by, wide=wide, exact=not fit)):
        table = Table(
            sheet.header,
            sheet.lines,
            sheet.numeric,
            omitted_first=("artifacts", "peak_memory", "cpu_seconds", "attempts", "task", "seconds"),
        )
        lines += ([""] if number else []) + [
            visible(sheet.title),
            *table_lines(table, fit=fit, all_of_them="--wide, or -o csv"),
        ]
    failed = lines_of_failures(results.failures, mark=symbols().failed, is_beside=places.is_beside_script)
    return StyledText("\n".join(lines + ([""] if lines and failed else []) + failed or ["no task has started"]) + "\n")


def _summarize(results: Results, over: tuple[str, ...], compare: str | None, by: str | None) -> Summary:
    if compare is None:
        return results.mean_over(*over, by=by)
    axis, equals, reference = compare.partition("=")
    return results.compare(axis, reference=reference if equals else None, over=over, by=by)


def _write_summary(summary: Summary, output: str, to: Path | None, *, wide: bool) -> None:
    from hera_utils.cli.tables import Table

    if output == "parquet":
        _parquet(summary.to_parquet, to)
    elif output == "csv":
        write_data(summary.to_csv(), to)
    elif output == "json":
        write_data(summary.to_json(), to)
    elif output in ("md", "latex"):
        write_data(_format_for_paper(summary.sheet(), output), to)
    else:
        fit = not wide and width() is not None
        sheet = summary.sheet(exact=not fit)
        lines = table_lines(Table(sheet.header, sheet.lines, sheet.numeric), fit=fit, all_of_them="--wide, or -o csv")
        write_data(StyledText("\n".join([visible(sheet.title), *lines]) + "\n"), to)


def _format_for_paper(sheet: Sheet, output: str) -> str:
    from hera_utils.report.markdown import markdown_table
    from hera_utils.results.latex import latex_table

    return latex_table(sheet) if output == "latex" else markdown_table(sheet) + "\n"


def _parquet(write: Callable[[Path], None], to: Path | None) -> None:
    import tempfile

    if to is not None:
        write(to)
        return
    if sys.stdout.isatty():
        raise SettingsError("Parquet cannot be printed on a terminal", fix="write a file: --to results.parquet")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.parquet"
        write(path)
        sys.stdout.buffer.write(path.read_bytes())
