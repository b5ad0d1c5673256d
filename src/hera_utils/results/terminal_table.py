"""Results for a reader at a terminal: the inputs in which rows differ, outputs, status; long cells are cut. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hera_utils.error_lines import error_line, with_error_line
from hera_utils.results.columns import Column, ResultTable, cell_text
from hera_utils.results.point_results import PointResult
from hera_utils.results.tables import point_table, task_table
from hera_utils.results.task_results import TaskResult
from hera_utils.runs.failure_summary import FailureEntry, group_equal_failures, grouped_lines
from hera_utils.spans import size_in_words

LONGEST_CELL = 48
_DIGITS = 6  # significant digits of a number in a terminal
_SHORT = 10
_COLUMNS_BY_DEFAULT = ("status", "seconds", "attempts")
_COLUMNS_OF_TASKS_BY_DEFAULT = (*_COLUMNS_BY_DEFAULT, "cpu_seconds", "peak_memory")


@dataclass(frozen=True)
class Sheet:
    """A table of texts. header: column names; lines: rows of cells; numeric: which columns contain only numbers."""

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def sheets(
    points: Sequence[PointResult],
    tasks: Sequence[TaskResult],
    *,
    by: str | None = None,
    wide: bool = False,
    exact: bool = True,
) -> tuple[Sheet, ...]:
    """The points in one sheet, and the tasks without a point in others; or the tasks, a sheet per template.

    by: "points" or "tasks"; by default the points where there are any. wide: every column, uncut. exact: numbers as the tasks wrote
    them, else with six digits.
    """
    exact = exact or wide
    if by == "points" or (by is None and points):
        others = [row for row in tasks if not row.point] if by is None else []
        sheet = _sheet(point_table(points).for_readers(), "points", wide=wide, exact=exact)
        return (sheet, *_tables_by_template(others, wide=wide, exact=exact))
    return _tables_by_template(tasks, wide=wide, exact=exact, with_points=bool(points))


def _tables_by_template(
    tasks: Sequence[TaskResult], *, wide: bool, exact: bool, with_points: bool = False
) -> tuple[Sheet, ...]:
    members: dict[str, list[TaskResult]] = {}
    for row in tasks:
        members.setdefault(row.template, []).append(row)
    return tuple(
        _sheet(task_table(rows, with_points=with_points), template, wide=wide, exact=exact)
        for template, rows in members.items()
    )


def _sheet(table: ResultTable, title: str, *, wide: bool, exact: bool) -> Sheet:
    columns = [column for column in table.columns if wide or _is_informative(column, table)]
    if not wide and table.title == "tasks" and not _are_rows_distinct(columns):
        columns.insert(0, table.column("task"))
    if not wide and table.title == "points" and not any(column.role == "input" for column in columns):
        columns.insert(0, table.column("point"))
    numeric = tuple(column.numeric for column in columns)
    cells = [texts(column, wide=wide, exact=exact) for column in columns]
    return Sheet(title, tuple(column.name for column in columns), tuple(zip(*cells, strict=True)), numeric)


def _is_informative(column: Column, table: ResultTable) -> bool:
    """Whether a column tells the reader something: an input that differs, an output, an artifact, the status."""
    if column.role == "input":
        return table.title == "points" or len(set(column.cells)) > 1
    if column.role == "output":
        return any(cell not in (None, "") for cell in column.cells)
    return column.role == "artifact" or column.name in (
        _COLUMNS_OF_TASKS_BY_DEFAULT if table.title == "tasks" else _COLUMNS_BY_DEFAULT
    )


def _are_rows_distinct(columns: Sequence[Column]) -> bool:
    inputs = [column.cells for column in columns if column.role == "input"]
    return bool(inputs) and len(set(zip(*inputs, strict=True))) == len(inputs[0])


def texts(column: Column, *, wide: bool, exact: bool) -> tuple[str, ...]:
    """The cells of a column as a reader sees them."""
    if column.kind == "number" and not exact and column.role != "measure":
        pairs = zip(column.cells, column.values, strict=True)
        return tuple("" if value is None else _shorten_number(str(cell), value) for cell, value in pairs)
    return tuple(_text(cell, column.name, wide=wide) for cell in column.cells)


def _text(cell: Any, name: str, *, wide: bool) -> str:
    if cell is None:
        return ""
    if name in ("seconds", "cpu_seconds"):
        return number(cell)
    if name == "peak_memory" and not wide:
        return size_in_words(cell)
    words = (
        ", ".join(f"{key}={cell_text(item)}" for key, item in cell.items())
        if isinstance(cell, dict)
        else cell_text(cell)
    )
    line = as_printable(" ".join(words.split()))
    return line if wide or len(line) <= LONGEST_CELL else line[: LONGEST_CELL - 1] + "…"


def _shorten_number(written: str, value: float) -> str:
    """A number as it was written, where that is no more than its six digits and needs little room."""
    few = f"{value:.{_DIGITS}g}"
    return written if len(written) <= _SHORT and float(few) == value else few


def number(value: float) -> str:
    """A number with six digits: 0.123457, 1.23e-07, 12; an integer as it is."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return str(int(value))
    return f"{value:.{_DIGITS}g}"


def lines_of_failures(
    failed: Sequence[TaskResult], *, mark: str = "✘", is_beside: Callable[[str], bool] = lambda name: False
) -> list[str]:
    """The first failures with the last lines of their logs, as after a run. is_beside: as in runs.failure_summary.grouped_lines."""
    entries = list(map(_entry, failed))
    return [
        as_printable(line) for line in grouped_lines(entries, mark=mark, more="more that failed", is_beside=is_beside)
    ]


def failure_groups(failed: Sequence[TaskResult]) -> list[list[TaskResult]]:
    """The failed tasks, equal failures together."""
    rows = {_entry(row).id: row for row in failed}
    return [[rows[failure.id] for failure in group] for group in group_equal_failures(map(_entry, failed))]


def _entry(row: TaskResult) -> FailureEntry:
    why = with_error_line(row.message, error_line(row.log)) or row.status
    return FailureEntry(row.node_id or row.task, row.task, row.template, why, row.attempts, row.inputs, row.log)


def as_printable(line: str) -> str:
    """A task's text with a mark for each character that is not printable: it must not control the reader's terminal."""
    return (
        line
        if line.isprintable()
        else "".join(character if character.isprintable() or character == "\t" else "�" for character in line)
    )
