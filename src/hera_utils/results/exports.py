"""Results for other programs: CSV, JSON, Parquet, frames of pandas and polars (optional packages, imported when used)."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from hera_utils.errors import ResourceError
from hera_utils.experiment.values import for_json
from hera_utils.results.columns import Column, Kind, ResultTable, cell_text
from hera_utils.results.point_results import PointResult
from hera_utils.results.task_results import TaskResult
from hera_utils.wording import system_reason

Json = dict[str, Any]

_PANDAS: dict[Kind, str] = {"integer": "Int64", "number": "float64", "boolean": "boolean", "text": "object"}


def csv_text(table: ResultTable) -> str:
    """A header, then a line per row; cells as the tasks wrote them."""
    return csv_of([table.names, *([_cell(cell) for cell in line] for line in table.lines())])


def csv_of(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells, as csv."""
    # csv does not quote a lone carriage return when lines end with \n
    quoting: Literal[0, 1] = (
        csv.QUOTE_ALL if any("\r" in cell for line in lines for cell in line) else csv.QUOTE_MINIMAL
    )
    if sys.version_info < (3, 11):  # its csv module can neither write nor read NUL
        lines = [[cell.replace("\0", "\N{SYMBOL FOR NULL}") for cell in line] for line in lines]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows(lines)
    return text.getvalue()


def _cell(cell: Any) -> str:
    return "" if cell is None else cell_text(cell)


Rows = Sequence[TaskResult | PointResult]


def json_text(table: ResultTable, rows: Rows) -> str:
    """A list with an object per row, numbers as numbers."""
    return json_of(json_rows(table, rows))


def json_of(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def json_rows(table: ResultTable, rows: Rows) -> list[Json]:
    """The rows of a table, inputs and outputs as nested objects. Numbers that JSON does not have (NaN, Infinity) become texts."""
    inputs = {_name_without_prefix(column, "input"): column for column in table.by_role("input")}
    outputs = {_name_without_prefix(column, "output"): column for column in table.by_role("output")}
    return [
        _json_row(row, _values_of_row(inputs, number), _values_of_row(outputs, number))
        for number, row in enumerate(rows)
    ]


def _values_of_row(columns: dict[str, Column], number: int) -> Json:
    """Values of the columns' kinds; in a column of several kinds each as what it is. None only where it is an axis' value."""
    return {
        name: _json_value(column, number)
        for name, column in columns.items()
        if column.cells[number] is not None or number in column.nones
    }


def _json_value(column: Column, number: int) -> Any:
    cell = column.cells[number]
    mixed = column.kind == "text" or isinstance(cell, list | dict)
    return for_json(cell if mixed else column.values[number])


def _name_without_prefix(column: Column, role: str) -> str:
    prefix = f"{role}s."
    return column.name[len(prefix) :] if column.name.startswith(prefix) else column.name


def _json_row(result: TaskResult | PointResult, inputs: Json, outputs: Json) -> Json:
    head: Json
    if isinstance(result, PointResult):
        head = {"point": result.id, "name": result.name, "values": inputs}
    else:
        head = {"task": result.task, "template": result.template, "workflow": result.workflow, "inputs": inputs}
        if result.point:
            head = {"point": result.point, **head}
        if result.python:
            head["python"] = result.python
    row = {
        **head,
        "outputs": outputs,
        "artifacts": list(result.artifacts),
        "status": result.status,
        "started": result.started or None,
        "finished": result.finished or None,
        "seconds": result.seconds,
        **({"used": dict(result.used)} if result.used else {}),
        "attempts": result.attempts,
        "message": result.message,
    }
    if isinstance(result, PointResult):
        row["tasks"] = [task.task for task in result.tasks]
        log = [line for task in result.tasks for line in task.log]
    else:
        log = list(result.log)
    if log:
        row["log"] = log
    return row


def write_and_return(text: str, path: str | os.PathLike[str] | None) -> str:
    """The text; also written into `path` when given. ResourceError when the file cannot be written."""
    if path is not None:
        try:
            Path(path).write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise _unwritable(path, error) from None
    return text


def pandas_frame(table: ResultTable) -> Any:
    pandas = _import_extra("pandas", "to_pandas()", "pandas")
    return pandas.DataFrame(
        {column.name: pandas.array(_values_of_column(column), dtype=_PANDAS[column.kind]) for column in table.columns}
    )


def polars_frame(table: ResultTable) -> Any:
    polars = _import_extra("polars", "to_polars()", "polars")
    kinds = {"integer": polars.Int64, "number": polars.Float64, "boolean": polars.Boolean, "text": polars.String}
    return polars.DataFrame(
        [polars.Series(column.name, _values_of_column(column), dtype=kinds[column.kind]) for column in table.columns]
    )


def parquet_file(table: ResultTable, path: str | os.PathLike[str]) -> None:
    arrow = _import_extra("pyarrow", "a Parquet file", "parquet")
    parquet = import_module("pyarrow.parquet")
    kinds = {"integer": arrow.int64(), "number": arrow.float64(), "boolean": arrow.bool_(), "text": arrow.string()}
    columns = {column.name: arrow.array(_values_of_column(column), type=kinds[column.kind]) for column in table.columns}
    try:
        parquet.write_table(arrow.table(columns), os.fspath(path))
    except OSError as error:
        raise _unwritable(path, error) from None


def _values_of_column(column: Column) -> list[Any]:
    return list(column.values)


def _import_extra(module: str, what: str, extra: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise ResourceError(
            f"{what} needs {module}, which is not installed here", fix=f"pip install 'hera_utils[{extra}]'"
        ) from None


def _unwritable(path: str | os.PathLike[str], error: OSError) -> ResourceError:
    return ResourceError(f"cannot write {os.fspath(path)} ({system_reason(error)})", fix="name another file or folder")
