"""Sweeps whose points are drawn: at random, as a Latin hypercube, or from Sobol's sequence. Pure: only the seed decides.

Each axis describes the values to draw from:

    (low, high)              real numbers, evenly
    logarithmic(low, high)   positive real numbers, evenly in their logarithm
    range(1, 7)              whole numbers, as Python counts them
    [value, …]               one of these

The same seed gives the same points on every machine. Each axis has its own random stream, so that another axis does not change its
values. Equal points (which only lists and ranges give) are one point.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.experiment.points import Point
from hera_utils.experiment.sweeps import Sweep, axis, check_axis_name
from hera_utils.experiment.values import python_value


@dataclass(frozen=True)
class logarithmic:
    """An axis of positive real numbers, drawn evenly in their logarithm."""

    low: float
    high: float


class Spread:
    """Turns a number from 0 (included) to 1 (excluded) into a value of an axis. numeric: whether the values are numbers from an interval
    or a range.
    """

    def __init__(self, name: str, bounds: Any) -> None:
        check_axis_name(name)
        self.low, self.high, self.values = 0.0, 0.0, None
        self.log = isinstance(bounds, logarithmic)
        if isinstance(bounds, logarithmic):
            bounds = (bounds.low, bounds.high)
        if isinstance(bounds, tuple):
            self.low, self.high = _bounds(name, bounds, positive=self.log)
        else:
            self.values = bounds if isinstance(bounds, range) and bounds else axis(name, bounds)

    def value(self, share: float) -> Any:
        if self.values is not None:
            return self.values[int(share * len(self.values))]
        if self.log:
            return min(self.high, math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low))))
        return self.low + share * (self.high - self.low)

    @property
    def numeric(self) -> bool:
        return self.values is None or isinstance(self.values, range)


def _bounds(name: str, pair: tuple[Any, ...], *, positive: bool) -> tuple[float, float]:
    bounds = tuple(python_value(bound) for bound in pair)
    if len(bounds) != 2 or not all(isinstance(bound, int | float) and math.isfinite(bound) for bound in bounds):
        raise SettingsError(
            f"the axis `{name}` cannot be drawn from {pair!r}", fix=f"write {name}=(low, high), or a list of values"
        )
    low, high = float(bounds[0]), float(bounds[1])
    if not low < high or (positive and low <= 0):
        condition = "0 < low < high" if positive else "low < high"
        raise SettingsError(f"the axis `{name}` goes from {low} to {high}", fix=f"give {condition}")
    return low, high


class Sampled(Sweep):
    """Points drawn by a method. `_shares` gives numbers from 0 to 1: one row for each point, one column for each axis."""

    method = ""

    def __init__(self, count: int, seed: int, axes: Mapping[str, Any]) -> None:
        if not isinstance(count, int) or count < 1:
            raise SettingsError(f"{count!r} points cannot be drawn", fix="draw 1 or more")
        if not axes:
            raise SettingsError("a sample without axes", fix="give at least one, such as x=(0.0, 1.0)")
        self._size, self._seed = count, seed
        self._spreads = {name: Spread(name, given) for name, given in axes.items()}

    def _shares(self) -> Iterator[Iterable[float]]:
        raise NotImplementedError

    def _new_points(self) -> Iterator[Point]:
        spreads = self._spreads
        drawn = (
            Point({name: spreads[name].value(share) for name, share in zip(spreads, row, strict=True)})
            for row in self._shares()
        )
        if self._all_differ:
            yield from drawn
            return
        ids: set[str] = set()
        for point in drawn:
            if point.id not in ids:
                ids.add(point.id)
                yield point

    def _shape(self) -> tuple[str, ...]:
        return tuple(self._spreads)

    def _values_for_naming(self) -> Mapping[str, Iterable[Any]]:
        return {
            name: (0,) if spread.numeric or spread.values is None else spread.values
            for name, spread in self._spreads.items()
        }

    @property
    def _all_differ(self) -> bool:
        """Whether points need not be compared: two draws of a real axis, of 53 bits, are practically never equal."""
        return any(spread.values is None for spread in self._spreads.values())

    @cached_property
    def _count(self) -> int:
        return self._size if self._all_differ else sum(1 for _ in self._new_points())

    @property
    def drawn(self) -> int:
        return self._size

    @property
    def description(self) -> str:
        fewer = "" if len(self) == self._size else f" of {self._size} drawn, the others are equal to these"
        return f"{len(self)} {self.method} ({', '.join(self._spreads)}){fewer}"


class Random(Sampled):
    method = "random"

    def _shares(self) -> Iterator[Iterable[float]]:
        streams = [random.Random(f"{self._seed}:{name}") for name in self._spreads]
        for _ in range(self._size):
            yield [stream.random() for stream in streams]


class LatinHypercube(Sampled):
    method = "latin hypercube"

    def _shares(self) -> Iterator[Iterable[float]]:
        columns = []
        for name in self._spreads:
            stream = random.Random(f"{self._seed}:{name}")
            strata = list(range(self._size))
            stream.shuffle(strata)
            columns.append(
                [min((stratum + stream.random()) / self._size, math.nextafter(1.0, 0.0)) for stratum in strata]
            )
        return zip(*columns, strict=True)


class Sobol(Sampled):
    method = "Sobol"

    def _shares(self) -> Iterator[Iterable[float]]:
        return _sequence(len(self._spreads), self._size, self._seed)


class Saltelli(Sampled):
    """Groups of points: a, then a with one coordinate after the other taken from b, then b."""

    method = "Saltelli"

    def __init__(self, groups: int, seed: int, axes: Mapping[str, Any]) -> None:
        if not isinstance(groups, int) or groups < 1:
            raise SettingsError(f"{groups!r} groups of points cannot be drawn", fix="draw 1 or more")
        if len(axes) < 2:
            raise SettingsError(
                "a design for Sobol indices has two axes or more: one alone explains all of the variance",
                fix="give another axis, or draw the points with sobol(…)",
            )
        super().__init__(groups * (len(axes) + 2), seed, axes)
        for name, spread in self._spreads.items():
            if spread.values is not None:
                raise SettingsError(
                    f"the axis `{name}` of this design has single values", fix=f"give real numbers, {name}=(low, high)"
                )

    def _shares(self) -> Iterator[Iterable[float]]:
        count = len(self._spreads)
        for both in _sequence(2 * count, self._size // (count + 2), self._seed):
            a, b = both[:count], both[count:]
            yield a
            for n in range(count):
                yield [*a[:n], b[n], *a[n + 1 :]]
            yield b


def _sequence(dimensions: int, count: int, seed: int) -> Iterator[list[float]]:
    """The beginning of Sobol's sequence, scrambled."""
    try:
        from scipy.stats import qmc  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        raise SettingsError(
            "Sobol's sequence needs scipy, which is not installed", fix="pip install 'hera_utils[sampling]'"
        ) from None
    numbers = qmc.Sobol(dimensions, scramble=True, seed=seed)
    # in parts, so that memory stays bounded; scipy wants a power of two
    part = min(1024, 1 << (count - 1).bit_length())
    while count > 0:
        yield from numbers.random(part).tolist()[:count]
        count -= part


def random_sample(count: int, /, *, seed: int = 0, **axes: Any) -> Sweep:
    """`count` points drawn independently: `random_sample(100, nu=logarithmic(1e-3, 1), cells=range(10, 100))`.

    A greater count keeps the earlier points.
    """
    return Random(count, seed, axes)


def latin_hypercube(count: int, /, *, seed: int = 0, **axes: Any) -> Sweep:
    """`count` points, one in each `count`-th part of every axis (McKay, Beckman, Conover 1979).

    Another count gives other points: for a sweep that may grow, use `sobol` or `random_sample`.
    """
    return LatinHypercube(count, seed, axes)


def sobol(count: int, /, *, seed: int = 0, **axes: Any) -> Sweep:
    """The first `count` points of Sobol's sequence, scrambled by the seed (Owen): even coverage, and a greater count keeps the points.

    Best with a power of two. Needs scipy (`pip install 'hera_utils[sampling]'`).
    """
    return Sobol(count, seed, axes)


def saltelli(groups: int, /, *, seed: int = 0, **axes: Any) -> Sweep:
    """A design for Sobol indices, which say how much of an output's variance each input explains (Saltelli et al. 2010).

    `saltelli(256, x=(0, 1), nu=logarithmic(1e-3, 1))` has 256 · (axes + 2) points; every axis is of real numbers. The report shows the
    indices. Best with a power of two; a greater number keeps the points. Needs scipy (`pip install 'hera_utils[sampling]'`).
    """
    return Saltelli(groups, seed, axes)
