"""What a search looks for, and its trials: each is a point with its result. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.experiment.points import Point
from hera_utils.experiment.sampling import Spread
from hera_utils.experiment.values import as_json_value, canonical

DONE, FAILED, PRUNED = "Succeeded", "Failed", "Pruned"  # the statuses of points in a record


@dataclass(frozen=True)
class Trial:
    """A point that a search chose, with its result.

    status: Succeeded, Failed, or Pruned (stopped early). outputs: of its tasks, numbers as numbers; `trial["loss"]` is one of them.
    values: of the objectives; () unless it succeeded with numbers. steps: what it reported while it ran, step → value.
    """

    point: Point
    status: str = DONE
    outputs: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[float, ...] = ()
    steps: Mapping[int, float] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.status == FAILED

    @property
    def pruned(self) -> bool:
        return self.status == PRUNED

    def __getitem__(self, output: str) -> Any:
        if output not in self.outputs:
            there = ", ".join(self.outputs) or "none"
            raise KeyError(
                f"the point {self.point.name} ({self.status}) has no output `{output}`; its outputs are: {there}"
            )
        return self.outputs[output]


@dataclass(frozen=True)
class SearchDesign:
    """The definition of a search. most: how many different points it computes at most; at_once: how many in a round.

    space: axis → the values to draw from, {} if only the sampler knows them. sampler: a name or an object; pruner: likewise, or None.
    after: the first step at which a point may be stopped.
    """

    most: int
    space: Mapping[str, Any]
    at_once: int = 1
    minimize: tuple[str, ...] = ()
    maximize: tuple[str, ...] = ()
    seed: int = 0
    sampler: Any = "tpe"
    pruner: Any = None
    after: int = 0

    @property
    def objectives(self) -> tuple[str, ...]:
        """The outputs that the search optimizes: first those to be minimized."""
        return self.minimize + self.maximize

    @property
    def prunes(self) -> bool:
        return self.pruner is not None or hasattr(self.sampler, "prune")

    @cached_property
    def spreads(self) -> dict[str, Spread]:
        return {name: Spread(name, given) for name, given in self.space.items()}

    def values_of(self, point: Point, outputs: Mapping[str, Any]) -> tuple[float, ...]:
        """The objectives of a point that succeeded; () if one is infinite or nan. Raises SettingsError if an output is missing or is no
        number.
        """
        values = []
        for name in self.objectives:
            if name not in outputs:
                there = ", ".join(outputs) or "none"
                raise SettingsError(
                    f"no task of the point {point.name} has an output `{name}`, which the search looks at; its outputs are: {there}",
                    fix="name one of these in minimize or maximize; what a task prints is `result`",
                )
            value = outputs[name]
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise SettingsError(
                    f"the output `{name}` of the point {point.name} is {str(value)[:60]!r}, which is not a number",
                    fix="let the task write one number, and nothing else, to that output",
                )
            values.append(float(value))
        return tuple(values) if all(map(math.isfinite, values)) else ()

    def with_objective_values(self, trial: Trial) -> Trial:
        """The trial with the values of its objectives; it counts as failed if one of them is infinite or nan."""
        if trial.status != DONE:
            return trial
        values = self.values_of(trial.point, trial.outputs)
        return replace(trial, values=values, status=DONE if values or not self.objectives else FAILED)

    def as_json(self) -> dict[str, Any]:
        """The design for a record; the samplers of two searches with equal records may still be different objects."""
        return {
            "points": self.most,
            "at_once": self.at_once,
            "space": {name: _describe(given) for name, given in self.space.items()},
            "minimize": list(self.minimize),
            "maximize": list(self.maximize),
            "seed": self.seed,
            "sampler": name_of(self.sampler),
            "pruner": None if self.pruner is None else name_of(self.pruner),
            "after": self.after,
        }

    @property
    def words(self) -> str:
        """`search by tpe over x, nu: minimize loss`."""
        goals = [("minimize", self.minimize), ("maximize", self.maximize)]
        goal = " and ".join(f"{verb} {', '.join(names)}" for verb, names in goals if names)
        pruned = f", pruned by {name_of(self.pruner)}" if self.pruner is not None else ""
        over = f" over {', '.join(self.space)}" if self.space else ""
        return f"search by {name_of(self.sampler)}{over}{pruned}{f': {goal}' if goal else ''}"


def best(design: SearchDesign, trials: Iterable[Trial]) -> list[Trial]:
    """The best trials: one for one objective, the Pareto front for several, [] if no trial has a value."""
    signs = [1.0] * len(design.minimize) + [-1.0] * len(design.maximize)
    valued = [
        (tuple(s * v for s, v in zip(signs, trial.values, strict=True)), trial) for trial in trials if trial.values
    ]
    if len(signs) == 1:
        return [min(valued, key=lambda pair: pair[0])[1]] if valued else []
    return [trial for mine, trial in valued if not any(_dominates(other, mine) for other, _ in valued)]


def _dominates(values: tuple[float, ...], others: tuple[float, ...]) -> bool:
    return values != others and all(mine <= theirs for mine, theirs in zip(values, others, strict=True))


def name_of(thing: Any) -> str:
    """The name of a sampler or a pruner; of an object, that of its class."""
    return thing if isinstance(thing, str) else type(thing).__name__


def _describe(value: Any) -> Any:
    try:
        canonical(value)
    except SettingsError:
        return repr(value)
    return as_json_value(value)
