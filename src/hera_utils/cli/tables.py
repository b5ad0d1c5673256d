"""Lays out tables of texts, as wide as their cells need or to the width of a terminal: then columns are cut or left out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

NARROWEST = 8  # the width to which a column may be cut
_GAP = 2
Paint = Callable[[int, int, str], str]


@dataclass(frozen=True)
class Table:
    """header: column names; lines: as many cells each; numeric: which columns are numbers, which are right-aligned and never cut.

    omitted_first: the columns to leave out first if there is no room for all; then others from the right. whole: text columns that are
    never cut, such as names of runs, which users copy.
    """

    header: Sequence[str]
    lines: Sequence[Sequence[str]]
    numeric: Sequence[bool] = ()
    omitted_first: Sequence[str] = ()
    whole: Sequence[str] = ()

    def is_never_cut(self, index: int) -> bool:
        """Whether the column keeps its width."""
        return self.right[index] or self.header[index] in self.whole

    @property
    def right(self) -> list[bool]:
        return [index < len(self.numeric) and self.numeric[index] for index in range(len(self.header))]


def lay_out(table: Table, width: int | None = None, more: str = "…") -> tuple[list[list[str]], list[int], list[str]]:
    """(the padded cells of the header and of each line; the indices of their columns; the names of the columns that are left out)."""
    from rich.cells import cell_len

    columns = [[name, *(line[index] for line in table.lines)] for index, name in enumerate(table.header)]
    widths = [max(map(cell_len, column)) for column in columns]
    visible = list(range(len(columns)))
    omitted: list[str] = []
    if width is not None:
        while len(visible) > 1 and sum(_least(table, widths, index) + _GAP for index in visible) - _GAP > width:
            index = _next_column_to_omit(table, visible)
            visible.remove(index)
            omitted.append(table.header[index])
        _shrink_columns(table, widths, visible, width)
    lines = [
        [_fit_cell(columns[index][row], widths[index], more, right=table.right[index]) for index in visible]
        for row in range(len(table.lines) + 1)
    ]
    return lines, visible, [name for name in table.header if name in omitted]


def _least(table: Table, widths: Sequence[int], index: int) -> int:
    return widths[index] if table.is_never_cut(index) else min(widths[index], NARROWEST)


def _next_column_to_omit(table: Table, visible: Sequence[int]) -> int:
    for name in table.omitted_first:
        if name in table.header and table.header.index(name) in visible[1:]:
            return table.header.index(name)
    return visible[-1]


def _shrink_columns(table: Table, widths: list[int], visible: Sequence[int], width: int) -> None:
    """Makes the widest text columns narrower until all columns fit."""
    while sum(widths[index] + _GAP for index in visible) - _GAP > width:
        widest = max(
            (index for index in visible if not table.is_never_cut(index)), key=lambda index: widths[index], default=None
        )
        if widest is None or widths[widest] <= NARROWEST:
            widest = max(visible, key=lambda index: widths[index])
        if widths[widest] <= 1:
            return
        widths[widest] -= 1


def _fit_cell(cell: str, width: int, more: str, *, right: bool) -> str:
    from rich.cells import cell_len, set_cell_size

    if cell_len(cell) > width:
        cell = set_cell_size(cell, max(0, width - cell_len(more))) + more
    padding = " " * (width - cell_len(cell))
    return padding + cell if right else cell + padding
