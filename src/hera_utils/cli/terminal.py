"""Where text goes: one console for stdout, one for stderr; rich on a terminal, plain lines in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

    from hera_utils.watch.display import Symbols


def console(*, stderr: bool = False) -> Console:
    """Colours and widths follow the terminal; NO_COLOR, TERM=dumb and pipes are respected (by rich)."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def symbols() -> Symbols:
    from hera_utils.watch.display import symbols_for

    return symbols_for(sys.stdout.encoding)


def say(text: str, *, stderr: bool = False) -> None:
    click.echo(text, err=stderr)


def note(text: str) -> None:
    """Something worth knowing that was not asked for: on stderr."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def table_lines(header: Sequence[str], lines: Sequence[Sequence[str]], numeric: Sequence[bool] = ()) -> list[str]:
    """Columns as wide as their widest cell, never cut: a pipe must get everything. Header dimmed on a terminal."""
    from rich.cells import cell_len

    columns = list(zip(header, *lines, strict=True)) if lines else [(name,) for name in header]
    widths = [max(map(cell_len, column)) for column in columns]
    right = [index < len(numeric) and numeric[index] for index in range(len(header))]
    dim = use_colour()
    told = []
    for number, line in enumerate((header, *lines)):
        cells = []
        for index, cell in enumerate(line):
            padding = " " * (widths[index] - cell_len(cell))
            cells.append(padding + cell if right[index] else cell + padding)
        text = "  ".join(cells).rstrip()
        told.append(click.style(text, dim=True) if number == 0 and dim else text)
    return told


def print_table(header: Sequence[str], lines: Sequence[Sequence[str]], numeric: Sequence[bool] = ()) -> None:
    for line in table_lines(header, lines, numeric):
        click.echo(line)


def use_colour(stream: Any = None) -> bool:
    import os

    return (stream or sys.stdout).isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
