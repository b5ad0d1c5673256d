"""Which pictures show best what a run found: chosen from the kinds of its columns. Pure.

inputs that vary     output    picture
none                 number    histogram
one number           number    line (a scatter where one input has several answers and many values)
one text             number    bars
two, on a grid       number    lines, one a value of the input that has few; else a heat map
two, scattered       number    scatter, coloured by the second input
three and more       number    parallel coordinates; of a few rows a scatter, coloured by a text that has few values

Of a sweep over several inputs the page adds importance and coverage (pictures/cards.js).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hera_utils.results.columns import Column, ResultTable

Picture = Literal["line", "scatter", "heat map", "bars", "parallel", "histogram"]

MOST_PLOTS = 12
_FEW = 10  # lines in one picture that can be told apart
_MOST_CELLS = 200  # of a heat map, along one side
_MOST_BARS = 60
_FEW_ROWS = 60  # of which parallel coordinates show less than a scatter


@dataclass(frozen=True)
class Plot:
    """One picture: column names. series: what colours it (or the second side of a heat map), "" for nothing."""

    kind: Picture
    output: str
    x: str = ""
    series: str = ""


def chosen(table: ResultTable) -> tuple[Plot, ...]:
    """A picture for every output that is a number and varies; of how long tasks took where there is none."""
    axes = axes_of(table)
    outputs = [column for column in varying(table.by_role("output")) if column.numeric]
    if not outputs:
        outputs = [column for column in varying(table.by_role("measure")) if column.name == "seconds"]
    return tuple(_plot(column, axes) for column in outputs[:MOST_PLOTS])


def axes_of(table: ResultTable) -> list[Column]:
    """The inputs that vary, less texts that another input decides (the folder of a year says no more than the year)."""
    found = varying(table.by_role("input"))
    axes: list[Column] = []
    for column in found:
        others = [one for one in found if one is not column and (one in axes or one.numeric)]
        if column.numeric or not any(_decides(one, column) for one in others):
            axes.append(column)
    return axes


def _decides(first: Column, second: Column) -> bool:
    """Whether each value of one comes with a single value of the other, and more than by chance: values come again."""
    count = len(set(first.values))
    return count <= len(first.values) / 2 and len(set(zip(first.values, second.values, strict=True))) == count


def varying(columns: tuple[Column, ...]) -> list[Column]:
    """Those with more than one value."""
    return [column for column in columns if len({cell for cell in column.values if cell is not None}) > 1]


def _plot(output: Column, axes: list[Column]) -> Plot:
    numbers = [axis for axis in axes if axis.numeric]
    if not axes:
        return Plot("histogram", output.name)
    if len(axes) == 1:
        (axis,) = axes
        if not axis.numeric:
            return Plot("bars" if _count(axis) <= _MOST_BARS else "scatter", output.name, axis.name)
        once = _count(axis) >= sum(cell is not None for cell in axis.values)
        return Plot("line" if once or _count(axis) <= _MOST_CELLS else "scatter", output.name, axis.name)
    if len(axes) > 2:
        if numbers and len(output.values) <= _FEW_ROWS:
            colours = [axis for axis in axes if axis is not numbers[0] and _count(axis) <= _FEW]
            text = next((axis for axis in colours if not axis.numeric), colours[0] if colours else None)
            return Plot("scatter", output.name, numbers[0].name, "" if text is None else text.name)
        return Plot("parallel", output.name, (numbers or axes)[0].name, "")
    first_axis, second_axis = axes
    few = [axis for axis in axes if _count(axis) <= _FEW]
    if _is_grid(first_axis, second_axis):
        if few and (lines := [axis for axis in numbers if axis is not few[-1]]):
            return Plot("line", output.name, lines[0].name, few[-1].name)
        if max(_count(first_axis), _count(second_axis)) <= _MOST_CELLS:
            return Plot("heat map", output.name, first_axis.name, second_axis.name)
    first = (numbers or axes)[0]
    return Plot("scatter", output.name, first.name, next(axis for axis in axes if axis is not first).name)


def _count(column: Column) -> int:
    return len({cell for cell in column.values if cell is not None})


def _is_grid(first: Column, second: Column) -> bool:
    """Whether most combinations of the two are there."""
    there = len(set(zip(first.values, second.values, strict=True)))
    return there >= 0.6 * _count(first) * _count(second)
