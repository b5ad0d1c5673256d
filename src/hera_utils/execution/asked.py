"""What a command line asks of an experiment's inputs: `--inputs FILE` and `--set NAME=VALUE`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.layout import Layout
from hera_utils.settings.resolve import CLIContext

_FILE, _SET = "inputs_file", "inputs_set"


def add_flags(parser: argparse.ArgumentParser, group: Any) -> None:
    """The two flags, save where the script has one of that name for something of its own."""
    taken = parser._option_string_actions
    if "--inputs" not in taken:
        group.add_argument(
            "--inputs", dest=_FILE, metavar="FILE", help="constants and points from a TOML, YAML, JSON or CSV file"
        )
    if "--set" not in taken:
        group.add_argument(
            "--set",
            dest=_SET,
            metavar="NAME=VALUE",
            action="append",
            help="another value of a constant or an axis, as in vintages=2009,2012; again for more",
        )


def meant(experiment: Experiment, context: CLIContext) -> Experiment:
    """The experiment with the inputs that the command line asks for. SettingsError for what is no experiment."""
    if not isinstance(experiment, Experiment):
        raise SettingsError(
            f"a {type(experiment).__name__} is no experiment",
            fix="give hera_utils.Experiment(workflow=…, inputs=…, …)",
        )
    inputs = experiment.inputs
    file, settings = (getattr(context, name) if name in context else None for name in (_FILE, _SET))
    if file:
        inputs = inputs.with_file(file)
    if settings:
        inputs = inputs.changed(settings)
    return experiment if inputs is experiment.inputs else replace(experiment, inputs=inputs)


def check_layout(experiment: Experiment) -> None:
    """LayoutError where what the layout declares cannot be over all points: before anything is sent."""
    layout = experiment.made_layout()
    if isinstance(layout, Layout):
        layout.check(experiment.inputs)
