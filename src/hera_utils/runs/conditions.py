"""Searches the catalogue of runs: conditions on inputs, outputs and facts, and the columns to show. Pure.

    vintages=2009      nu<0.1      status!=Succeeded      tag=paper      note~mesh      outputs.status=ok

A condition holds if one of the values satisfies it (`!=`: if no value is equal). Numbers are compared as numbers (NaN equals NaN), other
texts letter by letter; `~` searches for a part of a text and ignores case. Conditions on axes and outputs are about one point: a run
matches if one of its points satisfies all of them.
"""

from __future__ import annotations

import math
import operator
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.errors import SettingsError
from hera_utils.experiment.values import text
from hera_utils.runs.catalogue import INPUT, OUTPUT, CatalogueEntry

FACTS: dict[str, Callable[[CatalogueEntry], Any]] = {
    "run": lambda entry: entry.name,
    "status": lambda entry: entry.phase,
    "experiment": lambda entry: entry.facts.get("experiment"),
    "script": lambda entry: entry.facts.get("script"),
    "arguments": lambda entry: " ".join(map(str, entry.facts.get("arguments") or ())) or None,
    "platform": lambda entry: entry.facts.get("platform"),
    "namespace": lambda entry: entry.facts.get("namespace"),
    "created": lambda entry: timestamps.text(entry.created),
    "ended": lambda entry: None if entry.ended is None else timestamps.text(entry.ended),
    "seconds": lambda entry: entry.seconds,
    "points": lambda entry: entry.facts.get("points"),
    "name": lambda entry: entry.notes.name or None,
    "note": lambda entry: entry.notes.note or None,
    "tag": lambda entry: entry.notes.tags,
    "commit": lambda entry: (entry.facts.get("git") or {}).get("commit"),
    "branch": lambda entry: (entry.facts.get("git") or {}).get("branch"),
    "python": lambda entry: (entry.facts.get("versions") or {}).get("python"),
    "hera": lambda entry: (entry.facts.get("versions") or {}).get("hera"),
    "hera_utils": lambda entry: (entry.facts.get("versions") or {}).get("hera_utils"),
}
"""The facts of every run: name → function that returns the value, None for none, a tuple for several."""

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "!=": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
    "~": lambda value, part: str(part).lower() in str(value).lower(),
}
_CONDITION = re.compile(r"\s*([^\s=<>!~]+)\s*(!=|>=|<=|=|>|<|~)(?!\s*=)\s*(.*?)\s*", re.DOTALL)
_ORDERS = ("<", ">", "<=", ">=")
_MOMENTS = ("created", "ended")
_MOMENT = re.compile(r"\d{4}(-\d\d(-\d\d([T ].*)?)?)?")
_SUMMARY = re.compile(r"(\w+)\((.+)\)")
_SUMMARIES: dict[str, Callable[[Sequence[float]], float]] = {
    "min": min,
    "max": max,
    "mean": statistics.fmean,
    "median": statistics.median,
    "std": lambda values: statistics.stdev(values) if len(values) > 1 else 0.0,
    "sum": lambda values: sum(values),
    "count": len,
}
_MOST_SHOWN = 4  # different values in a cell


@dataclass(frozen=True)
class Condition:
    """NAME, the sign (`=`, `<`…), and the value as it was typed."""

    name: str
    sign: str
    value: str

    @classmethod
    def parse(cls, written: str) -> Condition:
        """Raises SettingsError for a text that is no condition."""
        match = _CONDITION.fullmatch(written)
        if match is None:
            raise SettingsError(
                f"'{written}' is not a condition", fix="write NAME=VALUE, or with != < <= > >= ~ (contains) for the ="
            )
        return cls(*match.groups())

    @property
    def written(self) -> str:
        return f"{self.name}{self.sign}{self.value}"

    def holds(self, values: Iterable[Any]) -> bool:
        fits = any(_compare(value, self) for value in values if value is not None)
        return not fits if self.sign == "!=" else fits


def _compare(value: Any, condition: Condition) -> bool:
    sign, typed = condition.sign, condition.value
    if sign == "~" or condition.name in _MOMENTS:
        return _OPERATORS[sign](text(value), typed)
    ours, theirs = number(value), number(typed)
    if ours is not None and theirs is not None:
        both_nan = math.isnan(ours) and math.isnan(theirs)  # a search for nan finds the points whose output is nan
        return sign in ("=", "!=") if both_nan else _OPERATORS[sign](ours, theirs)
    if sign in _ORDERS and (ours is None) != (theirs is None):
        return False  # a number and a word have no order
    return _OPERATORS[sign](text(value), typed)


def number(value: Any) -> float | None:
    """A value as a number, None if it is none (as a boolean)."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


@dataclass(frozen=True)
class RunMatch:
    """A run that was found. points: its points that satisfy the conditions (all points if no condition is about points)."""

    entry: CatalogueEntry
    points: tuple[Mapping[str, str], ...]


def search_entries(entries: Sequence[CatalogueEntry], conditions: Sequence[Condition]) -> list[RunMatch]:
    """The runs that satisfy every condition. Raises SettingsError for a name that no run has, and for a value that cannot be compared with
    its numbers or dates.
    """
    names = [names_of(entry) for entry in entries]
    for condition in conditions:
        _refuse_unknown(condition.name, names)
        _refuse_incomparable(condition, entries)
    return [match for entry in entries if (match := _match(entry, conditions)) is not None]


def names_of(entry: CatalogueEntry) -> set[str]:
    """Every name that a condition on a run may have."""
    inputs, outputs = {*entry.axes, *_flatten(entry.constants)}, set(entry.output_names)
    prefixed = {INPUT + name for name in inputs} | {OUTPUT + name for name in outputs}
    return {*FACTS, *inputs, *outputs, *prefixed}


def short_names(entries: Sequence[CatalogueEntry]) -> tuple[list[str], list[str]]:
    """(axes, outputs) of some runs, each once, by the shortest names that are unique in all of the runs."""
    axes = dict.fromkeys(name for entry in entries for name in entry.axes)
    outputs = dict.fromkeys(name for entry in entries for name in entry.output_names)
    inputs = {*axes, *(name for entry in entries for name in _flatten(entry.constants))}
    return (
        [INPUT + name if name in FACTS else name for name in axes],
        [OUTPUT + name if name in FACTS or name in inputs else name for name in outputs],
    )


def _refuse_unknown(name: str, every_name: Sequence[set[str]]) -> None:
    if not every_name or any(name in names for names in every_name):
        return
    every = sorted(set().union(*every_name))
    near = get_close_matches(name, every, 1, 0.6)
    own = [column for column in every if column not in FACTS and not column.startswith((INPUT, OUTPUT))]
    rest = f"; inputs and outputs: {', '.join(own[:12])}{', …' if len(own) > 12 else ''}" if own else ""
    raise SettingsError(
        f"no run has an input, an output or a fact named {name}",
        fix=f"did you mean {near[0]}?" if near else f"facts: {', '.join(FACTS)}{rest}",
    )


def _refuse_incomparable(condition: Condition, entries: Sequence[CatalogueEntry]) -> None:
    name, value = condition.name, condition.value
    if name in _MOMENTS and condition.sign != "~" and not _MOMENT.fullmatch(value):
        raise SettingsError(
            f"'{condition.written}': {value or 'nothing'} is no date",
            fix=f"write {name}{condition.sign}2026-01-31, or 2026-01-31T14:00:00Z",
        )
    if condition.sign in _ORDERS and number(value) is None and _all_numbers(name, entries):
        raise SettingsError(
            f"'{condition.written}': {name} has numbers, and {value or 'nothing'} is none",
            fix=f"write {name}{condition.sign}NUMBER",
        )


def _all_numbers(name: str, entries: Sequence[CatalogueEntry]) -> bool:
    values = _values_of_all(name, entries)
    return bool(values) and all(number(value) is not None for value in values)


def _values_of_all(name: str, entries: Sequence[CatalogueEntry]) -> list[Any]:
    return [value for entry in entries for value in _values(RunMatch(entry, entry.points), name)]


def _match(entry: CatalogueEntry, conditions: Sequence[Condition]) -> RunMatch | None:
    by_point: list[tuple[str, Condition]] = []
    for condition in conditions:
        column = point_column(entry, condition.name)
        if column is not None:
            by_point.append((column, condition))
        elif not condition.holds(run_values(entry, condition.name)):
            return None
    if not by_point:
        return RunMatch(entry, entry.points)
    rows = tuple(
        row for row in entry.points if all(condition.holds((row.get(column),)) for column, condition in by_point)
    )
    return RunMatch(entry, rows) if rows else None


def point_column(entry: CatalogueEntry, name: str) -> str | None:
    """The column of the points' rows for a name; None if it is no value of points, or if the run has no results."""
    prefix, bare = _parts(name)
    if not prefix and name in FACTS:
        return None
    column = entry.axis_columns.get(bare) if prefix != OUTPUT else None
    return column or (entry.output_columns.get(bare) if prefix != INPUT else None)


def run_values(entry: CatalogueEntry, name: str) -> list[Any]:
    """The values of a name in a run as a whole; [] if it has none."""
    prefix, bare = _parts(name)
    if not prefix and name in FACTS:
        value = FACTS[name](entry)
        return list(value) if isinstance(value, tuple) else [] if value is None else [value]
    if prefix != OUTPUT:
        constants = _flatten(entry.constants)
        if bare in constants:
            return [constants[bare]]
        if bare in entry.axes:
            return list(entry.axes[bare])
    if prefix != INPUT:
        column = entry.output_columns.get(bare)
        rows = [row[column] for row in entry.points if column in row] if column else []
        return rows or ([entry.outputs[bare]] if bare in entry.outputs else [])
    return []


def cell(match: RunMatch, column: str) -> str:
    """The text of a column for a run that was found: its values if they are few, else the range of numbers, else the first values.
    `max(NAME)`, min, mean, median, std, sum and count summarize the points that were found.
    """
    summary = _SUMMARY.fullmatch(column)
    values = _values(match, summary[2] if summary else column)
    if summary:
        numbers = [numeric for value in values if (numeric := number(value)) is not None]
        return short_text(_SUMMARIES[summary[1]](numbers)) if numbers else ""
    distinct = list(dict.fromkeys(short_text(value) for value in values))
    if len(distinct) <= _MOST_SHOWN:
        return " ".join(distinct)
    ordered = [number(value) for value in values]
    if all(numeric is not None for numeric in ordered):
        numbers = [numeric for numeric in ordered if numeric is not None]
        return f"{short_text(min(numbers))} … {short_text(max(numbers))}"
    return f"{' '.join(distinct[: _MOST_SHOWN - 1])} … ({len(distinct)})"


def _values(match: RunMatch, name: str) -> list[Any]:
    column = point_column(match.entry, name)
    if column is not None:
        return [row[column] for row in match.points if column in row]
    return run_values(match.entry, name)


def check_columns(columns: Sequence[str], entries: Sequence[CatalogueEntry]) -> None:
    """Raise SettingsError for a column that no run has, an unknown summary, or a summary of a column without numbers."""
    names = [names_of(entry) for entry in entries]
    for column in columns:
        summary = _SUMMARY.fullmatch(column)
        if summary and summary[1] not in _SUMMARIES:
            raise SettingsError(f"{summary[1]}() cannot summarize a column", fix=f"use one of: {', '.join(_SUMMARIES)}")
        name = summary[2] if summary else column
        _refuse_unknown(name, names)
        values = _values_of_all(name, entries) if summary else []
        if values and all(number(value) is None for value in values):
            raise SettingsError(f"{column}: {name} has no numbers", fix=f"name a column of numbers, or {name} alone")


def short_text(value: Any) -> str:
    """A value for a cell: numbers with six digits, everything in one line."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(text(value).split())


def _parts(name: str) -> tuple[str, str]:
    """(INPUT, OUTPUT or "", the name without that prefix)."""
    prefix = next((start for start in (INPUT, OUTPUT) if name.startswith(start)), "")
    return prefix, name.removeprefix(prefix)


def _flatten(constants: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """The constants, nested ones with names such as `solver.tol`."""
    flat: dict[str, Any] = {}
    for name, value in constants.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{path}{name}.")
        else:
            flat[f"{path}{name}"] = value
    return flat
