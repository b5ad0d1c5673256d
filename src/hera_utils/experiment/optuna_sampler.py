"""Optuna as the sampler of a search, by ask and tell. Only this module imports Optuna, when a search is first used.

The study is kept in memory and created again each time: its results are in the run's record (docs/decisions: a search is replayed).
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hera_utils.errors import SettingsError

if TYPE_CHECKING:
    from hera_utils.experiment.points import Point
    from hera_utils.experiment.search_design import SearchDesign, Trial

_SAMPLERS = {
    "tpe": "TPESampler",
    "random": "RandomSampler",
    "cmaes": "CmaEsSampler",
    "gp": "GPSampler",
    "nsga2": "NSGAIISampler",
    "nsga3": "NSGAIIISampler",
    "qmc": "QMCSampler",
}
_PACKAGES = {"cmaes": "cmaes", "gp": "torch", "qmc": "scipy"}  # packages that Optuna imports only after the first round
_PRUNERS = {"median": "MedianPruner", "halving": "SuccessiveHalvingPruner", "hyperband": "HyperbandPruner"}


class OptunaSampler:
    """A study. Optuna gets the indices of a list's values instead of the values, because these may have any type."""

    def __init__(self, design: SearchDesign) -> None:
        self.optuna = _import_optuna()
        self.design = design
        self._waiting: list[Any] = []
        self._reported: dict[int, set[int]] = {}
        with _silence(self.optuna, design):
            self.study = self.optuna.create_study(
                directions=["minimize"] * len(design.minimize) + ["maximize"] * len(design.maximize),
                sampler=self._sampler(),
                pruner=self._pruner(),
                study_name="search",  # Hyperband assigns brackets by a hash of it
            )
        # samplers that have no more points call `stop`, which Optuna allows only inside its own loop
        self.study.stop = self._forget_old_trials
        self._over = False
        self.distributions = {name: self._distribution(name) for name in design.space}

    def ask(self, n: int) -> list[dict[str, Any]]:
        if self._over:
            return []
        with _silence(self.optuna, self.design):
            self._waiting = [self.study.ask(self.distributions) for _ in range(n)]
        return [self._values(trial) for trial in self._waiting]

    def tell(self, results: Sequence[Trial]) -> None:
        with _silence(self.optuna, self.design):
            for trial, result in zip(self._waiting, results, strict=True):
                for step, value in sorted(result.steps.items()) if self.design.pruner is not None else ():
                    self._report(trial, step, value)
                if result.values:
                    self.study.tell(trial, list(result.values))
                else:
                    state = self.optuna.trial.TrialState
                    self.study.tell(trial, state=state.PRUNED if result.pruned else state.FAIL)

    def prune(self, point: Point, steps: Mapping[int, float]) -> bool:
        """Called while a round runs, for its points, each time with one more step."""
        trial = next(waiting_trial for waiting_trial in self._waiting if self._values(waiting_trial) == dict(point))
        with _silence(self.optuna, self.design):
            return self._report(trial, *max(steps.items()))

    def _forget_old_trials(self) -> None:
        self._over = True

    def _report(self, trial: Any, step: int, value: float) -> bool:
        """Report a step, unless it was reported before; whether to prune the trial."""
        reported = self._reported.setdefault(trial.number, set())
        if step not in reported:
            reported.add(step)
            trial.report(value, step)
        return bool(trial.should_prune())

    def _values(self, trial: Any) -> dict[str, Any]:
        values = {name: spread.values for name, spread in self.design.spreads.items()}
        return {name: number if (of := values[name]) is None else of[number] for name, number in trial.params.items()}

    def _distribution(self, name: str) -> Any:
        spread, kinds = self.design.spreads[name], self.optuna.distributions
        if spread.values is None:
            return kinds.FloatDistribution(spread.low, spread.high, log=spread.log)
        numbers = range(len(spread.values))
        if isinstance(spread.values, range):
            return kinds.IntDistribution(0, len(numbers) - 1)
        return kinds.CategoricalDistribution(tuple(numbers))

    def _sampler(self) -> Any:
        choice, seed = self.design.sampler, self.design.seed
        if not isinstance(choice, str):
            return copy.deepcopy(choice)
        if choice in _PACKAGES and find_spec(_PACKAGES[choice]) is None:
            raise ModuleNotFoundError(name=_PACKAGES[choice])
        more = {"constant_liar": True} if choice == "tpe" and self.design.at_once > 1 else {}
        return getattr(self.optuna.samplers, _SAMPLERS[choice])(seed=seed, **more)

    def _pruner(self) -> Any:
        choice = self.design.pruner
        if choice is None:
            return self.optuna.pruners.NopPruner()
        return getattr(self.optuna.pruners, _PRUNERS[choice])() if isinstance(choice, str) else copy.deepcopy(choice)


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise SettingsError(
            "this search needs Optuna, which is not installed",
            fix="pip install 'hera_utils[search]', or give the search a sampler of your own",
        ) from None
    return optuna


@contextmanager
def _silence(optuna: Any, design: SearchDesign) -> Iterator[None]:
    """Inside, Optuna prints nothing to standard error, and a sampler's missing package becomes a SettingsError."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    except ImportError as error:
        raise SettingsError(
            f"the sampler {design.sampler} of Optuna needs a package that is not installed ({error.name or error})",
            fix=f"pip install {error.name or 'what it names'}, or give another sampler, such as tpe",
        ) from None
    except (ValueError, RuntimeError, TypeError) as error:
        raise SettingsError(
            f"Optuna refuses this search ({error})", fix="change its sampler, pruner, objectives or axes accordingly"
        ) from error
    finally:
        optuna.logging.set_verbosity(before)
