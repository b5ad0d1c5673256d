"""Finds the experiment that a script describes, without running the experiment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.errors import SettingsError

if TYPE_CHECKING:
    from hera_utils.experiment.environment import Environment
    from hera_utils.experiment.experiment import Experiment
    from hera_utils.platforms.cluster import Cluster
    from hera_utils.settings.resolve import CLIContext

Json = dict[str, Any]


def environment_and_cluster(path: Path, settings: CLIContext) -> tuple[Environment, Cluster]:
    """The environment of a script's experiment, and the cluster of the settings, checked if a kubeconfig names it."""
    from hera_utils.execution.definition import environment_of
    from hera_utils.platforms.execution_platform import ExecutionPlatform

    environment = environment_of(experiment_of(path), settings)
    cluster = ExecutionPlatform(settings).cluster
    cluster.check_if_named()
    return environment, cluster


def experiment_of(path: Path) -> Experiment:
    """The script's Experiment: its variable `experiment`, or the only one that it runs or creates.

    The script is executed as `hera-utils lint` does: nothing that it submits is sent. Raises SettingsError if it has none or several.
    """
    experiment, _ = read_descriptions(path)
    if experiment is None:
        raise SettingsError(
            f"{path} describes no experiment",
            fix="create a hera_utils.Experiment and call it `experiment` in the script",
        )
    return experiment


def read_descriptions(path: Path) -> tuple[Experiment | None, list[Json]]:
    """(the script's Experiment or None, the documents of the workflows and templates that it builds without one).

    Raises SettingsError if it has several experiments.
    """
    from hera_utils.cli.options import given_settings
    from hera_utils.cli.script import build_document, execute
    from hera_utils.cli.script_recorder import ScriptRecording
    from hera_utils.experiment.experiment import Experiment
    from hera_utils.settings.script_host import ScriptHost

    script = execute(path, (), recording=ScriptRecording(sending=False), host=ScriptHost(given_settings()))
    variables = vars(sys.modules["__main__"])
    for candidates in ([variables.get("experiment")], script.experiments, list(variables.values())):
        several = list(
            {id(candidate): candidate for candidate in candidates if isinstance(candidate, Experiment)}.values()
        )
        if len(several) == 1:
            return several[0], []
        if several:
            raise SettingsError(
                f"{path} has {len(several)} experiments", fix="call the one to use `experiment` in the script"
            )
    documents = [build_document(workflow, path) for workflow in (*script.templates, *script.built)]
    return None, documents
