"""Prints text: data on stdout, notes on stderr; with colours on a terminal, plain lines in a pipe."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hera_utils.terminal_text import StyledText, cell, visible

if TYPE_CHECKING:
    from rich.console import Console

    from hera_utils.cli.tables import Paint, Table
    from hera_utils.watch.progress_text import Symbols
    from hera_utils.watch.terminal import Lines


_control = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def console(*, stderr: bool = False) -> Console:
    """A console of rich, which chooses colours and width for the terminal, and respects NO_COLOR, TERM=dumb and pipes."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def progress_console() -> Console | Lines:
    """The console for a display of progress."""
    if sys.stdout.isatty() or any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE")):
        return console()
    from hera_utils.watch.terminal import Lines

    return Lines()


def symbols() -> Symbols:
    from hera_utils.watch.progress_text import symbols_for

    return symbols_for(sys.stdout.encoding)


def print_line(text: str, *, stderr: bool = False) -> None:
    """Print a text without its control sequences; a StyledText, which has our own colours, unchanged."""
    click.echo(text if isinstance(text, StyledText) else visible(text), err=stderr)


def print_note(text: str) -> None:
    """Print on stderr what is worth knowing but is not the answer of the command."""
    print_line(text, stderr=True)


def print_fix(fix: str) -> None:
    """Below a sentence of what is wrong: what to do, on as many lines as it has."""
    first, *more = fix.splitlines()
    print_note(f"  fix: {first}")
    for line in more:
        print_note(f"       {line}")


def print_json(value: Any) -> None:
    # control characters are escaped, which is valid JSON
    click.echo(_control.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, indent=2, ensure_ascii=False)))


def print_document(value: Any, form: str) -> None:
    """form: json or yaml."""
    if form == "json":
        print_json(value)
        return
    import yaml

    print_line(yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip())


def print_data(text: str) -> None:
    """Print a whole document: unchanged in a pipe, without control sequences on a terminal."""
    cleaned = isinstance(text, StyledText) or not sys.stdout.isatty()
    click.echo(text if cleaned else visible(text), nl=False)


def write_data(text: str, to: Path | None) -> None:
    """Write a whole document to a file, or to stdout for None. Raises ResourceError if the file cannot be written."""
    if to is None:
        print_data(text)
        return
    from hera_utils.results.exports import write_and_return

    write_and_return(text, to)


def width() -> int | None:
    """The columns of the terminal; None for a pipe, in which nothing is cut."""
    return console().width if sys.stdout.isatty() else None


def table_lines(table: Table, *, fit: bool = True, all_of_them: str = "", paint: Paint | None = None) -> list[str]:
    """The lines of a table: in a pipe as wide as its cells, on a terminal no wider than that; a last line names omitted columns.

    fit: fit it to the terminal. all_of_them: the flag that shows every column. paint: (line, column, padded cell) → the cell in colours.
    """
    from hera_utils.cli.tables import Table, lay_out

    coloured = use_colour()
    header, texts = [cell(name) for name in table.header], [[cell(text) for text in line] for line in table.lines]
    table = Table(
        header, texts, table.numeric, [cell(name) for name in table.omitted_first], [cell(name) for name in table.whole]
    )
    rows, kept, omitted = lay_out(table, width() if fit else None, symbols().more)
    lines: list[str] = []
    for number, cells in enumerate(rows):
        if number and coloured and paint is not None:
            cells = [paint(number - 1, column, text) for column, text in zip(kept, cells, strict=True)]
        text = "  ".join(cells).rstrip()
        lines.append(StyledText(click.style(text, dim=True) if number == 0 and coloured else text))
    if omitted:
        more = f"; all of them: {all_of_them}" if all_of_them else ""
        lines.append(f"{symbols().more} no room for: {', '.join(omitted)}{more}")
    return lines


def print_table(
    header: Sequence[str],
    lines: Sequence[Sequence[str]],
    numeric: Sequence[bool] = (),
    *,
    paint: Paint | None = None,
    whole: Sequence[str] = (),
) -> None:
    from hera_utils.cli.tables import Table

    for line in table_lines(Table(header, lines, numeric, whole=whole), paint=paint):
        print_line(line)


def paint_phase(phase: str, text: str) -> str:
    """A text in the colour of a phase, if colours are used."""
    from hera_utils.watch.progress_text import style_of

    style, text = style_of(phase), visible(text)
    if not use_colour():
        return text
    return StyledText(click.style(text, dim=True) if style == "dim" else click.style(text, fg=style))


def use_colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
