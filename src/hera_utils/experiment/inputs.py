"""What an experiment computes with: constants, and parameters that are swept over. What changes with the question."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hera_utils.experiment.points import Point
from hera_utils.experiment.sweeps import Grid, Narrowed, Sweep, grid
from hera_utils.experiment.values import members_of, plain

__all__ = ["Grid", "Inputs", "Point", "grid"]


@dataclass(frozen=True)
class Inputs:
    """The inputs of an experiment.

    constants: any object with attributes. parameters: a sweep (`grid`, `zipped`, `listed`…), or any object (or mapping) whose
    lists, tuples and ranges are the axes of a grid.
    """

    constants: Any = None
    parameters: Any = field(default_factory=lambda: Grid({}))
    _kept: Sweep | None = field(
        default=None, repr=False, compare=False
    )  # of narrowed inputs whose parameters are no sweep

    def __post_init__(self) -> None:
        if isinstance(self.parameters, Mapping):
            object.__setattr__(self, "parameters", Grid(self.parameters))

    @property
    def points(self) -> Sweep:
        """Every point of the sweep, in order; one without values when nothing is swept. Made one by one: see Sweep."""
        return self.sweep

    @property
    def sweep(self) -> Sweep:
        """The parameters as a sweep, whatever object holds them."""
        if isinstance(self.parameters, Sweep):
            return self.parameters
        if self._kept is not None:
            return self._kept
        return Grid({name: value for name, value in _attributes(self.parameters) if _is_axis(value)})

    @property
    def grid(self) -> Sweep:
        """The sweep, under the name it had when every sweep was a grid."""
        return self.sweep

    def narrowed(self, points: Iterable[Point]) -> Inputs:
        """These inputs with some of their points alone: `.points` is exactly them, and they keep their ids and names.

        The axes keep the values that occur, in their order; parameters that are no axis stay as they are.
        """
        kept = Narrowed(self.sweep, points)
        if isinstance(self.parameters, Sweep) or self.parameters is None:
            return Inputs(self.constants, kept)
        holder = copy.copy(self.parameters)
        for name, values in kept.axes.items():
            before = getattr(self.parameters, name)
            object.__setattr__(holder, name, tuple(values) if isinstance(before, tuple) else values)
        return Inputs(self.constants, holder, kept)

    def as_json(self) -> dict[str, Any]:
        """Constants, axes and how many points, as JSON has them: what a record of a run says of its inputs."""
        constants = dict(_attributes(self.constants))
        sweep = self.sweep
        return {
            "constants": {name: plain(value) for name, value in constants.items()},
            "parameters": {name: plain(values) for name, values in sweep.axes.items()},
            "sweep": sweep.told,
            "points": len(sweep),
        }


def _is_axis(value: Any) -> bool:
    return isinstance(value, list | tuple | range)


def _attributes(holder: Any) -> Iterator[tuple[str, Any]]:
    if holder is None:
        return
    members = members_of(holder)
    if members is None:
        members = dict(holder) if isinstance(holder, Mapping) else vars(holder)
    for name, value in members.items():
        if not name.startswith("_"):
            yield name, value
