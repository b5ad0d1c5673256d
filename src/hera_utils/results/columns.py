"""Columns of results, typed. Argo knows texts only: the type of a column follows from all of its values together. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

Kind = Literal["integer", "number", "boolean", "text"]
Role = Literal["key", "input", "output", "artifact", "measure"]

# 007 is a name, and a number of more than 18 digits would lose some of them
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*|(?=[eE]))|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NOT_FINITE = {
    "nan": float("nan"), "inf": float("inf"), "+inf": float("inf"), "-inf": float("-inf"),
    "infinity": float("inf"), "-infinity": float("-inf"),
}  # fmt: skip
_TRUTHS = {"true": True, "false": False}


@dataclass(frozen=True)
class Column:
    """One column with its original cells (texts, or the typed values of the record); an empty cell is None.

    nones: the rows of an axis in which None is the value; in the other empty cells the point has no such axis.
    """

    name: str
    role: Role
    cells: tuple[Any, ...]
    nones: frozenset[int] = frozenset()

    @cached_property
    def kind(self) -> Kind:
        return kind_of(self.cells)

    @cached_property
    def values(self) -> tuple[Any, ...]:
        """The cells converted to the column's kind: int, float, bool or str; an empty cell is None."""
        return tuple(convert_cell(cell, self.kind) for cell in self.cells)

    @property
    def numeric(self) -> bool:
        return self.kind in ("integer", "number")

    def at_rows(self, rows: Sequence[int]) -> Column:
        """The column with only these rows, in this order."""
        nones = frozenset(place for place, row in enumerate(rows) if row in self.nones)
        return Column(self.name, self.role, tuple(self.cells[row] for row in rows), nones)

    def for_readers(self) -> Column:
        """The column with the word None where None is the value: then it is a column of texts. (Programs use `cells`.)"""
        if not self.nones:
            return self
        texts = ("None" if row in self.nones else cell for row, cell in enumerate(self.cells))
        return Column(self.name, self.role, tuple(None if text is None else cell_text(text) for text in texts))


@dataclass(frozen=True)
class ResultTable:
    """Columns of the same length. title: what its rows are."""

    title: str
    columns: tuple[Column, ...]

    def __len__(self) -> int:
        return len(self.columns[0].cells) if self.columns else 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def by_role(self, *roles: Role) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if column.role in roles)

    def for_readers(self) -> ResultTable:
        return ResultTable(self.title, tuple(column.for_readers() for column in self.columns))

    def lines(self) -> Iterable[tuple[Any, ...]]:
        return zip(*(column.cells for column in self.columns), strict=True)


def kind_of(cells: Iterable[Any]) -> Kind:
    """The kind of a column: integer, number or boolean where every cell is one, else text. Empty cells do not count."""
    kinds: set[Kind] = set()
    for cell in cells:
        if cell is None or cell == "":
            continue
        kinds.add(_kind(cell))
        if "text" in kinds or len(kinds) == 2 and "boolean" in kinds:
            return "text"
    return kinds.pop() if len(kinds) == 1 else "number" if kinds else "text"


def cell_text(cell: Any) -> str:
    """A cell that is not empty, as a text: 2.0 stays `2.0`, a list or a mapping is JSON as the task was given it."""
    if isinstance(cell, list | dict):
        return json.dumps(cell, ensure_ascii=False)
    return str(cell)


def convert_cell(cell: Any, kind: Kind) -> Any:
    if cell is None or (cell == "" and kind != "text"):
        return None
    if not isinstance(cell, str):
        return float(cell) if kind == "number" else cell_text(cell) if kind == "text" else cell
    if kind == "integer":
        return int(cell)
    if kind == "number":
        return _NOT_FINITE[cell.lower()] if cell.lower() in _NOT_FINITE else float(cell)
    if kind == "boolean":
        return _TRUTHS[cell.lower()]
    return cell


def _kind(cell: Any) -> Kind:
    if isinstance(cell, bool):
        return "boolean"
    if isinstance(cell, int):
        return "integer" if abs(cell) < 10**18 else "number"
    if isinstance(cell, float):
        return "number"
    if not isinstance(cell, str):
        return "text"
    if _INTEGER.fullmatch(cell):
        return "integer"
    if _NUMBER.fullmatch(cell) or cell.lower() in _NOT_FINITE:
        return "number"
    return "boolean" if cell.lower() in _TRUTHS else "text"
