"""The experiment: a computation, its inputs, its layout and its environment, each written separately."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.experiment.author import Author, authors_of
from hera_utils.experiment.environment import Environment
from hera_utils.experiment.inputs import Inputs
from hera_utils.experiment.layout import Layout
from hera_utils.experiment.sweeps import Sweep

Define = Callable[[Environment, Inputs, Any], Any]
"""`define(environment, inputs, layout)` returns a Hera Workflow (or its document as a dictionary)."""


@dataclass(frozen=True)
class Experiment:
    """A numerical experiment, ready for an execution engine.

    workflow: the function that defines the workflow. inputs: Inputs, or only a sweep (or the mapping of its axes). layout: a subclass of
    Layout (called with the constants), a function of the constants, or a layout. environment: an Environment, or a function of the parsed
    arguments that returns one (`construct_environment`). gather: a function like `workflow`, for the workflow that runs once after all
    points, with all inputs. name: its name in the run's record (else that of its function or script). authors, license: of published runs
    (Author, or texts such as `Ada Lovelace 0000-0002-1825-0097`; an SPDX identifier such as CC-BY-4.0, or an address); else those of
    the settings.
    """

    workflow: Define
    inputs: Inputs = field(default_factory=Inputs)
    layout: Any = Layout
    environment: Environment | Callable[..., Environment] = field(default_factory=Environment)
    gather: Define | None = None
    name: str = ""
    authors: str | Author | Sequence[str | Author] = ()
    license: str = ""

    def __post_init__(self) -> None:
        if not callable(self.workflow):
            raise SettingsError(
                "the experiment's workflow is not a function", fix="give a function define(environment, inputs, layout)"
            )
        if self.gather is not None and not callable(self.gather):
            raise SettingsError(
                "the experiment's gather is not a function", fix="give a function gather(environment, inputs, layout)"
            )

        for what in ("name", "license"):
            if not isinstance(getattr(self, what), str):
                raise SettingsError(f"the experiment's {what} is {getattr(self, what)!r}", fix="give a text")
        if isinstance(self.layout, str | bytes | int | float):
            raise SettingsError(
                f"the experiment's layout is {self.layout!r}",
                fix="give a subclass of hera_utils.Layout, or a function of the constants that gives a layout",
            )
        object.__setattr__(self, "authors", authors_of(self.authors))
        for function in (self.workflow, self.gather):
            _check_signature(function)
        if isinstance(self.inputs, Sweep | Mapping):  # inputs without constants
            object.__setattr__(self, "inputs", Inputs(parameters=self.inputs))
        if not (hasattr(self.inputs, "points") and hasattr(self.inputs, "constants")):
            raise SettingsError(
                f"the experiment's inputs are a {type(self.inputs).__name__}",
                fix="give hera_utils.Inputs(constants=…, parameters=grid(…))",
            )
        if not callable(self.environment) and not isinstance(self.environment, Environment):
            raise SettingsError(
                f"the experiment's environment is of the type {type(self.environment).__name__}",
                fix="give a hera_utils.Environment, or a function of the arguments that gives one",
            )

    def made_layout(self) -> Any:
        """The layout; a class or a function is called with the constants."""
        return self.layout(self.inputs.constants) if callable(self.layout) else self.layout


def _check_signature(function: Any) -> None:
    """Raise SettingsError unless the function accepts the environment, the inputs and the layout."""
    if not inspect.isfunction(function):
        return
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError:
        name = function.__name__
        raise SettingsError(
            f"{name}{inspect.signature(function)} cannot take the environment, the inputs and the layout",
            fix=f"define it as {name}(environment, inputs, layout)",
        ) from None
