"""What a run will be, before anything is sent: the points, the workflow document, the limits of where it goes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hera_utils.errors import SettingsError, UnsupportedError
from hera_utils.experiment.environment import Environment
from hera_utils.experiment.experiment import Experiment
from hera_utils.preflight.limits import Size, breaches, size
from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """axes: name → how many values; points: their product. environment: as it will be. document: the workflow as it will be sent.

    workflow: Hera's object, when the experiment gave one.
    """

    axes: dict[str, int]
    points: int
    environment: Environment
    document: Json
    workflow: Any = None

    @property
    def size(self) -> Size:
        return size(self.document)

    def lines(self) -> list[str]:
        """The plan as it is told."""
        axes = " × ".join(f"{count} {name}" for name, count in self.axes.items())
        swept = f"{self.points} points ({axes})" if axes else "nothing is swept"
        count, exact = task_count(self.document)
        tasks = f"{'' if exact else 'at least '}{count} task{'' if count == 1 else 's'}"
        kilobytes = self.size.bytes / 1000
        return [f"{swept} → {tasks}, 1 workflow of {kilobytes:.1f} kB (limit of a cluster: 1 MiB)"]


def environment_of(experiment: Experiment, context: CLIContext) -> Environment:
    """The experiment's environment, where a flag, a variable or a file wins over what its author wrote."""
    written = experiment.environment
    made = written(context) if callable(written) else written
    if not isinstance(made, Environment):
        raise SettingsError(
            f"the experiment's environment is a {type(made).__name__}",
            fix="give a hera_utils.Environment, or a function that does",
        )

    def stronger(name: str) -> Any:
        return getattr(context, name) if context.given(name) else None

    return made.adapted(
        claim_name=stronger("k8s_volume_claim_name"),
        config_map=stronger("k8s_configmap_name"),
        registry=stronger("registry"),
    )


def plan(experiment: Experiment, context: CLIContext) -> Plan:
    """Define the workflow (Hera is bound by the caller) and look at it."""
    environment = environment_of(experiment, context)
    defined = experiment.workflow(environment, experiment.inputs, experiment.made_layout())
    document = document_of(defined)
    axes = {name: len(values) for name, values in experiment.inputs.grid.axes.items()}
    points = len(experiment.inputs.grid)
    return Plan(axes, points, environment, document, None if isinstance(defined, dict) else defined)


def document_of(defined: Any) -> Json:
    """The workflow document of what an experiment's function gave. SettingsError when it gave none."""
    if isinstance(defined, dict):
        return defined
    if not hasattr(defined, "to_dict"):
        raise SettingsError(
            f"the experiment's workflow function gave {'nothing' if defined is None else f'a {type(defined).__name__}'}",
            fix="end it with `return w`, w being its hera.workflows.Workflow",
        )
    # Hera's dictionaries hold enumerations and the like: through JSON they are what goes over the wire.
    document: Json = json.loads(json.dumps(defined.to_dict(), default=str))
    return document


def refuse_too_large(document: Json) -> None:
    """UnsupportedError for what no cluster takes."""
    for what, fix in breaches(document):
        raise UnsupportedError(what, fix=fix)


def task_count(document: Json) -> tuple[int, bool]:
    """(how many tasks the workflow will run, whether that is certain). Loops over results are counted once, and so are templates
    that call themselves: neither is known before the run. Conditions and retries are not looked at.
    """
    spec = document.get("spec") or {}
    templates = {template.get("name"): template for template in spec.get("templates") or []}
    known: dict[str, tuple[int, bool]] = {}

    def of(template: Json | None, above: tuple[str, ...]) -> tuple[int, bool]:
        if template is None:
            return 1, False  # of a WorkflowTemplate, or wrong: the server will say
        name = str(template.get("name", ""))
        if name in above:
            return 1, False
        if name and name in known:
            return known[name]
        calls = [*((template.get("dag") or {}).get("tasks") or [])]
        calls += [step for group in template.get("steps") or [] for step in group]
        if not calls:
            return (0 if "suspend" in template else 1), True
        found = [of_call(call, (*above, name)) for call in calls]
        answer = sum(count for count, _ in found), all(exact for _, exact in found)
        if name:
            known[name] = answer
        return answer

    def of_call(call: Json, above: tuple[str, ...]) -> tuple[int, bool]:
        count, exact = of(call.get("inline") or templates.get(call.get("template")), above)
        times, sure = _times(call)
        return count * times, exact and sure

    return of(templates.get(spec.get("entrypoint")), ())


def _times(call: Json) -> tuple[int, bool]:
    if call.get("withItems") is not None:
        return len(call["withItems"]), True
    sequence = call.get("withSequence") or {}
    if str(sequence.get("count", "")).isdigit():
        return int(sequence["count"]), True
    return 1, not (call.get("withParam") or sequence)
