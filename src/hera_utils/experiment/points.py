"""A point of a sweep: its values, its stable id, its readable name. Pure.

The id is a digest of the values only: the same values have the same id, whatever else is swept and in whatever order the axes are.
The name consists of the values too, and ends in a part of the id if the values alone would not make it unique:

- a value that reads like an earlier one of its axis (`LYON-1` after `LYON_1`), or that had to be rounded;
- a value with more or fewer hyphens than the first of its axis (`a-b` beside `c`, and `a` beside `b-c`, would both be `a-b-c`), except
  on one axis, the first whose first value is no number: the words of all other axes show where its value begins and ends;
- a point whose axes are not those of the sweep's first points (in chained sweeps);
- a name of more than 40 characters: the rest of the 63 that Kubernetes allows is for the user (`collect-…`).

A later point of a sweep never changes the name of an earlier one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from hera_utils.experiment.values import argument, canonical, format_for_names

LONGEST_NAME = 40
_DIGITS_IN_NAMES = 12  # hexadecimal, 48 bits: among 100,000 names two are equal once in 50,000 sweeps
_DIGITS = 16


class Naming:
    """Names the points of one sweep. shape: the axes of its first points; axes: name → its values in order."""

    def __init__(self, shape: tuple[str, ...], axes: Mapping[str, Iterable[Any]]) -> None:
        self.shape = shape
        self._axes = {name: axes[name] for name in shape}

    @cached_property
    def _read(self) -> dict[str, tuple[int, dict[str, tuple[str, bool]] | None]]:
        read, free = {}, False
        for name, values in self._axes.items():
            mine = not free and type(next(iter(values), 0)) not in (int, float)
            free = free or mine
            read[name] = _table(values, any_hyphens=mine)
        return read

    def name(self, point: Point) -> str:
        """The point's name: at most 40 characters, an RFC 1123 label, unique in the sweep."""
        words, sure = [], point.axes == self.shape
        for axis, value in point.items():
            word, exact = self._word(axis, value)
            words.append(word)
            sure = sure and exact
        name = "-".join(words) or "point"
        if sure and len(name) <= LONGEST_NAME:
            return name
        room = LONGEST_NAME - _DIGITS_IN_NAMES - 1
        return f"{name[:room].rstrip('-')}-{point.id[:_DIGITS_IN_NAMES]}"

    def _word(self, axis: str, value: Any) -> tuple[str, bool]:
        hyphens, table = self._read.get(axis, (0, None))
        if table is not None:
            found = table.get(canonical(value))
            if found is not None:
                return found
        word, exact = format_for_names(value)
        return word, exact and table is None and word.count("-") == hyphens


def _table(values: Iterable[Any], *, any_hyphens: bool) -> tuple[int, dict[str, tuple[str, bool]] | None]:
    """(hyphens of the first value, canonical value → (word, whether no other value has it)); None for numbers, which need no table."""
    if all(type(value) in (int, float) for value in values):
        return 0, None
    table: dict[str, tuple[str, bool]] = {}
    used: set[str] = set()
    hyphens: int | None = None
    for value in values:
        word, _ = format_for_names(value)
        hyphens = word.count("-") if hyphens is None else hyphens
        rounded = type(value) is float and not format_for_names(value)[1]
        table.setdefault(
            canonical(value), (word, word not in used and (any_hyphens or word.count("-") == hyphens) and not rounded)
        )
        used.add(word)
    return hyphens or 0, table


class Point(Mapping[str, Any]):
    """One combination of the swept values: `point.vintages`, `point["vintages"]`.

    id: 16 hexadecimal digits, the same in every process for the same values. name: legal as the name of a task, unique in the sweep.
    arguments: the values as arguments of a task (`Task(…, arguments=point.arguments)`).
    """

    __slots__ = ("_id", "_naming", "_values")

    def __init__(self, values: Mapping[str, Any], naming: Naming | None = None) -> None:
        self._values = values if type(values) is dict else dict(values)
        self._naming = naming
        self._id = ""

    @property
    def id(self) -> str:
        if not self._id:
            values = self._values
            text = ";".join([f"{name}={canonical(values[name])}" for name in sorted(values)])
            self._id = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGITS // 2).hexdigest()
        return self._id

    @property
    def name(self) -> str:
        naming = self._naming
        if naming is None:
            naming = self._naming = Naming(self.axes, {name: (value,) for name, value in self._values.items()})
        return naming.name(self)

    @property
    def arguments(self) -> dict[str, Any]:
        """axis → value, as Hera accepts it: dates and paths as texts; numbers, booleans and None unchanged."""
        return {name: argument(value) for name, value in self._values.items()}

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of its values, in order."""
        return tuple(self._values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._values[name]
        except KeyError:
            message = f"the point has no value `{name}`; it has: {', '.join(self._values)}"
            raise AttributeError(message, name=name, obj=self) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._values]

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def items(self) -> Any:
        return self._values.items()

    def __eq__(self, other: object) -> bool:
        """Points are equal if their values are: 1, 1.0 and True are three different values."""
        if isinstance(other, Point):
            return self.id == other.id
        return Mapping.__eq__(self, other)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"Point({', '.join(f'{name}={value!r}' for name, value in self._values.items())})"
