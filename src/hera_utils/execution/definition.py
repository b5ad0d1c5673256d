"""Calls the functions of an experiment, with all of its points or with some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.excepthook import first_words
from hera_utils.experiment.environment import Environment
from hera_utils.experiment.experiment import Define, Experiment
from hera_utils.experiment.inputs import Inputs
from hera_utils.experiment.point_matching import Axes
from hera_utils.experiment.points import Point
from hera_utils.experiment.search import is_of_search
from hera_utils.platforms.hera_binding import document_of_hera
from hera_utils.platforms.hera_errors import is_refused_by_hera
from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]


@dataclass(frozen=True)
class BuiltWorkflow:
    """What a function of the experiment returned. workflow: Hera's object; None when it returned a document."""

    document: Json
    workflow: Any = None

    @property
    def sent(self) -> bool:
        """Whether the function submitted the workflow with `w.create()`: then Hera has added a name that begins with generateName."""
        metadata = self.document.get("metadata") or {}
        return bool(metadata.get("name") and str(metadata["name"]).startswith(metadata.get("generateName") or "\0"))


class Definition:
    """An experiment in its environment. The caller must have bound Hera to the platform."""

    def __init__(self, experiment: Experiment, context: CLIContext) -> None:
        self.experiment = experiment
        self.environment = environment_of(experiment, context)

    @property
    def inputs(self) -> Inputs:
        return self.experiment.inputs

    @cached_property
    def layout(self) -> Any:
        return self.experiment.made_layout()

    @cached_property
    def axes(self) -> Axes:
        sweep = self.inputs.points
        return Axes(sweep.axes, open_ended=is_of_search(sweep))

    @cached_property
    def key(self) -> str:
        """Tells the runs of this experiment from others in the same folder: its name, else its function and the function's file."""
        if self.experiment.name:
            return self.experiment.name
        function = self.experiment.workflow
        code = getattr(function, "__code__", None)
        file = "" if code is None else Path(code.co_filename).name
        return f"{file}:{getattr(function, '__qualname__', type(function).__name__)}"

    def workflow(self, points: Sequence[Point] | None = None) -> BuiltWorkflow:
        """The workflow of these points; None: of all points."""
        inputs = self.inputs if points is None else self.inputs.narrowed(points)
        return self._call(self.experiment.workflow, inputs)

    @cached_property
    def gather(self) -> BuiltWorkflow | None:
        """What runs once after every point; None when the experiment has no such function."""
        return None if self.experiment.gather is None else self._call(self.experiment.gather, self.inputs)

    def _call(self, function: Define, inputs: Inputs) -> BuiltWorkflow:
        returned = function(self.environment, inputs, self.layout)
        document = document_of(returned, "workflow" if function is self.experiment.workflow else "gather")
        return BuiltWorkflow(document, None if isinstance(returned, dict) else returned)


def environment_of(experiment: Experiment, context: CLIContext) -> Environment:
    """The experiment's environment, where a flag, a variable or a file wins over what its author wrote."""
    written = experiment.environment
    environment = written(context) if callable(written) else written
    if not isinstance(environment, Environment):
        raise SettingsError(
            f"the experiment's environment is of the type {type(environment).__name__}",
            fix="give a hera_utils.Environment, or a function that returns one",
        )

    def stronger(name: str) -> Any:
        return getattr(context, name) if context.is_given(name) else None

    return environment.adapted(
        claim_name=stronger("k8s_volume_claim_name"),
        config_map=stronger("k8s_configmap_name"),
        registry=stronger("registry"),
        service_account=stronger("argo_service_account"),
    )


def document_of(returned: Any, what: str = "workflow") -> Json:
    """The workflow document of what an experiment's function returned. Raises SettingsError if it is none. what: workflow or gather."""
    if isinstance(returned, dict):
        return returned
    if not hasattr(returned, "to_dict"):
        raise SettingsError(
            f"the experiment's {what} function returned "
            f"{'nothing' if returned is None else f'a {type(returned).__name__}'}",
            fix="end it with `return w`, w being its hera.workflows.Workflow",
        )
    try:
        return document_of_hera(returned)
    except (TypeError, ValueError) as error:  # pydantic's are ValueErrors
        if not is_refused_by_hera(error):
            raise
        raise SettingsError(
            f"Hera refuses the {what} when it is built: {first_words(error)}",
            fix=f"correct it in the experiment's {what} function, or the functions of its tasks",
        ) from None
