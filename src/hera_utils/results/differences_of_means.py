"""Differences between the values of an axis (methods, say): of the means over points that repeat each other, with intervals. Pure.

Points that repeat each other with the same seed are compared with each other, in pairs: what a seed does to both of them is in no
difference then. Where two values of the axis have no seed in common, their points are independent, and the variances add up (Welch).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hera_utils.errors import ResourceError
from hera_utils.experiment.values import canonical, for_json
from hera_utils.results.columns import Column, ResultTable, in_words
from hera_utils.results.means import TINY, Mean, Means, digits_of, groups_of, means
from hera_utils.results.student import half_width
from hera_utils.results.terminal_table import Sheet, number
from hera_utils.wording import counted, did_you_mean

CONFIDENCE = 0.95
_ROUNDING = 1e-13  # of a value: differences that are this near to each other are equal
Json = dict[str, Any]
Values = Mapping[Hashable, float]
"""What repeats a point (its seeds) → an output."""


@dataclass(frozen=True)
class MeanDifference:
    """A mean less that of the reference. low, high: its interval, None where the values say nothing of how far it is off (fewer than two,
    or all differences are equal). pairs: from how many; None for values that are independent.
    """

    value: float
    low: float | None
    high: float | None
    pairs: int | None

    @classmethod
    def of(cls, values: Values, reference: Values, confidence: float) -> MeanDifference | None:
        """None where one of the two has no value. confidence: of the interval."""
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
        """`-0.020 [-0.045, 0.005]`: with two digits of half the interval."""
        if self.low is None or self.high is None:
            return f"{'+' if self.value > 0 else ''}{number(self.value)}"
        (value, low, high), power = digits_of(
            self.high / 2 - self.low / 2, (self.value, self.low, self.high), signed=True
        )
        text = f"{value} [{low}, {high}]"
        return f"({text}){power}" if power else text


@dataclass(frozen=True)
class MeanDifferences:
    """means: a group for each setting and value of the axis. reference: the value that the others are compared with. comparisons: how many
    differences of a setting the intervals hold for together. by_output: output → a difference per group, None for the reference.
    """

    means: Means
    axis: str
    reference: str
    comparisons: int
    by_output: Mapping[str, tuple[MeanDifference | None, ...]]

    def sheet(self, *, exact: bool = True) -> Sheet:
        """The means, and behind each the difference to the reference."""
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
        together = f", for {counted(self.comparisons, 'comparison')} together" if self.comparisons > 1 else ""
        title = (
            f"{plain.title}; differences to {self.axis}={self.reference}, with intervals of {CONFIDENCE:.0%}{together}"
        )
        return Sheet(title, tuple(header), tuple(map(tuple, lines)), numeric)

    def _cell(self, difference: MeanDifference, count: str) -> str:
        if difference.pairs is None:
            return f"{difference} (not paired)"
        return (
            str(difference) if str(difference.pairs) == count else f"{difference} ({counted(difference.pairs, 'pair')})"
        )

    def table(self) -> ResultTable:
        """For programs: the columns of the means, then four for each output."""
        columns = list(self.means.table().columns)
        for name, column in self.by_output.items():
            for label, cells in (
                ("difference", tuple(one and one.value for one in column)),
                ("low", tuple(one and one.low for one in column)),
                ("high", tuple(one and one.high for one in column)),
                ("pairs", tuple(one and one.pairs for one in column)),
            ):
                columns.append(Column(f"{label}({name})", "output", cells))
        return ResultTable("differences", tuple(columns))

    def as_json(self) -> list[Json]:
        """As of the means, and in each output that is compared a `difference`: to, value, low, high, pairs."""
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


def differences(points: ResultTable, axis: str, over: Sequence[str], reference: str | None = None) -> MeanDifferences:
    """Each value of the axis against one of them (by default the first), in each setting of the other axes.

    The intervals of one setting and output hold together (Bonferroni). ResourceError for what is no axis, or has no such value.
    """
    repeated = means(points, over)
    compared = next((column for column in repeated.inputs if column.name == axis), None)
    if compared is None:
        names = [column.name for column in repeated.inputs]
        why = (
            f"the values of `{axis}` repeat the points: they cannot be compared"
            if axis in over
            else f"the {points.title} have no axis `{axis}`{did_you_mean(axis, names)}"
        )
        raise ResourceError(why, fix=f"compare the values of one of: {', '.join(names)}")
    words = [_in_words(compared, row) for row in range(len(compared.cells))]
    choices = list(dict.fromkeys(words))
    chosen = choices[0] if reference is None else reference
    if chosen not in choices or len(choices) == 1:
        raise ResourceError(
            f"the axis `{axis}` has no value {chosen}{did_you_mean(chosen, choices)}"
            if chosen not in choices
            else f"the axis `{axis}` has one value alone, {chosen}: there is nothing to compare",
            fix=f"its values are: {', '.join(choices)}" if chosen not in choices else "name another axis",
        )
    comparisons = len(choices) - 1
    confidence = 1 - (1 - CONFIDENCE) / comparisons
    groups = groups_of(points, over)
    settings = [_setting(repeated.inputs, axis, row) for row in range(len(groups))]
    references = {settings[row]: groups[row] for row, value in enumerate(words) if value == chosen}
    seeds = [points.column(name) for name in over]
    by_output = {
        name: tuple(
            None
            if words[row] == chosen
            else MeanDifference.of(
                _values(points.column(name), seeds, rows),
                _values(points.column(name), seeds, references.get(settings[row], ())),
                confidence,
            )
            for row, rows in enumerate(groups)
        )
        for name in repeated.outputs
    }
    return MeanDifferences(repeated, axis, chosen, comparisons, by_output)


def _in_words(column: Column, row: int) -> str:
    cell = column.cells[row]
    return "None" if cell is None else in_words(cell)


def _setting(inputs: Sequence[Column], axis: str, row: int) -> tuple[Hashable, ...]:
    return tuple((canonical(one.cells[row]), row in one.nones) for one in inputs if one.name != axis)


def _values(output: Column, seeds: Sequence[Column], rows: Sequence[int]) -> Values:
    values: dict[Hashable, float] = {}
    for row in rows:
        if output.values[row] is not None:
            key: Hashable = tuple(canonical(column.cells[row]) for column in seeds)
            while key in values:  # of tasks with equal inputs the first is a pair with the first, and so on
                key = (key,)
            values[key] = float(output.values[row])
    return values


def _degrees_of_welch(ours: Mean, theirs: Mean, error: float) -> float:
    """Degrees of freedom of a difference of independent means (Welch-Satterthwaite); 0 where one of them has no error."""
    if ours.error is None or theirs.error is None or not 0 < error < math.inf:
        return 0.0
    return 1 / sum((one.error / error) ** 4 / (one.count - 1) for one in (ours, theirs) if one.error)
