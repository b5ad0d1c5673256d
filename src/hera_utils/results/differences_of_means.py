"""Compares the values of an axis (for example methods) by the differences of their means over repeated points, with intervals. Pure.

Points of two values with the same seed are compared in pairs, so that the effect of a seed on both cancels. If two values of the axis
have no seed in common, their points are independent, and the variances of their means add up (Welch).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hera_utils.errors import ResourceError
from hera_utils.experiment.values import canonical, for_json
from hera_utils.results.columns import Column, ResultTable, cell_text
from hera_utils.results.means import TINY, Mean, Means, averaged_outputs, digits_of, groups_of, means, seeds_of
from hera_utils.results.student_distribution import half_width
from hera_utils.results.summary import Summary
from hera_utils.results.terminal_table import Sheet, number
from hera_utils.wording import counted, did_you_mean

CONFIDENCE = 0.95
MOST_CHOICES = 8
_ROUNDING = 1e-13  # relative to a value: an error below this is rounding, and the differences count as equal
Json = dict[str, Any]
Values = Mapping[Hashable, float]
"""The seeds of a repeated point → the value of an output."""


@dataclass(frozen=True)
class MeanDifference:
    """A mean minus the mean of the reference.

    low, high: its interval, None if the error cannot be estimated (fewer than two values, or all differences are equal).
    pairs: the number of pairs it is computed from; None for independent values.
    """

    value: float
    low: float | None
    high: float | None
    pairs: int | None

    @classmethod
    def of(cls, values: Values, reference: Values, confidence: float) -> MeanDifference | None:
        """The difference of two means; None if one of them has no values. confidence: that of the interval."""
        if not values or not reference:
            return None
        ours, theirs = Mean.of(list(values.values())), Mean.of(list(reference.values()))
        common = [key for key in values if key in reference]
        if common:
            paired = Mean.of([values[key] - reference[key] for key in common])
            value, error, degrees, pairs = paired.value, paired.error or 0.0, paired.count - 1.0, len(common)
        else:
            value, error, pairs = ours.value - theirs.value, math.hypot(ours.error or 0.0, theirs.error or 0.0), None
            degrees = _degrees_of_welch(ours, theirs, error)
        rounding = _ROUNDING * max(abs(ours.value), abs(theirs.value))
        if degrees < 1 or not max(TINY, rounding) < error < math.inf:
            return cls(value, None, None, pairs)
        half = half_width(confidence, degrees) * error
        low, high = value - half, value + half
        return (
            cls(value, low, high, pairs)
            if math.isfinite(low) and math.isfinite(high)
            else cls(value, None, None, pairs)
        )

    def __str__(self) -> str:
        """The text `-0.020 [-0.045, 0.005]`, rounded to two digits of half the interval."""
        if self.low is None or self.high is None:
            return f"{'+' if self.value > 0 else ''}{number(self.value)}"
        (value, low, high), power = digits_of(
            self.high / 2 - self.low / 2, (self.value, self.low, self.high), signed=True
        )
        text = f"{value} [{low}, {high}]"
        return f"({text}){power}" if power else text


@dataclass(frozen=True)
class MeanDifferences(Summary):
    """The means of all groups and their differences to those of the reference, in each setting of the other axes.

    means: a group for each setting and value of the axis. reference: the value that the others are compared with. comparisons: the
    number of differences in a setting for which the intervals hold together. by_output: output → a difference for each group, None
    for the groups of the reference.
    """

    means: Means
    axis: str
    reference: str
    comparisons: int
    by_output: Mapping[str, tuple[MeanDifference | None, ...]]

    @property
    def title(self) -> str:
        together = f", for {counted(self.comparisons, 'comparison')} together" if self.comparisons > 1 else ""
        differences = f"differences to {self.axis}={self.reference}, with intervals of {CONFIDENCE:.0%}{together}"
        return f"{self.means.title}; {differences}"

    def sheet(self, *, exact: bool = True) -> Sheet:
        """The table for people: each mean is followed by its difference to the reference."""
        plain = self.means.sheet(exact=exact)
        first = len(plain.header) - len(self.by_output)
        header, lines = list(plain.header[:first]), [list(line[:first]) for line in plain.lines]
        for place, (name, column) in enumerate(self.by_output.items(), first):
            header += [name, f"{name} − {self.reference}"]
            for row, line in enumerate(lines):
                difference = column[row]
                line += [
                    plain.lines[row][place],
                    "" if difference is None else self._cell(difference, plain.lines[row][first - 1]),
                ]
        numeric = (*plain.numeric[:first], *[True] * (2 * len(self.by_output)))
        return Sheet(self.title, tuple(header), tuple(map(tuple, lines)), numeric)

    def _cell(self, difference: MeanDifference, count: str) -> str:
        if difference.pairs is None:
            return f"{difference} (not paired)"
        return (
            str(difference) if str(difference.pairs) == count else f"{difference} ({counted(difference.pairs, 'pair')})"
        )

    def table(self) -> ResultTable:
        """The table for programs: the columns of the means, then four columns for each output."""
        columns = list(self.means.table().columns)
        for name, column in self.by_output.items():
            for label, cells in (
                ("difference", tuple(cell and cell.value for cell in column)),
                ("low", tuple(cell and cell.low for cell in column)),
                ("high", tuple(cell and cell.high for cell in column)),
                ("pairs", tuple(cell and cell.pairs for cell in column)),
            ):
                columns.append(Column(f"{label}({name})", "output", cells))
        return ResultTable(f"differences by {self.axis}", tuple(columns))

    def as_json(self) -> list[Json]:
        """The JSON of the means; each compared output has also a `difference` with to, value, low, high and pairs."""
        rows = self.means.as_json()
        for name, column in self.by_output.items():
            for row, difference in zip(rows, column, strict=True):
                if difference is not None:
                    row["outputs"][name]["difference"] = {
                        "to": self.reference,
                        "value": for_json(difference.value),
                        "low": for_json(difference.low),
                        "high": for_json(difference.high),
                        "pairs": difference.pairs,
                    }
        return rows


def differences_of_means(
    points: ResultTable, axis: str, over: Sequence[str], reference: str | None = None
) -> MeanDifferences:
    """Compare each value of the axis with the reference (by default its first value), in each setting of the other axes.

    The intervals of one setting and output hold together (Bonferroni). Raises ResourceError if there is no such axis, or if the axis
    has no value `reference`.
    """
    points = _with_settings_together(points, axis, over)
    repeated = means(points, over)
    compared = next((column for column in repeated.inputs if column.name == axis), None)
    if compared is None:
        raise _no_such_axis(axis, over, points.title, [column.name for column in repeated.inputs])
    words = [_cell_text(compared, row) for row in range(len(compared.cells))]
    choices = list(dict.fromkeys(words))
    baseline = _choose_baseline(axis, choices, reference)
    comparisons = len(choices) - 1
    confidence = 1 - (1 - CONFIDENCE) / comparisons
    groups = groups_of(points, over)
    settings = [_setting(repeated.inputs, axis, row) for row in range(len(groups))]
    references = {settings[row]: groups[row] for row, value in enumerate(words) if value == baseline}
    seeds = [points.column(name) for name in over]
    by_output = {
        name: tuple(
            None
            if words[row] == baseline
            else MeanDifference.of(
                _values(points.column(name), seeds, rows),
                _values(points.column(name), seeds, references.get(settings[row], ())),
                confidence,
            )
            for row, rows in enumerate(groups)
        )
        for name in repeated.outputs
    }
    return MeanDifferences(repeated, axis, baseline, comparisons, by_output)


def _with_settings_together(points: ResultTable, axis: str, over: Sequence[str]) -> ResultTable:
    """The table with the points of one setting next to each other, and the compared axis as the last input."""
    rows = [row for group in groups_of(points, (axis, *over)) for row in group]
    columns = sorted(points.columns, key=lambda column: (column.role, column.name) == ("input", axis))
    return ResultTable(points.title, tuple(column.at_rows(rows) for column in columns))


def differences_of_choices(points: ResultTable) -> list[MeanDifferences]:
    """The comparisons that a report shows unasked: of each axis of 2 to MOST_CHOICES texts (methods, not sizes), if seeds repeat the
    points and an output is a number.
    """
    seeds = seeds_of(points)
    if not seeds or not averaged_outputs(points):
        return []
    choices = (column for column in points.by_role("input") if column.kind == "text" and column.name not in seeds)
    return [
        differences_of_means(points, column.name, seeds)
        for column in choices
        if 1 < len({_cell_text(column, row) for row in range(len(points))}) <= MOST_CHOICES
    ]


def _no_such_axis(axis: str, over: Sequence[str], title: str, names: Sequence[str]) -> ResourceError:
    why = (
        f"the values of `{axis}` repeat the points: they cannot be compared"
        if axis in over
        else f"the {title} have no axis `{axis}`{did_you_mean(axis, names)}"
    )
    return ResourceError(why, fix=f"compare the values of one of: {', '.join(names)}")


def _choose_baseline(axis: str, choices: Sequence[str], reference: str | None) -> str:
    baseline = choices[0] if reference is None else reference
    if baseline not in choices:
        raise ResourceError(
            f"the axis `{axis}` has no value {baseline}{did_you_mean(baseline, choices)}",
            fix=f"its values are: {', '.join(choices)}",
        )
    if len(choices) == 1:
        raise ResourceError(
            f"the axis `{axis}` has one value alone, {baseline}: there is nothing to compare", fix="name another axis"
        )
    return baseline


def _cell_text(column: Column, row: int) -> str:
    cell = column.cells[row]
    return "None" if cell is None else cell_text(cell)


def _setting(inputs: Sequence[Column], axis: str, row: int) -> tuple[Hashable, ...]:
    return tuple((canonical(column.cells[row]), row in column.nones) for column in inputs if column.name != axis)


def _values(output: Column, seeds: Sequence[Column], rows: Sequence[int]) -> Values:
    values: dict[Hashable, float] = {}
    for row in rows:
        if output.values[row] is not None:
            key: Hashable = tuple(canonical(column.cells[row]) for column in seeds)
            while key in values:  # tasks with equal inputs are paired in their order
                key = (key,)
            values[key] = float(output.values[row])
    return values


def _degrees_of_welch(ours: Mean, theirs: Mean, error: float) -> float:
    """Degrees of freedom of a difference of independent means (Welch-Satterthwaite); 0 if one of the means has no error."""
    if ours.error is None or theirs.error is None or not 0 < error < math.inf:
        return 0.0
    return 1 / sum((mean.error / error) ** 4 / (mean.count - 1) for mean in (ours, theirs) if mean.error)
