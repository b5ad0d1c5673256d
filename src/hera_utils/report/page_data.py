"""The content of a report as one JSON document for its page: summary, tables by column, timeline, graph, resources, failures. Pure.

Bounded: at most MOST_ROWS rows per table, LONGEST characters per cell, MOST_FAILURES failures; `left_out` says what is missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.argo.annotations import RAN
from hera_utils.argo.phases import COMPLETED, UNSUCCESSFUL, phase_or_pending
from hera_utils.error_lines import is_exit_code
from hera_utils.report.graph import build_graph
from hera_utils.report.plots import axes_of, choose_plots
from hera_utils.results.best_point import best_point
from hera_utils.results.columns import Column, ResultTable, cell_text
from hera_utils.results.differences_of_means import differences_of_choices
from hera_utils.results.means import means_over_seeds
from hera_utils.results.results import Results
from hera_utils.results.summary import Summary
from hera_utils.results.task_results import TaskResult
from hera_utils.results.terminal_table import failure_groups
from hera_utils.runs.failure_summary import describe_equal_failures
from hera_utils.runs.measurements import sum_measurements
from hera_utils.runs.outcome import outcome
from hera_utils.runs.whole_run import WholeRun

Json = dict[str, Any]

MOST_ROWS = 20_000
LONGEST = 400
MOST_FAILURES = 100
_HIDDEN = ("started", "finished")


def page_data(run: WholeRun, results: Results, facts: Sequence[tuple[str, str]] = ()) -> Json:
    """The JSON document. facts: (label, text) of further facts about the run."""
    start, ended = span(run.own)
    phase = run.phase
    tasks = results.tasks[:MOST_ROWS]
    bounded = Results(tasks, results.points[:MOST_ROWS], results.name)
    return {
        "run": run.name,
        "experiment": run.experiment,
        "phase": phase,
        "message": _message(run, results),
        "begun": start,
        "ended": ended if phase in COMPLETED else None,
        "facts": [list(pair) for pair in facts],
        "constants": _constants(run, results),
        "counts": _task_counts(results),
        "points": _counts(point.status for point in results.points),
        "waiting": any(map(_counts_waiting, run.documents)),
        "best": _best(run, results),
        "seconds": sum(row.seconds or 0.0 for row in results.tasks),
        "retried": sum(row.attempts > 1 for row in results.tasks),
        "workflows": [_workflow(document, run) for document in run.documents],
        "tables": [{**_table(table, bounded, start), "note": note} for table, note in _tables(bounded)],
        "timeline": _timeline(tasks, start),
        "graph": _graph(run, results),
        "resources": resources(results.tasks),
        "plots": _plots(bounded),
        "failures": [_failure(row, others) for row, *others in failure_groups(results.failures)[:MOST_FAILURES]],
        "left_out": _describe_omissions(results),
    }


def _best(run: WholeRun, results: Results) -> Json | None:
    """The best point of a search: {name: `least loss`, value, at: its inputs in words}; None if there is none."""
    best = best_point((run.facts.get("inputs") or {}).get("search") or {}, results)
    if best is None:
        return None
    return {"name": f"{best.goal} {best.output}", "value": best.value, "at": _shorten(", ".join(best.place))}


def _counts_waiting(document: Json) -> bool:
    """Whether the times of some tasks are those of Argo's nodes, which include the wait for a place on a machine."""
    nodes = ((document.get("status") or {}).get("nodes") or {}).values()
    return any(node.get("type") == "Pod" and node.get("finishedAt") and not node.get(RAN) for node in nodes)


def span(documents: Sequence[Json]) -> tuple[float | None, float | None]:
    """(the first start, the last end) in seconds since the epoch; None if there is none."""
    times = [document.get("status") or {} for document in documents]
    begun = [at for time in times if (at := timestamps.read(time.get("startedAt"))) is not None]
    ended = [at for time in times if (at := timestamps.read(time.get("finishedAt"))) is not None]
    return min(begun, default=None), max(ended, default=None)


def resources(tasks: Sequence[TaskResult]) -> list[Json]:
    """Per template: number of tasks, seconds, requests times duration (Argo's resourcesDuration), measurements (or None)."""
    by_template: dict[str, Json] = {}
    for row in tasks:
        usage_row = by_template.setdefault(
            row.template,
            {"template": row.template, "tasks": 0, "seconds": 0.0, "longest": 0.0, "usage": {}, "used": None},
        )
        usage_row["tasks"] += 1
        usage_row["seconds"] += row.seconds or 0.0
        usage_row["longest"] = max(usage_row["longest"], row.seconds or 0.0)
        for name, amount in row.usage.items():
            usage_row["usage"][name] = usage_row["usage"].get(name, 0) + amount
        usage_row["used"] = _used_by(usage_row["used"], row)
    return sorted(by_template.values(), key=lambda usage_row: -usage_row["seconds"])


def _used_by(before: Json | None, row: TaskResult) -> Json | None:
    """Add the measurements of one more task: sums, and maxima of peak memory and requests. seconds: of the measured tasks."""
    if not row.used:
        return before
    sums, largest = before or {}, sum_measurements([row.used])
    used = {name: sums.get(name, 0) + amount for name, amount in largest.items() if name != "peak_memory"}
    used["seconds"] = sums.get("seconds", 0.0) + (row.seconds or 0.0)
    for name in ("peak_memory", "start_delay", "requested_cpu", "requested_memory"):
        known = [one for one in (sums.get(name), row.used.get(name)) if one is not None]
        used[name] = max(known, default=None)
    return used


def _task_counts(results: Results) -> dict[str, int]:
    """Status → number of tasks. `Superseded`: the task failed, but its run computed it again, or its search stopped it."""
    failures = set(map(id, results.failures))
    return _counts(
        "Superseded" if row.status in UNSUCCESSFUL and id(row) not in failures else row.status for row in results.tasks
    )


def _counts(statuses: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for status in statuses:
        counts[status or "Pending"] = counts.get(status or "Pending", 0) + 1
    return counts


def _constants(run: WholeRun, results: Results) -> list[list[str]]:
    """The experiment's constants, or else the inputs that have the same value in all tasks."""
    recorded = (run.facts.get("inputs") or {}).get("constants") or {}
    if recorded:
        return [[name, _shorten(cell_text(value))] for name, value in recorded.items()]
    constants = []
    for column in results.task_table.by_role("input"):
        cells = [cell for cell in column.cells if cell is not None]
        if len(cells) > 1 and len(set(cells)) == 1:
            constants.append([column.name, _shorten(cell_text(cells[0]))])
    return constants


def _workflow(document: Json, run: WholeRun) -> Json:
    roles = {str(workflow.get("name")): workflow for workflow in run.facts.get("workflows") or ()}
    name, status = str(document["metadata"]["name"]), document.get("status") or {}
    return {
        "name": name,
        "phase": phase_or_pending(document),
        "role": "of an earlier run" if name in run.earlier else str(roles.get(name, {}).get("role") or ""),
        "progress": str(status.get("progress") or ""),
        "begun": timestamps.read(status.get("startedAt")),
        "ended": timestamps.read(status.get("finishedAt")),
    }


def summaries(points: ResultTable) -> Sequence[Summary]:
    """Of repeated points: how their choices (methods) differ, else their means; [] if no point repeats another one."""
    if differences := differences_of_choices(points):
        return differences
    repeated = means_over_seeds(points)
    return [repeated] if repeated else []


def _tables(results: Results) -> Iterator[tuple[ResultTable, str]]:
    """(table, what it is in a sentence, or ""): the points, what sums them up if they repeat each other, and the tasks."""
    if results.points:
        yield results.point_table.for_readers(), ""
    for summary in summaries(results.point_table):
        yield summary.table().for_readers(), summary.title
    yield results.task_table, ""


def _table(table: ResultTable, results: Results, start_of_run: float | None) -> Json:
    columns = [_column(column) for column in table.columns if column.name not in _HIDDEN and not _blank(column)]
    if "started" not in table.names:
        return {"title": table.title, "rows": len(table), "columns": columns}
    starts = [timestamps.read(cell) if cell else None for cell in table.column("started").cells]
    after = [
        None if start is None or start_of_run is None or start < start_of_run else round(start - start_of_run, 3)
        for start in starts
    ]
    place = next((n for n, column in enumerate(columns) if column["name"] == "seconds"), len(columns))
    columns.insert(place, {"name": "start", "role": "measure", "kind": "number", "values": after})
    if table.title == "tasks":
        columns.append(
            {
                "name": "\0log",
                "role": "log",
                "kind": "text",
                **_encode_texts(["\n".join(row.log) or None for row in results.tasks]),
            }
        )
    return {"title": table.title, "rows": len(table), "columns": columns}


def _blank(column: Column) -> bool:
    return all(cell is None or cell == "" for cell in column.cells)


def _column(column: Column) -> Json:
    head: Json = {"name": column.name, "role": column.role, "kind": column.kind}
    if column.numeric:
        # JSON has no NaN and no infinity, so they are sent as strings.
        values = [str(v) if isinstance(v, float) and not math.isfinite(v) else v for v in column.values]
        return {**head, "values": values}
    return {**head, **_encode_texts([None if value is None else _shorten(str(value)) for value in column.values])}


def _encode_texts(cells: list[str | None]) -> Json:
    """Encode texts: as they are, or if many repeat, as the distinct words and the index of each cell's word."""
    words = list(dict.fromkeys(cells))
    if len(words) > len(cells) / 2:
        return {"values": cells}
    numbers = {word: number for number, word in enumerate(words)}
    return {"words": words, "at": [numbers[cell] for cell in cells]}


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _timeline(tasks: Sequence[TaskResult], start_of_run: float | None) -> Json:
    """Per task, in the order of the task table: start in seconds since the run began (-1: not started), length, template, status.

    waited: seconds for which a task waited for its place before it started; [] if that was not measured.
    """
    templates = {name: number for number, name in enumerate(dict.fromkeys(row.template for row in tasks))}
    statuses = {name: number for number, name in enumerate(dict.fromkeys(row.status for row in tasks))}
    starts, lengths = [], []
    for row in tasks:
        start, end = timestamps.read(row.started), timestamps.read(row.finished)
        # A task that an earlier run computed started before this run and has no place on its timeline.
        starts.append(
            -1 if start is None or start_of_run is None or start < start_of_run else round(start - start_of_run, 3)
        )
        lengths.append(None if start is None or end is None else round(max(0.0, end - start), 3))
    return {
        "templates": list(templates),
        "statuses": list(statuses),
        "start": starts,
        "length": lengths,
        "waited": [round(row.used.get("start_delay", 0.0), 3) for row in tasks]
        if any(row.used for row in tasks)
        else [],
        "template": [templates[row.template] for row in tasks],
        "status": [statuses[row.status] for row in tasks],
    }


def _graph(run: WholeRun, results: Results) -> Json:
    drawn = build_graph(run.documents, results.tasks, last=run.last)
    return {
        "boxes": [
            {"title": box.title, "template": box.template, "counts": box.counts, "seconds": round(box.seconds, 3)}
            for box in drawn.boxes
        ],
        "edges": [list(edge) for edge in drawn.edges],
    }


def _plots(results: Results) -> Json:
    """The plotted table and the initial pictures; for a run without points, the template with results and the most rows is plotted."""
    if results.points:
        table, template = results.point_table.for_readers(), ""
        pictures_found = choose_plots(table)
    else:
        template, table, pictures_found = "", results.task_table, ()
        for name in sorted({row.template for row in results.tasks}):
            candidate = results.of_template(name).task_table
            pictures = choose_plots(candidate)
            if pictures and (
                not pictures_found
                or (pictures[0].output != "seconds", len(candidate))
                > (pictures_found[0].output != "seconds", len(table))
            ):
                template, table, pictures_found = name, candidate, pictures
    axes = [column.name for column in axes_of(table)]
    return {
        "table": "points" if results.points else "tasks",
        "template": template,
        "axes": axes,
        "plots": [
            {"kind": plot.kind, "output": plot.output, "x": plot.x, "series": plot.series} for plot in pictures_found
        ],
    }


def _message(run: WholeRun, results: Results) -> str:
    """The first message of a workflow; if it is only an exit code, the message of the task that failed with it."""
    message = next((end.message for end in map(outcome, run.own) if end.message), "")
    if not is_exit_code(message):
        return message
    return _shorten(next((row.message for row in results.failures if row.message.startswith(f"{message}: ")), message))


def _failure(row: TaskResult, others: Sequence[TaskResult]) -> Json:
    """One failure. others: the tasks that failed in the same way."""
    return {
        "others": describe_equal_failures([other.task for other in others]) if others else "",
        "task": row.task,
        "workflow": row.workflow,
        "template": row.template,
        "status": row.status,
        "message": _shorten(row.message),
        "attempts": row.attempts,
        "inputs": [[name, _shorten(value)] for name, value in row.inputs.items()],
        "log": [_shorten(line) for line in row.log],
    }


def _describe_omissions(results: Results) -> list[str]:
    sentences = []
    for what, count in (("points", len(results.points)), ("tasks", len(results.tasks))):
        if count > MOST_ROWS:
            more = f"hera-utils results {results.name} --{what} -o csv"
            sentences.append(f"the first {MOST_ROWS:,} of {count:,} {what} are listed; all of them: {more}")
    failed = len(failure_groups(results.failures))
    if failed > MOST_FAILURES:
        sentences.append(f"the first {MOST_FAILURES} of {failed:,} different failures are listed")
    return sentences
