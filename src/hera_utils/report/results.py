"""What a run gave: one row a task, with what it was given, what it answered, how it went. Pure."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any, Literal

from hera_utils.argo.tree import Branch, seconds, tree
from hera_utils.report.outcome import short_name, values

Json = dict[str, Any]

_MEASURES = ("status", "seconds", "attempts")
LONGEST_CELL = 48


@dataclass(frozen=True)
class Row:
    """A task that the run has reached. seconds: of its last attempt, None while it runs.

    outputs: its output parameters, and `result` for what a script printed.
    """

    task: str
    template: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    status: str
    seconds: float | None
    attempts: int
    message: str = ""
    artifacts: tuple[str, ...] = ()


def rows(document: Json) -> tuple[Row, ...]:
    """The single tasks of a run in the order of its tree (fan-outs in the order of their items)."""
    workflow = str(document["metadata"].get("name", ""))
    return tuple(_row(leaf, workflow) for branch in tree(document) for leaf in branch.leaves())


def _row(leaf: Branch, workflow: str) -> Row:
    node = leaf.node or {}
    last = leaf.attempts[-1] if leaf.attempts else node
    outputs = node.get("outputs") or last.get("outputs") or {}
    given = values(outputs)
    if outputs.get("result") is not None:
        given["result"] = str(outputs["result"])
    return Row(
        task=short_name(str(node.get("name", "")), workflow),
        template=str(node.get("templateName") or (node.get("templateRef") or {}).get("template") or ""),
        inputs=values(node.get("inputs") or last.get("inputs")),
        outputs=given,
        status=str(node.get("phase", "")),
        seconds=seconds(last),
        attempts=max(1, len(leaf.attempts)),
        message=leaf.message,
        artifacts=tuple(str(a["name"]) for a in outputs.get("artifacts") or ()),
    )


@dataclass(frozen=True)
class Table:
    """Rows of one kind. header: column names; lines: as many cells each; numeric: which columns hold numbers only."""

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def tables(found: tuple[Row, ...]) -> tuple[Table, ...]:
    """One table a template, to be read: a fan-out's tasks are told apart by the inputs that differ, so the others are left out."""
    by_template: dict[str, list[Row]] = {}
    for row in found:
        by_template.setdefault(row.template, []).append(row)
    return tuple(_table(template, members) for template, members in by_template.items())


def _table(template: str, members: list[Row]) -> Table:
    inputs = [
        name for name in _names(row.inputs for row in members) if len({row.inputs.get(name) for row in members}) > 1
    ]
    outputs = _names(row.outputs for row in members)
    alone = len({tuple(row.inputs.get(name) for name in inputs) for row in members}) < len(members)
    header = (["task"] if alone or not inputs else []) + inputs + outputs + list(_MEASURES)
    lines = []
    for row in members:
        cells = [row.task] if header[0] == "task" else []
        cells += [row.inputs.get(name, "") for name in inputs] + [row.outputs.get(name, "") for name in outputs]
        lines.append((*(_short(cell) for cell in cells), row.status, _seconds(row.seconds), str(row.attempts)))
    numeric = tuple(all(_is_number(line[column]) for line in lines) for column in range(len(header)))
    return Table(template, tuple(header), tuple(lines), numeric)


def as_csv(found: tuple[Row, ...]) -> str:
    """Every task and every value, unabridged: task, template, inputs, outputs, status, seconds, attempts.

    An output that bears the name of an input (or of a column) is called `outputs.NAME`, such an input `inputs.NAME`.
    """
    inputs, outputs = _names(row.inputs for row in found), _names(row.outputs for row in found)
    taken = {"task", "template", *_MEASURES}
    input_columns = {name: name if name not in taken else f"inputs.{name}" for name in inputs}
    taken |= set(inputs)
    output_columns = {name: name if name not in taken else f"outputs.{name}" for name in outputs}
    lines: list[list[Any]] = [["task", "template", *input_columns.values(), *output_columns.values(), *_MEASURES]]
    for row in found:
        cells = [row.inputs.get(name, "") for name in inputs] + [row.outputs.get(name, "") for name in outputs]
        lines.append([row.task, row.template, *cells, row.status, _seconds(row.seconds), row.attempts])
    # a lone carriage return is not quoted by itself when lines end with \n
    quoting: Literal[0, 1] = (
        csv.QUOTE_ALL if any("\r" in str(cell) for line in lines for cell in line) else csv.QUOTE_MINIMAL
    )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=quoting).writerows(lines)
    return text.getvalue()


def as_json(found: tuple[Row, ...]) -> list[Json]:
    return [
        {
            "task": row.task,
            "template": row.template,
            "inputs": row.inputs,
            "outputs": row.outputs,
            "artifacts": list(row.artifacts),
            "status": row.status,
            "seconds": row.seconds,
            "attempts": row.attempts,
            "message": row.message,
        }
        for row in found
    ]


def _names(groups: Any) -> list[str]:
    """Every key, in the order of first appearance."""
    return list(dict.fromkeys(name for group in groups for name in group))


def _short(cell: str) -> str:
    line = " ".join(cell.split())
    return line if len(line) <= LONGEST_CELL else line[: LONGEST_CELL - 1] + "…"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}"


def _is_number(cell: str) -> bool:
    try:
        float(cell or "0")
    except ValueError:
        return False
    return True
