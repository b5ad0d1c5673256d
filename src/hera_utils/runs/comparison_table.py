"""Runs side by side: the columns in which they differ (inputs, code, images, packages, platform), then their results. Pure, except that
the script and the packages of a run are read from the folder of its record.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hera_utils.experiment.values import for_json, text
from hera_utils.runs.catalogue import INPUT, CatalogueEntry
from hera_utils.runs.conditions import (
    RunMatch,
    cell,
    check_columns,
    names_of,
    number,
    point_column,
    run_values,
    short_names,
)
from hera_utils.runs.record_files import packages_of

Json = dict[str, Any]

_OF_THE_RUN = ("name", "tag", "experiment", "platform", "namespace", "python", "hera", "hera_utils", "branch", "commit")
_RESULTS = ("status", "points", "seconds")
_ABSENT = ""


@dataclass(frozen=True)
class ComparisonTable:
    """header: column names; lines: a line for each run (or point). numeric: which columns hold only numbers.

    code: files of the scripts that differ between the runs.
    """

    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    code: tuple[str, ...] = ()

    @property
    def numeric(self) -> tuple[bool, ...]:
        cells = zip(*self.lines, strict=True)
        return tuple(all(text == "" or number(text) is not None for text in column) for column in cells)

    def as_json(self) -> list[Json]:
        return [
            {name: _json_value(value) for name, value in zip(self.header, line, strict=True) if value != _ABSENT}
            for line in self.lines
        ]


def table_of_runs(entries: Sequence[CatalogueEntry], columns: Sequence[str] = ()) -> ComparisonTable:
    """A line for each run. columns: the results to show, by default every output.

    An output of several points is shown as its mean, or, if all runs are searches, as the minimum or maximum that they search for.
    """
    check_columns(columns, entries)
    sources = [_sources(entry) for entry in entries]
    packages = [packages_of(entry.folder) if entry.folder else {} for entry in entries]
    images = [_images(entry) for entry in entries]
    matches = [RunMatch(entry, entry.points) for entry in entries]
    table: dict[str, list[str]] = {"run": [entry.name for entry in entries]}
    for name in _input_names(entries):
        _add_if_different(table, name, [_input_text(match, name) for match in matches])
    for name in _OF_THE_RUN:
        _add_if_different(table, name, [" ".join(map(text, run_values(entry, name))) for entry in entries])
    _add_if_different(table, "code", [_digest(source) for source in sources])
    for kind, per_run in (("image", images), ("package", packages)):
        for name in sorted({name for by_name in per_run for name in by_name}):
            _add_if_different(table, f"{kind} {name}", [by_name.get(name, _ABSENT) for by_name in per_run])
    for name in (*_RESULTS, *(columns or _output_columns(entries))):
        table[name] = [cell(match, name) for match in matches]
    if "commit" in table:
        table["commit"] = [commit[:10] for commit in table["commit"]]
    return ComparisonTable(tuple(table), tuple(zip(*table.values(), strict=True)), _different_files(sources))


def table_of_points(entries: Sequence[CatalogueEntry], columns: Sequence[str] = ()) -> ComparisonTable:
    """A line for each point that one of the runs has, in the order of the first: its values, then each output in every run."""
    check_columns(columns, entries)
    axes, outputs = short_names(entries)
    outputs = list(columns) or outputs
    rows: dict[tuple[str, ...], dict[int, Any]] = {}
    for index, entry in enumerate(entries):
        for row in entry.points:
            rows.setdefault(tuple(_value_of_point(entry, row, axis) for axis in axes), {})[index] = row
    header = (*axes, *(f"{name} {entry.name}" for name in outputs for entry in entries))
    lines = [
        (
            *values,
            *(
                _value_of_point(entry, runs.get(index, {}), name)
                for name in outputs
                for index, entry in enumerate(entries)
            ),
        )
        for values, runs in rows.items()
    ]
    return ComparisonTable(header, tuple(lines))


def _value_of_point(entry: CatalogueEntry, row: Mapping[str, str], name: str) -> str:
    return row.get(point_column(entry, name) or name, _ABSENT)


def _add_if_different(table: dict[str, list[str]], name: str, cells: list[str]) -> None:
    if len(set(cells)) > 1:
        table[name] = cells


def _input_names(entries: Sequence[CatalogueEntry]) -> list[str]:
    names = (name for entry in entries for name in sorted(names_of(entry)) if name.startswith(INPUT))
    return [name.removeprefix(INPUT) for name in dict.fromkeys(names)]


def _input_text(match: RunMatch, name: str) -> str:
    words = cell(RunMatch(match.entry, ()), INPUT + name) or cell(match, INPUT + name)
    nones = any(value is None for value in match.entry.axes.get(name, ()))  # None is an empty cell in the points' table
    return f"{words} None".strip() if nones else words


def _output_columns(entries: Sequence[CatalogueEntry]) -> list[str]:
    columns = []
    for name in short_names(entries)[1]:
        values = [run_values(entry, name) for entry in entries]
        several = any(len(of_run) > 1 for of_run in values)
        numeric = all(number(value) is not None for of_run in values for value in of_run)
        columns.append(f"{_aggregate(entries, name)}({name})" if several and numeric else name)
    return columns


def _aggregate(entries: Sequence[CatalogueEntry], output: str) -> str:
    """How to summarize an output with several values: min or max if all runs are searches that optimize it so, else mean."""
    searches = [(entry.facts.get("inputs") or {}).get("search") or {} for entry in entries]
    for verb, name in (("minimize", "min"), ("maximize", "max")):
        if all(output in (search.get(verb) or ()) for search in searches):
            return name
    return "mean"


# --- files of a record -----------------------------------------------------------------------------------------------


def _sources(entry: CatalogueEntry) -> dict[str, str]:
    """File of the script → digest."""
    if entry.folder is None:
        return {}
    script, digests = entry.folder / "script", {}
    with contextlib.suppress(OSError):
        for file in sorted(script.rglob("*")):
            if file.is_file():
                digests[file.relative_to(script).as_posix()] = hashlib.sha256(file.read_bytes()).hexdigest()
    return digests


def _digest(sources: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()[:10] if sources else _ABSENT


def _different_files(sources: Sequence[dict[str, str]]) -> tuple[str, ...]:
    known_sources = [source for source in sources if source]
    names = sorted({name for by_name in known_sources for name in by_name})
    return tuple(name for name in names if len({by_name.get(name) for by_name in known_sources}) > 1)


def _images(entry: CatalogueEntry) -> dict[str, str]:
    """Image → what ran for it (images/decision_texts.py describes the format in run.json)."""
    words = {}
    for image, decision in (entry.facts.get("images") or {}).items():
        digest = str(decision.get("digest") or decision.get("lock") or "")[:19]
        words[image] = digest or (
            f"stand-in: {decision.get('reason')}" if "stand_in" in decision else str(decision.get("pull"))
        )
    return words


def _json_value(value: str) -> Any:
    as_number = number(value)
    return (
        value
        if as_number is None
        else int(as_number)
        if as_number.is_integer() and "." not in value
        else for_json(as_number)
    )
