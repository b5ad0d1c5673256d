"""What an experiment computes with: constants, and parameters that are swept over. What changes with the question."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from hera_utils.errors import SettingsError

_RESERVED = frozenset({"axes", "points"})


class Point(Mapping[str, Any]):
    """One combination of the swept values: `point.vintages`, `point["vintages"]`."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getattr__(self, name: str) -> Any:
        try:
            return object.__getattribute__(self, "_values")[name]
        except KeyError:
            raise AttributeError(f"the point has no value `{name}`; it has: {', '.join(self._values)}") from None

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Point({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"

    def __hash__(self) -> int:
        return hash(repr(self))


class Grid:
    """Every combination of some axes. Each axis is an attribute: the list it was given (`grid.vintages`).

    axes: name → values. points: the combinations, the last axis running fastest.
    """

    def __init__(self, axes: Mapping[str, Iterable[Any]]) -> None:
        self.axes: dict[str, list[Any]] = {}
        for name, values in axes.items():
            self.axes[name] = _axis(name, values)

    def __getattr__(self, name: str) -> list[Any]:
        axes: dict[str, list[Any]] = self.__dict__.get("axes", {})
        if name in axes:
            return axes[name]
        raise AttributeError(f"the grid has no axis `{name}`; it has: {', '.join(axes)}")

    @property
    def points(self) -> Iterator[Point]:
        for combination in itertools.product(*self.axes.values()):
            yield Point(dict(zip(self.axes, combination, strict=True)))

    def __iter__(self) -> Iterator[Point]:
        return self.points

    def __len__(self) -> int:
        size = 1
        for values in self.axes.values():
            size *= len(values)
        return size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Grid) and other.axes == self.axes

    def __hash__(self) -> int:
        return hash(repr(self.axes))

    def __repr__(self) -> str:
        return f"grid({', '.join(f'{name}={values!r}' for name, values in self.axes.items())})"


def grid(**axes: Iterable[Any]) -> Grid:
    """The sweep over every combination: `grid(vintages=[2009, 2012], boroughs=["LYON_1"])`.

    Axes keep the name they are given. SettingsError for an axis without values or with a value twice.
    """
    return Grid(axes)


def _axis(name: str, values: Iterable[Any]) -> list[Any]:
    if name in _RESERVED or name.startswith("_") or not name.isidentifier():
        raise SettingsError(f"`{name}` cannot name an axis of a grid", fix="choose another name, such as vintages")
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise SettingsError(
            f"the axis `{name}` is no list of values", fix=f"write {name}=[{values!r}] for a single value"
        )
    made = list(values)
    if not made:
        raise SettingsError(
            f"the axis `{name}` has no values: nothing would be computed", fix="give at least one value"
        )
    seen: set[tuple[str, str]] = set()
    for value in made:
        key = (type(value).__name__, repr(value))
        if key in seen:
            raise SettingsError(
                f"the axis `{name}` has the value {value!r} twice", fix="remove one: points must differ"
            )
        seen.add(key)
    return made


@dataclass(frozen=True)
class Inputs:
    """The inputs of an experiment.

    constants: any object with attributes. parameters: a `grid`, or any object (or mapping) whose lists are the axes.
    """

    constants: Any = None
    parameters: Any = field(default_factory=lambda: Grid({}))

    def __post_init__(self) -> None:
        if isinstance(self.parameters, Mapping):
            object.__setattr__(self, "parameters", Grid(self.parameters))

    @property
    def points(self) -> list[Point]:
        """Every point of the sweep, in order; one without values when nothing is swept."""
        return list(self.grid.points)

    @property
    def grid(self) -> Grid:
        """The axes of the parameters, whatever object holds them: its lists, tuples and ranges."""
        if isinstance(self.parameters, Grid):
            return self.parameters
        return Grid(
            {name: value for name, value in _attributes(self.parameters) if isinstance(value, list | tuple | range)}
        )


def _attributes(holder: Any) -> Iterator[tuple[str, Any]]:
    if holder is None:
        return
    if is_dataclass(holder):
        for one in fields(holder):
            yield one.name, getattr(holder, one.name)
        return
    for name, value in vars(holder).items():
        if not name.startswith("_"):
            yield name, value
