"""The choice of pictures that best show the results of a run, from the kinds of its columns. Pure.

inputs that vary     output    picture
none                 number    histogram
one number           number    line (a scatter if the input has many values and several outputs for each)
one text             number    bars
two, on a grid       number    lines, one for each value of the input that has few; else a heat map
two, scattered       number    scatter, coloured by the second input
three and more       number    parallel coordinates; for a few rows a scatter, coloured by a text that has few values

A seed, which only repeats the other inputs, is no axis of a picture: lines and bars are means over it.
For a sweep over several inputs the page adds importance and coverage (pictures/cards.js).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hera_utils.results.columns import Column, ResultTable
from hera_utils.results.means import seeds_of

Picture = Literal["line", "scatter", "heat map", "bars", "parallel", "histogram"]

MOST_PLOTS = 12
_FEW = 10  # more lines in one picture cannot be told apart
_MOST_CELLS = 200  # along one side of a heat map
_MOST_BARS = 60
_FEW_ROWS = 60  # with fewer rows a scatter plot shows more than parallel coordinates


@dataclass(frozen=True)
class Plot:
    """One picture, by column names. series: the column that colours it, or the second axis of a heat map; "" for none."""

    kind: Picture
    output: str
    x: str = ""
    series: str = ""


def choose_plots(table: ResultTable) -> tuple[Plot, ...]:
    """A picture for every numeric output that varies, at most MOST_PLOTS; if there is none, one of the duration of tasks."""
    seeds = seeds_of(table)
    axes = [axis for axis in axes_of(table) if axis.name not in seeds]
    outputs = [column for column in varying(table.by_role("output")) if column.numeric]
    if not outputs:
        outputs = [column for column in varying(table.by_role("measure")) if column.name == "seconds"]
    return tuple(_plot(column, axes) for column in outputs[:MOST_PLOTS])


def axes_of(table: ResultTable) -> list[Column]:
    """The inputs that vary, without texts that another input determines (the folder of a year adds nothing to the year)."""
    inputs = varying(table.by_role("input"))
    axes: list[Column] = []
    for column in inputs:
        others = [one for one in inputs if one is not column and (one in axes or one.numeric)]
        if column.numeric or not any(_determines(other, column) for other in others):
            axes.append(column)
    return axes


def _determines(first: Column, second: Column) -> bool:
    """Whether each value of `first` comes with a single value of `second`; false if values hardly repeat, as that would be chance."""
    count = len(set(first.values))
    return count <= len(first.values) / 2 and len(set(zip(first.values, second.values, strict=True))) == count


def varying(columns: tuple[Column, ...]) -> list[Column]:
    """The columns with more than one value."""
    return [column for column in columns if len({cell for cell in column.values if cell is not None}) > 1]


def _plot(output: Column, axes: list[Column]) -> Plot:
    if not axes:
        return Plot("histogram", output.name)
    if len(axes) == 1:
        return _plot_over_one(output, axes[0])
    if len(axes) == 2:
        return _plot_over_two(output, *axes)
    return _plot_over_many(output, axes)


def _plot_over_one(output: Column, axis: Column) -> Plot:
    values = _count(axis)
    if not axis.numeric:
        return Plot("bars" if values <= _MOST_BARS else "scatter", output.name, axis.name)
    once = values >= sum(cell is not None for cell in axis.values)
    return Plot("line" if once or values <= _MOST_CELLS else "scatter", output.name, axis.name)


def _plot_over_two(output: Column, first: Column, second: Column) -> Plot:
    numbers = [axis for axis in (first, second) if axis.numeric]
    if _is_grid(first, second):
        few = [(x, axis) for axis in (second, first) if _count(axis) <= _FEW for x in numbers if x is not axis]
        if few:
            x, axis = min(few, key=lambda pair: _count(pair[1]))
            return Plot("line", output.name, x.name, axis.name)
        if max(_count(first), _count(second)) <= _MOST_CELLS:
            return Plot("heat map", output.name, first.name, second.name)
    across = numbers[0] if numbers else first
    return Plot("scatter", output.name, across.name, second.name if across is first else first.name)


def _plot_over_many(output: Column, axes: list[Column]) -> Plot:
    numbers = [axis for axis in axes if axis.numeric]
    if not numbers or len(output.values) > _FEW_ROWS:
        return Plot("parallel", output.name, (numbers or axes)[0].name)
    colours = [axis for axis in axes if axis is not numbers[0] and _count(axis) <= _FEW]
    colours.sort(key=lambda axis: axis.numeric)  # a text first
    return Plot("scatter", output.name, numbers[0].name, colours[0].name if colours else "")


def _count(column: Column) -> int:
    return len({cell for cell in column.values if cell is not None})


def _is_grid(first: Column, second: Column) -> bool:
    """Whether at least 60 % of the combinations of the two columns' values occur."""
    there = len(set(zip(first.values, second.values, strict=True)))
    return there >= 0.6 * _count(first) * _count(second)
