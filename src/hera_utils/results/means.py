"""The mean of each output over points that repeat each other (other seeds, all else equal), with its standard error. Pure."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hera_utils.errors import ResourceError
from hera_utils.experiment.values import canonical, for_json
from hera_utils.results.columns import Column, ResultTable
from hera_utils.results.summary import Summary
from hera_utils.results.terminal_table import Sheet, number, texts
from hera_utils.wording import did_you_mean

_SEED = re.compile(
    r"(.*_)?(seeds?|replicates?|replication|repetition|reali[sz]ations?|rep)", re.IGNORECASE
)  # pictures/scales.js knows the same names
_MOST_DECIMALS, _LARGE = 6, 1e6
TINY = 1e-300  # errors below it have too few digits
_FEWEST_REPEATED = 2


@dataclass(frozen=True)
class Mean:
    """error: the standard error, None of a single value."""

    value: float
    error: float | None
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        count = len(values)
        if not all(map(math.isfinite, values)):
            return cls(sum(values) / count, math.nan if count > 1 else None, count)
        error = _float_or_infinity(lambda: statistics.stdev(values) / math.sqrt(count)) if count > 1 else None
        return cls(_float_or_infinity(lambda: float(statistics.mean(values))), error, count)

    def __str__(self) -> str:
        """`0.450 ± 0.011`: the error with two digits, the mean with as many decimals."""
        error = "" if self.error is None else f" ± {number(self.error)}"
        if not self.error or not math.isfinite(self.error) or self.error <= TINY:
            return number(self.value) + error
        digits, power = digits_of(self.error, (self.value, self.error))
        return f"({' ± '.join(digits)}){power}" if power else " ± ".join(digits)


def digits_of(error: float, values: Sequence[float], *, signed: bool = False) -> tuple[list[str], str]:
    """The values as texts, rounded to two digits of the error, and the power of ten by which all are divided ("" for none)."""
    sign, most = "+" if signed else "", max(map(abs, (*values, error)))
    decimals = 1 - math.floor(math.log10(error))
    if decimals <= _MOST_DECIMALS and most < _LARGE:
        return [f"{value:{sign}.{max(0, decimals)}f}" for value in values], ""
    power = math.floor(math.log10(most))
    decimals = max(0, decimals + power)
    return [f"{value / 10.0**power:{sign}.{decimals}f}" for value in values], f"e{power:+03d}"


@dataclass(frozen=True)
class Means(Summary):
    """over: the axes that repeat. inputs: the other axes, a cell per group. outputs: name → a mean per group, None without a value."""

    over: tuple[str, ...]
    inputs: tuple[Column, ...]
    outputs: dict[str, tuple[Mean | None, ...]]

    @property
    def title(self) -> str:
        return f"means over {' and '.join(self.over)}, with standard errors"

    def table(self) -> ResultTable:
        """The means for programs and for the page, with three columns per output."""
        columns = list(self.inputs)
        for name, column_means in self.outputs.items():
            columns += [
                Column(f"mean({name})", "output", tuple(mean and mean.value for mean in column_means)),
                Column(f"sem({name})", "output", tuple(mean and mean.error for mean in column_means)),
                Column(f"count({name})", "output", tuple(mean.count if mean else 0 for mean in column_means)),
            ]
        return ResultTable("means", tuple(columns))

    def as_json(self) -> list[dict[str, Any]]:
        """An object per group. NaN and infinity, which JSON does not have, are texts."""
        return [
            {
                "values": {
                    column.name: for_json(column.cells[row])
                    for column in self.inputs
                    if column.cells[row] is not None or row in column.nones
                },
                "outputs": {
                    name: {"mean": for_json(mean.value), "sem": for_json(mean.error), "count": mean.count}
                    for name, column_means in self.outputs.items()
                    if (mean := column_means[row])
                },
            }
            for row in range(len(next(iter(self.outputs.values()))))
        ]

    def sheet(self, *, exact: bool = True) -> Sheet:
        """For readers: `0.450 ± 0.011`, with the number of values if it differs from the column n (named count if an input is called n)."""
        groups = list(zip(*self.outputs.values(), strict=True))
        counts = [max((mean.count for mean in group if mean), default=0) for group in groups]
        inputs = [texts(column.for_readers(), wide=False, exact=exact) for column in self.inputs]
        lines = tuple(
            (*(cells[row] for cells in inputs), str(counts[row]), *(_cell(mean, counts[row]) for mean in group))
            for row, group in enumerate(groups)
        )
        numeric = (*(column.numeric for column in self.inputs), *[True] * (1 + len(self.outputs)))
        names = [column.name for column in self.inputs]
        header = (*names, "count" if "n" in names else "n", *self.outputs)
        return Sheet(self.title, header, lines, numeric)


def seeds_of(points: ResultTable) -> tuple[str, ...]:
    """The axes of seeds (`seed`, `replicate` and their like, `data_seed`), if they repeat the computation; else ()."""
    named = tuple(column.name for column in points.by_role("input") if _SEED.fullmatch(column.name))
    groups = groups_of(points, named) if named else []
    return named if len(groups) * _FEWEST_REPEATED <= len(points) else ()


def means(points: ResultTable, over: Sequence[str]) -> Means:
    """The means of groups of points that differ only in the axes `over`. Raises ResourceError if one is no axis, or if no output is a
    number.
    """
    axes = {column.name: column for column in points.by_role("input")}
    for name in over:
        if name not in axes:
            raise ResourceError(
                f"the {points.title} have no axis `{name}`{did_you_mean(name, axes)}",
                fix=f"the axes are: {', '.join(axes)}",
            )
    outputs = averaged_outputs(points)
    if not outputs:
        raise ResourceError(
            f"no output of the {points.title} is a number: there is no mean", fix="leave out --mean-over"
        )
    groups = groups_of(points, over)
    first_rows = [rows[0] for rows in groups]
    inputs = tuple(column.at_rows(first_rows) for name, column in axes.items() if name not in over)
    return Means(
        tuple(over), inputs, {output.name: tuple(_mean(output, rows) for rows in groups) for output in outputs}
    )


def means_over_seeds(points: ResultTable) -> Means | None:
    """The means over the seeds; None if the points do not repeat each other, or have no numeric output."""
    seeds = seeds_of(points)
    return means(points, seeds) if seeds and averaged_outputs(points) else None


def averaged_outputs(points: ResultTable) -> list[Column]:
    """The outputs that have a mean: numbers, and booleans, of which it is a share."""
    outputs = (column for column in points.by_role("output") if column.numeric or column.kind == "boolean")
    return [column for column in outputs if any(value is not None for value in column.values)]


def groups_of(points: ResultTable, over: Sequence[str]) -> list[list[int]]:
    """Groups of rows that are equal in all inputs except these, in the order of their first rows."""
    inputs = [column for column in points.by_role("input") if column.name not in over]
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row in range(len(points)):
        key = tuple((canonical(column.cells[row]), row in column.nones) for column in inputs)
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _mean(column: Column, rows: Sequence[int]) -> Mean | None:
    values = [float(column.values[row]) for row in rows if column.values[row] is not None]
    return Mean.of(values) if values else None


def _cell(mean: Mean | None, count: int) -> str:
    if mean is None:
        return ""
    return str(mean) if mean.count == count else f"{mean} (n={mean.count})"


def _float_or_infinity(compute: Any) -> float:
    try:
        return float(compute())
    except OverflowError:
        return math.inf
