"""Results in a notebook: a plain HTML table with every text escaped. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from hera_utils.results.point_results import PointResult
from hera_utils.results.task_results import TaskResult
from hera_utils.results.terminal_table import Sheet, sheets

MOST_ROWS = 60


def results_html(points: Sequence[PointResult], tasks: Sequence[TaskResult]) -> str:
    """The points and tasks of a run as HTML tables of at most MOST_ROWS rows. No text of a run is taken as HTML."""
    parts = [sheet_html(sheet) for sheet in sheets(points, tasks, exact=False)]
    return f"<div>{''.join(parts) or '<p>no task has started</p>'}</div>"


def sheet_html(sheet: Sheet) -> str:
    """One HTML table of at most MOST_ROWS rows."""
    head = "".join(f"<th>{escape(name)}</th>" for name in sheet.header)
    lines = []
    for line in sheet.lines[:MOST_ROWS]:
        cells = zip(line, sheet.numeric, strict=True)
        lines.append("<tr>" + "".join(f"<td{_right(right)}>{escape(cell)}</td>" for cell, right in cells) + "</tr>")
    left_out = len(sheet.lines) - MOST_ROWS
    more = f"<p>and {left_out} more: <code>.to_pandas()</code> has them all</p>" if left_out > 0 else ""
    return (
        f"<table><caption>{escape(sheet.title)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>{more}"
    )


def _right(numeric: bool) -> str:
    return ' style="text-align:right"' if numeric else ""
