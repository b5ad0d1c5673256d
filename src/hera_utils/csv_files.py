"""Reads CSV files with long cells: an output parameter may have 256 KiB, and Python's csv module accepts 128 KiB by default."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _csv import Reader

_LONGEST_CELL = 16 * 1024 * 1024


def csv_lines(text: Iterable[str], *, delimiter: str = ",") -> Reader:
    """The lines of a file as lists of cells. Raises csv.Error while they are read."""
    _accept_long_cells()
    return csv.reader(text, delimiter=delimiter)


def csv_rows(text: Iterable[str]) -> csv.DictReader[str]:
    """The lines after the first one, each as column → cell. Raises csv.Error while they are read."""
    _accept_long_cells()
    return csv.DictReader(text)


def _accept_long_cells() -> None:
    # the limit belongs to the whole process, so it is only ever raised
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
