"""Searches: sweeps whose points are chosen in rounds, each from the results of those before. Pure, except for samplers' libraries.

    search(50, at_once=5, seed=7, minimize="loss", x=(-5.0, 5.0), nu=logarithmic(1e-3, 1), solver=["lu", "cg"])
    search(20, sampler=Bisection(0.0, 2.0))

Axes are described as for samples (sampling.py). A sampler is the name of one of Optuna's, an object of Optuna, or an object with two
methods:

    ask(n)          returns at most n points, each a mapping: axis → value; [] to end the search
    tell(results)   gets the `Trial`s of the points that `ask` returned, in the same order

and, if it stops points early, `prune(point, steps)`: whether to stop a point that has reported these values (step → value).

A search is repeated from its beginning each time it is used: a new sampler gets the known results, round by round (`SearchProgress`). So a
sampler must choose the same points when it gets the same results.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NoReturn, Protocol

from hera_utils.errors import SettingsError
from hera_utils.experiment.points import Point
from hera_utils.experiment.search_design import SearchDesign, Trial, name_of
from hera_utils.experiment.sweeps import SelectedPoints, Sweep, check_axis_name
from hera_utils.experiment.values import python_value
from hera_utils.wording import counted

SAMPLERS = ("tpe", "random", "cmaes", "gp", "nsga2", "nsga3", "qmc")
PRUNERS = ("median", "halving", "hyperband")
_MAX_ROUNDS_WITHOUT_RESULT = 20  # rounds in a row with only known points, after which the search ends


class Sampler(Protocol):
    """Chooses the points of a search."""

    def ask(self, n: int, /) -> Sequence[Mapping[str, Any]]: ...

    def tell(self, results: Sequence[Trial], /) -> object: ...


class SearchProgress:
    """The progress of a search: the rounds that a sampler has chosen. The same results give the same rounds.

    points: every chosen point by its id, in the order in which it was first chosen. trials: the known results by id.
    """

    def __init__(self, design: SearchDesign) -> None:
        self.design, self.sampler = design, _fresh_sampler(design)
        self.points: dict[str, Point] = {}
        self.trials: dict[str, Trial] = {}
        self._round: list[Point] = []
        self._shape: tuple[str, ...] = tuple(design.space)

    def next(self) -> list[Point]:
        """The points of the next round whose results are unknown; [] if the search is over.

        A point that the sampler chooses again has its result already: the sampler gets the results of a round with only such points at
        once.
        """
        for _ in range(_MAX_ROUNDS_WITHOUT_RESULT):
            room = min(self.design.at_once, self.design.most - len(self.points))
            self._round = self._ask_sampler(room) if room > 0 else []
            if not self._round:
                return []
            fresh = {point.id: point for point in self._round if point.id not in self.trials}
            if fresh:
                self.points.update(fresh)
                return list(fresh.values())
            self._tell_sampler()
        return []

    def settle(self, trials: Iterable[Trial]) -> None:
        """Give the results of the round's points to the sampler."""
        for trial in trials:
            self.trials[trial.point.id] = self.design.with_objective_values(trial)
        self._tell_sampler()

    def prune(self, point: Point, steps: Mapping[int, float]) -> bool:
        """Whether to stop a point of the round that has reported these values."""
        worse = self.sampler.prune(point, steps)
        return bool(worse) and max(steps) >= self.design.after

    def _tell_sampler(self) -> None:
        self.sampler.tell([self.trials[point.id] for point in self._round])

    def _ask_sampler(self, room: int) -> list[Point]:
        answer = self.sampler.ask(room)
        if answer is None:
            return []
        if isinstance(answer, Mapping | str) or not isinstance(answer, Iterable):
            self._refuse(f"`ask` returned {answer!r}, which is not a list of points", 'return [{"x": 0.5}, …]')
        points = [self._point(values) for values in answer]
        if len(points) > room:
            self._refuse(
                f"`ask` returned {counted(len(points), 'point')} where {room} were asked for",
                "return at most n of them",
            )
        return points

    def _point(self, values: Any) -> Point:
        if not isinstance(values, Mapping):
            self._refuse(f"`ask` returned the point {values!r}, which is not a mapping", 'return [{"x": 0.5}, …]')
        for name in values:
            check_axis_name(name)
        self._shape = self._shape or tuple(values)
        for name in values:
            if name not in self._shape:
                axes = ", ".join(self._shape)
                self._refuse(f"`ask` returned a point with `{name}`; the axes are: {axes}", "return values of these")
        for name in self._shape:
            if name not in values:
                self._refuse(f"`ask` returned a point without `{name}`", "give each point a value of every axis")
        point = Point({name: python_value(values[name]) for name in self._shape})
        return self.points.get(point.id, point)

    def _refuse(self, what: str, fix: str) -> NoReturn:
        raise SettingsError(f"the sampler {name_of(self.design.sampler)} cannot be used: {what}", fix=fix)


def _fresh_sampler(design: SearchDesign) -> Any:
    """A new sampler. An object is copied, so that the script's own object does not change."""
    if _is_own(design.sampler):
        return copy.deepcopy(design.sampler)
    from hera_utils.experiment.optuna_sampler import OptunaSampler

    return OptunaSampler(design)


class Search(Sweep):
    """The points of a search that are known so far: at first those of its first round. Created by `search`."""

    def __init__(self, design: SearchDesign, points: Sequence[Point] | None = None) -> None:
        self._design = design
        if points is not None:
            self._known_points = tuple(points)

    @cached_property
    def _known_points(self) -> tuple[Point, ...]:
        points = tuple(SearchProgress(self._design).next())
        if not points:
            raise SettingsError(
                f"the sampler {name_of(self._design.sampler)} asks for no point at all",
                fix="let its method ask return at least one point the first time",
            )
        return points

    def pruned(self, by: Any = "median", *, after: int = 0) -> Search:
        """This search, which stops points early by the values that their tasks report (`report_step`).

        by: median, halving, hyperband, or an object of optuna.pruners. after: the first step at which a point may be stopped.
        """
        if _is_own(self._design.sampler):
            raise SettingsError(
                f"the sampler {name_of(self._design.sampler)} is not one of Optuna's, so none of its pruners can serve it",
                fix="give the sampler a method prune(point, steps) of its own",
            )
        if len(self._design.objectives) > 1:
            raise SettingsError(
                f"a search with {len(self._design.objectives)} objectives cannot be pruned: which of them is reported is unknown",
                fix="name one objective, or leave pruned out",
            )
        _check_name("pruner", by, PRUNERS)
        if not _is_whole(after):
            raise SettingsError(f"{after!r} is no step after which points may be stopped", fix="give a whole number")
        return Search(replace(self._design, pruner=by, after=after))

    def _new_points(self) -> Iterator[Point]:
        for point in self._known_points:
            copied = Point(point._values)
            copied._id = point._id
            yield copied

    def _shape(self) -> tuple[str, ...]:
        return tuple(self._design.space) or (self._known_points[0].axes if self._known_points else ())

    def _values_for_naming(self) -> Mapping[str, Iterable[Any]]:
        spreads = self._design.spreads
        return {
            name: (0,) if spread.numeric or spread.values is None else spread.values for name, spread in spreads.items()
        } or self.axes

    def __len__(self) -> int:
        return len(self._known_points)

    @property
    def description(self) -> str:
        design = self._design
        return f"at most {counted(design.most, 'point')}, {design.at_once} at once ({design.words})"

    def where(self, holds: Callable[[Point], object]) -> NoReturn:
        raise self._refusal("be filtered", "let the tasks of such points fail: the sampler is told")

    def repeated(self, times: int, *, axis: str = "seed", independent: bool = False) -> NoReturn:
        raise self._refusal("be repeated", "repeat the computation inside of the task, and give the mean")

    def _refuse_joining(self) -> None:
        raise self._refusal("be chained or multiplied", "give all axes to search")

    def _refusal(self, what: str, fix: str) -> SettingsError:
        return SettingsError(f"a search cannot {what}: its points are not known beforehand", fix=fix)


def search(
    points: int,
    /,
    *,
    sampler: Any = "tpe",
    at_once: int = 1,
    minimize: str | Sequence[str] = (),
    maximize: str | Sequence[str] = (),
    seed: int = 0,
    **axes: Any,
) -> Search:
    """A sweep of at most `points` points, which a sampler chooses from the results in rounds of `at_once` points.

    axes: (low, high), logarithmic(low, high), a range or a list of values, as for `random_sample`; none if the sampler knows them.
    minimize, maximize: names of outputs (what a task prints is `result`). sampler: tpe, random, cmaes, gp, nsga2, nsga3 or qmc, an
    object of optuna.samplers, or your own with `ask` and `tell`. seed: for Optuna's; the same seed and results give the same points.
    Optuna's samplers need `pip install 'hera_utils[search]'`.
    """
    for number, what in ((points, "points"), (at_once, "points at once")):
        if not _is_whole(number) or number < 1:
            raise SettingsError(f"{number!r} {what} cannot be searched", fix="give 1 or more")
    if not _is_whole(seed) or seed < 0:
        raise SettingsError(f"{seed!r} is no seed", fix="give a whole number, 0 or more")
    design = SearchDesign(points, dict(axes), at_once, _names(minimize), _names(maximize), seed, _instance(sampler))
    twice = [name for name in design.minimize if name in design.maximize]
    if twice or len(set(design.objectives)) < len(design.objectives):
        raise SettingsError(
            f"the search names `{(twice or design.objectives)[0]}` twice as an objective", fix="name each output once"
        )
    _check_name("sampler", design.sampler, SAMPLERS)
    if not _is_own(design.sampler):
        if not axes:
            raise SettingsError("a search without axes", fix="give at least one, such as x=(0.0, 1.0)")
        if not design.objectives:
            raise SettingsError(
                f"the sampler {name_of(sampler)} needs an objective",
                fix='give minimize="loss", or maximize="score"',
            )
    design.spreads  # noqa: B018  raises SettingsError for an axis that cannot be drawn from
    return Search(design)


def design_of(sweep: Sweep) -> SearchDesign | None:
    """The design of a search; None for any other sweep."""
    return sweep._design if isinstance(sweep, Search) else None


def is_of_search(sweep: Sweep) -> bool:
    """Whether the sweep is a search, or some of a search's points."""
    return isinstance(sweep, Search) or (isinstance(sweep, SelectedPoints) and isinstance(sweep._whole, Search))


def known_points(sweep: Sweep, points: Sequence[Point]) -> Search:
    """The search with these known points."""
    assert isinstance(sweep, Search), "called for searches only"
    return Search(sweep._design, points)


def _is_own(sampler: Any) -> bool:
    """Whether a sampler is an object of the script's own: neither a name nor one of Optuna's."""
    return not isinstance(sampler, str) and hasattr(sampler, "ask") and hasattr(sampler, "tell")


def _instance(sampler: Any) -> Any:
    """The sampler; of a class, a new object of it, created without arguments."""
    return sampler() if isinstance(sampler, type) and hasattr(sampler, "ask") else sampler


def _check_name(what: str, value: Any, names: Sequence[str]) -> None:
    """Raise SettingsError unless the value is one of the names or a usable object."""
    if isinstance(value, str):
        if value not in names:
            raise SettingsError(f"no {what} is called {value!r}", fix=f"give one of {', '.join(names)}, or an object")
    elif not (_is_own(value) or type(value).__module__.partition(".")[0] == "optuna" or _is_of_optuna(value)):
        if what == "sampler" and hasattr(value, "ask"):
            raise SettingsError(
                f"the sampler {name_of(value)} has no method `tell`",
                fix="give it tell(results); where it learns nothing from results, tell does nothing",
            )
        kinds = "methods ask(n) and tell(results)" if what == "sampler" else "a class of optuna.pruners"
        raise SettingsError(f"{value!r} is no {what} of a search", fix=f"give one of {', '.join(names)}, or {kinds}")


def _is_of_optuna(value: Any) -> bool:
    """Whether an object's class is derived from one of Optuna's."""
    return any(kind.__module__.partition(".")[0] == "optuna" for kind in type(value).__mro__)


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list | tuple) or not all(isinstance(name, str) for name in listed):
        raise SettingsError(
            f"{names!r} names no output", fix='write minimize="loss", or minimize=["loss", "cost"] for several'
        )
    return tuple(listed)


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)
