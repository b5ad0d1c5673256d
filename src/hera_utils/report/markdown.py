"""A run as Markdown for the appendix of a paper: constants, inputs, results, failures, times, and its graph as Mermaid. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

from hera_utils.report.graph import build_graph
from hera_utils.report.page_data import page_data, resources, summaries
from hera_utils.results.columns import Column
from hera_utils.results.results import Results
from hera_utils.results.terminal_table import Sheet, failure_groups, number, sheets
from hera_utils.runs.failure_summary import describe_equal_failures
from hera_utils.runs.whole_run import WholeRun
from hera_utils.spans import size_in_words, span_in_words
from hera_utils.wording import counted

Json = dict[str, Any]

MOST_ROWS = 200
MOST_FAILURES = 20
_MOST_BOXES = 30


def markdown(run: WholeRun, results: Results, facts: Sequence[tuple[str, str]] = ()) -> str:
    """The Markdown text, with at most MOST_ROWS rows per table; numbers are as the tasks wrote them."""
    data = page_data(run, results, facts)
    title = f"{data['experiment']}: run {run.name}" if data["experiment"] else f"Run {run.name}"
    parts = [f"# {escape_text(title)}", _summary(data)]
    if data["constants"]:
        parts += ["## Constants", _list(data["constants"])]
    swept = _sweep_rows(results)
    if swept:
        parts += ["## Inputs", _list(swept)]
    for title, sheet in _sheets(results):
        parts += [f"## {title}", _table(sheet.header, sheet.lines[:MOST_ROWS], sheet.numeric)]
        if len(sheet.lines) > MOST_ROWS:
            parts.append(f"The first {MOST_ROWS} of {len(sheet.lines)} rows.")
    if results.failures:
        parts += ["## Failures", *_failures(results)]
    drawn = build_graph(run.documents, results.tasks, most=_MOST_BOXES, last=run.last)
    if len(drawn.boxes) > 1:
        parts += ["## Graph", _mermaid(drawn)]
    parts += ["## Time", _times(results)]
    if facts:
        parts += ["## How it was run", _list(facts)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sheets(results: Results) -> Iterable[tuple[str, Sheet]]:
    """(title, sheet): what sums up repeated points, if there are any; the points, the tasks of each template."""
    for summary in summaries(results.point_table):
        sheet = summary.sheet()
        yield escape_text(f"{sheet.title[:1].upper()}{sheet.title[1:]}"), sheet
    for sheet in sheets(results.points, results.tasks):
        yield "Results" if sheet.title == "points" else f"Results of `{escape_code(sheet.title)}`", sheet


def _summary(data: Json) -> str:
    begun = data["begun"]
    when = "" if begun is None else f", {datetime.fromtimestamp(begun, timezone.utc):%Y-%m-%d %H:%M} UTC"
    took = "" if data["ended"] is None else f" It took {span_in_words(data['ended'] - begun)}."
    points = data["points"]
    swept = f"{counted(sum(points.values()), 'point')}, {points.get('Succeeded', 0)} of them done; " if points else ""
    counts = ", ".join(f"{count} {status.lower()}" for status, count in data["counts"].items())
    best = data["best"]
    found = (
        f" The {escape_text(best['name'])} is {number(best['value'])}, at {escape_text(best['at'])}." if best else ""
    )
    return f"**{data['phase']}**{when}: {swept}tasks: {counts}.{took}{found}"


def _sweep_rows(results: Results) -> list[tuple[str, str]]:
    return (
        [(column.name, _values(column)) for column in results.point_table.for_readers().by_role("input")]
        if results.points
        else []
    )


def _values(column: Column) -> str:
    values = list(dict.fromkeys(cell for cell in column.values if cell is not None))
    if len(values) > 12 and column.numeric:
        return f"{len(values)} values from {min(values)} to {max(values)}"
    listed = ", ".join(str(value) for value in values[:12])
    return listed if len(values) <= 12 else f"{listed}, … ({len(values)} values)"


def _failures(results: Results) -> Iterable[str]:
    groups = failure_groups(results.failures)
    for row, *others in groups[:MOST_FAILURES]:
        given = ", ".join(f"{name} = {value}" for name, value in row.inputs.items())
        yield (
            f"- `{escape_code(row.task)}`{f' ({escape_text(given)})' if given else ''}: {escape_text(row.message or row.status)}"
            + ("\n\n" + "\n".join(f"      {line}" for line in row.log) if row.log else "")
            + (f"\n\n  and {escape_text(describe_equal_failures([other.task for other in others]))}" if others else "")
        )
    left_out = sum(map(len, groups[MOST_FAILURES:]))
    if left_out:
        yield f"and {left_out} more."


def _mermaid(drawn: Any) -> str:
    lines = ["```mermaid", "graph LR"]
    for place, box in enumerate(drawn.boxes):
        total = sum(box.counts.values())
        times = f" ×{total}" if total > 1 else ""
        lines.append(f'  n{place}["{_quote(box.title)}{times}"]')
    lines += [f"  n{start} --> n{end}" for start, end in drawn.edges]
    return "\n".join([*lines, "```"])


def _times(results: Results) -> str:
    templates = resources(results.tasks)
    names = list(dict.fromkeys(name for template in templates for name, amount in template["usage"].items() if amount))
    is_measured = any(template["used"] for template in templates)
    used = ["processor time", "largest memory", "requested", "read", "written"] if is_measured else []
    header = ["template", "tasks", "time", "longest", *(f"{name} (s)" for name in names), *used]
    lines = [
        (
            template["template"],
            str(template["tasks"]),
            span_in_words(template["seconds"]),
            span_in_words(template["longest"]),
            *(str(template["usage"].get(name, 0)) for name in names),
            *(_measured_cells(template["used"] or {}) if is_measured else ()),
        )
        for template in templates
    ]
    return _table(header, lines, [False] + [True] * (len(header) - 1))


def _measured_cells(used: Json) -> tuple[str, ...]:
    sizes = (used.get(name) for name in ("peak_memory", "requested_memory", "read_bytes", "written_bytes"))
    return span_in_words(used.get("cpu_seconds")), *("" if size is None else size_in_words(size) for size in sizes)


def markdown_table(sheet: Sheet) -> str:
    return _table(sheet.header, sheet.lines, sheet.numeric)


def _table(header: Sequence[str], lines: Iterable[Sequence[str]], numeric: Sequence[bool]) -> str:
    rows = ["| " + " | ".join(escape_text(name) for name in header) + " |"]
    rows.append("|" + "|".join("---:" if right else "---" for right in numeric) + "|")
    rows += ["| " + " | ".join(escape_text(cell) for cell in line) + " |" for line in lines]
    return "\n".join(rows)


def _list(pairs: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"- {escape_text(name)}: {escape_text(', '.join(value.splitlines()))}" for name, value in pairs)


def escape_text(text: str) -> str:
    """Escape a text so that Markdown and the HTML inside it read it as plain text."""
    line = " ".join(text.split()).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for sign in "|*_`[]#":
        line = line.replace(sign, f"\\{sign}")
    return line


def escape_code(text: str) -> str:
    """A text that can stand between backticks, also in a table."""
    return " ".join(text.split()).replace("`", "'").replace("|", "¦")


def _quote(text: str) -> str:
    return " ".join(text.split()).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
