"""Sweeps: which points an experiment computes. Sweeps can be combined; their points are created when they are iterated over. Pure.

    grid(vintages=[2009, 2012], boroughs=["LYON_1", "LYON_2"])    every combination
    zipped(width=[1, 2], height=[10, 20])                         the first of each, the second of each…
    listed([{"tol": 0.1}, {"tol": 0.01}])                         these points
    a + b       the points of a, then those of b that a does not have
    a * b       every point of a with every point of b; they have no axis in common
    a.where(lambda point: point.tol < 1)     the points for which the function, of their values only, is true
    a.repeated(5)                            each point five times, with seeds 0 to 4

and `random_sample`, `latin_hypercube`, `sobol` (sampling.py). Points are created one by one: 100,000 of them take no more memory than
their axes. A value twice in an axis, or a row twice in a list, is refused as a mistake. In a sum, which may refine a coarse sweep and
repeat some of its points, a point that occurs twice runs once.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from functools import cached_property
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.experiment.points import Naming, Point
from hera_utils.experiment.values import canonical, python_value
from hera_utils.wording import counted

Axes = dict[str, list[Any]]

SHOWN = 10  # points of a sweep that a notebook shows
MOST_VALUES = 1_000_000
"""The most values of an axis. They are held in memory, some 300 bytes each, to find equal ones; and each would be a pod."""


class Sweep:
    """Points in order. Each axis is an attribute: its different values (`sweep.vintages`).

    axes: name → those values. len(), iteration, indices and slices work as on a list, but points are created only when needed.
    """

    def _new_points(self) -> Iterator[Point]:
        """The points, each a new object."""
        raise NotImplementedError

    def _shape(self) -> tuple[str, ...]:
        """The axes of the first points."""
        raise NotImplementedError

    def _values_for_naming(self) -> Mapping[str, Iterable[Any]]:
        """axis → the values for `Naming`; for an axis of numbers any one value is enough."""
        return self.axes

    @cached_property
    def axes(self) -> Axes:
        """Every value that occurs, once, in the order of its first appearance."""
        by_axis: dict[str, dict[str, Any]] = {name: {} for name in self._shape()}
        for point in self._new_points():
            for name, value in point.items():
                by_axis.setdefault(name, {}).setdefault(canonical(value), value)
        return {name: list(values.values()) for name, values in by_axis.items()}

    @property
    def axis_names(self) -> tuple[str, ...]:
        """The axes of the first points, without creating a point."""
        return self._shape()

    @cached_property
    def naming(self) -> Naming:
        return Naming(self._shape(), self._values_for_naming())

    @property
    def points(self) -> Sweep:
        """The sweep itself."""
        return self

    @property
    def description(self) -> str:
        """The sweep in few words: `3 vintages × 9 boroughs`."""
        return counted(len(self), "point")

    @property
    def drawn(self) -> int:
        """How many points were requested: a sample of lists has fewer if some are equal."""
        return len(self)

    def where(self, holds: Callable[[Point], object]) -> Sweep:
        """The points for which `holds` is true. They keep their names."""
        return FilteredSweep(self, holds)

    def repeated(self, times: int, *, axis: str = "seed", independent: bool = False) -> Sweep:
        """Each point `times` times, with one more axis: the seeds 0 … times-1, the same for every point.

        independent: different seeds for every point, 32 bits of a digest of its id: they do not change when points are added.
        """
        if not isinstance(times, int) or times < 1:
            raise SettingsError(f"a sweep cannot be repeated {times!r} times", fix="give 1 or more")
        return ReseededSweep(self, times, axis) if independent else self * grid(**{axis: range(times)})

    def with_axis(self, name: str, values: Iterable[Any]) -> Sweep:
        """This sweep with other values of an axis. Raises SettingsError if it is no axis of a grid."""
        raise SettingsError(
            f"`{name}` cannot be given other values: it is not an axis of a grid ({self.description})",
            fix="change the sweep where it is written, or give a file of points",
        )

    def _refuse_joining(self) -> None:
        """Raise SettingsError if the sweep cannot be part of a sum or a product."""

    def __iter__(self) -> Iterator[Point]:
        naming = self.naming
        for point in self._new_points():
            point._naming = naming
            yield point

    @cached_property
    def _count(self) -> int:
        return sum(1 for _ in self._new_points())

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        return next(self._new_points(), None) is not None

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            if _backwards(index):
                return list(self)[index]
            return list(itertools.islice(self, index.start, index.stop, index.step))
        point = next(itertools.islice(self, index if index >= 0 else len(self) + index, None), None)
        if point is None:
            raise IndexError(f"the sweep has {counted(len(self), 'point')}")
        return point

    def __getattr__(self, name: str) -> list[Any]:
        if name.startswith("_") or name in RESERVED:
            raise AttributeError(name)
        if name in self.axes:
            return self.axes[name]
        message = f"the sweep has no axis `{name}`; it has: {', '.join(self.axes) or 'none'}"
        raise AttributeError(message, name=name, obj=self)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.axes]

    def __add__(self, other: object) -> Sweep:
        return SweepSum((self, other)) if isinstance(other, Sweep) else NotImplemented

    def __mul__(self, other: object) -> Sweep:
        return Product(self, other) if isinstance(other, Sweep) else NotImplemented

    def __eq__(self, other: object) -> bool:
        """A sweep equals another sweep, or a list, of the same points in the same order."""
        if not isinstance(other, Sweep | list | tuple):
            return NotImplemented
        return all(point == other_point for point, other_point in itertools.zip_longest(self, other))

    def __hash__(self) -> int:
        return hash(next(self._new_points(), None))

    def __repr__(self) -> str:
        return f"<{self.description}>"

    def _repr_html_(self) -> str:
        from hera_utils.experiment.notebook import html_of_points

        return html_of_points(self.description, self[:SHOWN], len(self))


def _backwards(index: slice) -> bool:
    return any(number is not None and number < 0 for number in (index.start, index.stop, index.step))


class Grid(Sweep):
    """Every combination of some axes; the last axis varies fastest."""

    def __init__(self, axes: Mapping[str, Iterable[Any]]) -> None:
        self.axes = {name: axis(name, values) for name, values in axes.items()}

    def _new_points(self) -> Iterator[Point]:
        names = tuple(self.axes)
        for combination in itertools.product(*self.axes.values()):
            yield Point(dict(zip(names, combination, strict=True)))

    def _shape(self) -> tuple[str, ...]:
        return tuple(self.axes)

    def __len__(self) -> int:
        size = 1
        for values in self.axes.values():
            size *= len(values)
        return size

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return super().__getitem__(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"the sweep has {counted(len(self), 'point')}")
        index %= len(self)
        values: dict[str, Any] = {}
        for name in reversed(self.axes):
            index, digit = divmod(index, len(self.axes[name]))
            values[name] = self.axes[name][digit]
        return Point({name: values[name] for name in self.axes}, self.naming)

    @property
    def description(self) -> str:
        return " × ".join(f"{len(values)} {name}" for name, values in self.axes.items()) or "one point"

    def with_axis(self, name: str, values: Iterable[Any]) -> Sweep:
        if name not in self.axes:
            return super().with_axis(name, values)
        return Grid({**self.axes, name: values})

    def __repr__(self) -> str:
        return f"grid({', '.join(f'{name}={values!r}' for name, values in self.axes.items())})"


class ListedPoints(Sweep):
    """Points that are listed one by one. rows: Points or mappings. what: where they are from, for errors."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], *, what: str = "the list of points") -> None:
        self._rows: list[Point] = []
        first_rows: dict[str, int] = {}
        for number, row in enumerate(rows, 1):
            if not isinstance(row, Mapping):
                raise SettingsError(f"{what}, row {number}: {row!r} is not a mapping", fix='write {"tol": 0.1, …}')
            for name in row:
                check_axis_name(name)
            point = _order_like_first(Point({name: python_value(value) for name, value in row.items()}), self._rows)
            if (before := first_rows.setdefault(point.id, number)) != number:
                raise SettingsError(
                    f"{what}, row {number}: {point!r} is already in row {before}", fix="remove one: points must differ"
                )
            self._rows.append(point)
        if not self._rows:
            raise SettingsError(f"{what} is empty: nothing would be computed", fix="give at least one point")

    def _new_points(self) -> Iterator[Point]:
        for row in self._rows:
            yield _copy_point(row)

    def _shape(self) -> tuple[str, ...]:
        return self._rows[0].axes

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def description(self) -> str:
        return f"{counted(len(self), 'point')} ({', '.join(self.axes)})"


class SelectedPoints(Sweep):
    """Some points of another sweep, with their names. Its axes have the values that occur, in that sweep's order."""

    def __init__(self, whole: Sweep, points: Iterable[Point]) -> None:
        self._whole = whole
        self._chosen = tuple(points)

    @cached_property
    def axes(self) -> Axes:
        occurring: dict[str, dict[str, Any]] = {}
        for point in self._chosen:
            for name, value in point.items():
                occurring.setdefault(name, {}).setdefault(canonical(value), value)
        axes: Axes = {}
        for name, values in self._whole.axes.items():
            here = occurring.pop(name, {})
            axes[name] = [value for value in values if here.pop(canonical(value), self) is not self] + list(
                here.values()
            )
        return axes | {name: list(values.values()) for name, values in occurring.items()}

    @cached_property
    def naming(self) -> Naming:
        return self._whole.naming

    def _new_points(self) -> Iterator[Point]:
        for point in self._chosen:
            yield _copy_point(point)

    def __iter__(self) -> Iterator[Point]:
        return iter(self._chosen)

    def _shape(self) -> tuple[str, ...]:
        return self._whole._shape()

    def __len__(self) -> int:
        return len(self._chosen)

    @property
    def description(self) -> str:
        return f"{len(self)} of {self._whole.description}"


class FilteredSweep(Sweep):
    """The points of a sweep for which a function is true, with their names."""

    def __init__(self, whole: Sweep, holds: Callable[[Point], object]) -> None:
        self._whole = whole
        self._holds = holds

    @cached_property
    def naming(self) -> Naming:
        return self._whole.naming

    def _new_points(self) -> Iterator[Point]:
        for point in self._whole:
            try:
                holds = self._holds(point)
            except (AttributeError, KeyError, TypeError) as error:
                raise SettingsError(
                    f"the filter of the sweep failed for {point!r}: {error}",
                    fix="use only values that every point has, as in where(lambda point: point.tol < 1)",
                ) from error
            if holds:
                yield point

    def _shape(self) -> tuple[str, ...]:
        return self._whole._shape()

    @property
    def description(self) -> str:
        return f"{len(self)} of ({self._whole.description})"

    def with_axis(self, name: str, values: Iterable[Any]) -> Sweep:
        return FilteredSweep(self._whole.with_axis(name, values), self._holds)


class Product(Sweep):
    """Every point of one sweep with every point of another."""

    def __init__(self, first: Sweep, other: Sweep) -> None:
        first._refuse_joining()
        other._refuse_joining()
        both = set(first.axes) & set(other.axes)
        if both:
            name = sorted(both)[0]
            raise SettingsError(
                f"the axis `{name}` is in both factors of a product",
                fix="remove it from one, or chain the sweeps with +",
            )
        self._factors = (first, other)

    def _new_points(self) -> Iterator[Point]:
        left, right = self._factors
        for first in left._new_points():
            for second in right._new_points():
                yield Point({**first._values, **second._values})

    def _shape(self) -> tuple[str, ...]:
        left, right = self._factors
        return left._shape() + right._shape()

    def _values_for_naming(self) -> Mapping[str, Iterable[Any]]:
        left, right = self._factors
        return {**left._values_for_naming(), **right._values_for_naming()}

    @cached_property
    def axes(self) -> Axes:
        left, right = self._factors
        return {**left.axes, **right.axes}

    def __len__(self) -> int:
        left, right = self._factors
        return len(left) * len(right)

    @property
    def description(self) -> str:
        left, right = self._factors
        return " × ".join(
            f"({part.description})" if " + " in part.description else part.description for part in (left, right)
        )

    def with_axis(self, name: str, values: Iterable[Any]) -> Sweep:
        left, right = self._factors
        if name in left.axes:
            return Product(left.with_axis(name, values), right)
        return Product(left, right.with_axis(name, values))


class SweepSum(Sweep):
    """The points of several sweeps, one sweep after the other; each point once."""

    def __init__(self, parts: Iterable[Sweep]) -> None:
        self._parts = tuple(parts)
        for part in self._parts:
            part._refuse_joining()

    def _new_points(self) -> Iterator[Point]:
        shape, axes = self._shape(), set(self._shape())
        ids: set[str] = set()
        for part in self._parts:
            for point in part._new_points():
                if point.id in ids:
                    continue
                ids.add(point.id)
                if point.axes != shape and set(point.axes) == axes:
                    point._values = {name: point._values[name] for name in shape}
                yield point

    def _shape(self) -> tuple[str, ...]:
        return next((part._shape() for part in self._parts if part), self._parts[0]._shape())

    @property
    def description(self) -> str:
        return " + ".join(part.description for part in self._parts)


class ReseededSweep(Sweep):
    """Each point several times, with seeds that differ from those of other points."""

    def __init__(self, whole: Sweep, times: int, name: str) -> None:
        check_axis_name(name)
        if name in whole.axes:
            raise SettingsError(
                f"the sweep has an axis `{name}` already", fix="give the axis of seeds another name: axis=…"
            )
        self._whole, self._times, self._axis = whole, times, name

    def _new_points(self) -> Iterator[Point]:
        for point in self._whole._new_points():
            for time in range(self._times):
                digest = hashlib.blake2b(f"{point.id}:{time}".encode(), digest_size=4).digest()
                yield Point({**point._values, self._axis: int.from_bytes(digest, "big")})

    def _shape(self) -> tuple[str, ...]:
        return (*self._whole._shape(), self._axis)

    def _values_for_naming(self) -> Mapping[str, Iterable[Any]]:
        return {**self._whole._values_for_naming(), self._axis: (0,)}

    def __len__(self) -> int:
        return len(self._whole) * self._times

    @property
    def description(self) -> str:
        return f"{self._whole.description} × {self._times} {self._axis}"


def _order_like_first(point: Point, before: Sequence[Point]) -> Point:
    """The point with its values in the order of the first point, if it has the same axes."""
    if before and point.axes != before[0].axes and set(point.axes) == set(before[0].axes):
        return Point({name: point[name] for name in before[0].axes})
    return point


def _copy_point(point: Point) -> Point:
    copy = Point(point._values)
    copy._id = point._id
    return copy


# Names that an axis cannot have, because Point or Sweep has an attribute with that name.
RESERVED = frozenset(name for holder in (Point, Sweep) for name in dir(holder) if not name.startswith("_")) | {"point"}


def check_axis_name(name: object) -> None:
    """Raise SettingsError for what cannot be the name of an axis."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_") or name in RESERVED:
        why = " (points or sweeps have an attribute of that name)" if name in RESERVED else ""
        raise SettingsError(f"`{name}` cannot name an axis{why}", fix="choose another name, such as vintages")


def _limit_values(name: str, values: Iterable[Any]) -> Iterator[Any]:
    """The values of an axis. Raises SettingsError if they are too many: at the first value if their number is known (a range)."""
    if isinstance(values, range):
        endless = bool(values[MOST_VALUES:])  # len() raises OverflowError for very long ranges
    else:
        endless = isinstance(values, Sized) and len(values) > MOST_VALUES
    for number, value in enumerate(values):
        if endless or number == MOST_VALUES:
            raise SettingsError(
                f"the axis `{name}` has more than {MOST_VALUES:,} values",
                fix="give fewer values, or draw some of them: random_sample(1000, n=range(…))",
            )
        yield value


def axis(name: str, values: Iterable[Any]) -> list[Any]:
    """The values of an axis. Raises SettingsError if there are none, if one occurs twice, or if it is no list."""
    check_axis_name(name)
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise SettingsError(
            f"the axis `{name}` is not a list of values", fix=f"write {name}=[{values!r}] for a single value"
        )
    members = [python_value(value) for value in _limit_values(name, values)]
    if not members:
        raise SettingsError(
            f"the axis `{name}` has no values: nothing would be computed", fix="give at least one value"
        )
    keys: set[str] = set()
    for value in members:
        key = canonical(value)
        if key in keys:
            raise SettingsError(
                f"the axis `{name}` has the value {value!r} twice", fix="remove one: points must differ"
            )
        keys.add(key)
    return members


def grid(**axes: Iterable[Any]) -> Grid:
    """The sweep over every combination: `grid(vintages=[2009, 2012], boroughs=["LYON_1"])`.

    Raises SettingsError for an axis without values or with a value twice.
    """
    return Grid(axes)


def zipped(**axes: Iterable[Any]) -> ListedPoints:
    """The sweep over the first value of each axis, the second of each, and so on. Raises SettingsError unless all are equally long."""
    for name in axes:
        check_axis_name(name)
    columns = {name: list(_limit_values(name, values)) for name, values in axes.items()}
    if len({len(values) for values in columns.values()}) > 1:
        lengths = ", ".join(f"{len(values)} {name}" for name, values in columns.items())
        raise SettingsError(
            f"axes of unequal length cannot be zipped ({lengths})", fix="give exactly as many values to each"
        )
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    return ListedPoints(rows, what=f"zipped({', '.join(columns)})")


def listed(points: Sequence[Mapping[str, Any]]) -> ListedPoints:
    """The sweep over these points: `listed([{"tol": 0.1, "solver": "cg"}, …])`. Raises SettingsError for a point that occurs twice."""
    return ListedPoints(points)
