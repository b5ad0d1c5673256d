"""What a command line asks of an experiment's inputs: `--inputs FILE`, `--set NAME=VALUE`, `--points`; and how long to wait
for it: `--timeout`.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.layout import Layout
from hera_utils.experiment.values import text
from hera_utils.settings.resolve import CLIContext

_FILE, _SET, _POINTS = "inputs_file", "inputs_set", "inputs_points"
TIMEOUT = "wait_timeout"
"""The attribute that holds how long to wait, as it was typed."""


def add_flags(parser: argparse.ArgumentParser, group: Any) -> None:
    """The flags, save where the script has one of that name for something of its own."""
    taken = parser._option_string_actions
    if "--inputs" not in taken:
        group.add_argument(
            "--inputs", dest=_FILE, metavar="FILE", help="read constants and points from a TOML, YAML, JSON or CSV file"
        )
    if "--set" not in taken:
        group.add_argument(
            "--set",
            dest=_SET,
            metavar="NAME=VALUE",
            action="append",
            help="set a constant or an axis, for example vintages=2009,2012; may be repeated",
        )

    if "--points" not in taken:
        group.add_argument("--points", dest=_POINTS, action="store_true", help="list the points; run nothing")
    if "--timeout" not in taken:
        group.add_argument(
            "--timeout",
            dest=TIMEOUT,
            metavar="TIME",
            help="wait at most this long (90, 90s, 10m, 1h), then exit; the run continues",
        )


def points_asked_for(experiment: Experiment, context: CLIContext) -> list[str]:
    """A line for each point, its name and its values; none unless they are asked for."""
    if not (_POINTS in context and getattr(context, _POINTS)):
        return []
    sweep = experiment.inputs.points
    lines = [f"{len(sweep)} points: {sweep.told}"]
    for point in sweep:
        lines.append("  ".join([f"  {point.name}", *(f"{name}={text(value)}" for name, value in point.items())]))
    return lines


def meant(experiment: Experiment, context: CLIContext) -> Experiment:
    """The experiment with the inputs that the command line asks for. SettingsError for what is no experiment."""
    if not isinstance(experiment, Experiment):
        raise SettingsError(
            f"a {type(experiment).__name__} is not an experiment",
            fix="give hera_utils.Experiment(workflow=…, inputs=…, …)",
        )
    inputs = experiment.inputs
    file, settings = (getattr(context, name) if name in context else None for name in (_FILE, _SET))
    if file:
        inputs = inputs.with_file(file)
    if settings:
        inputs = inputs.changed(settings)
    if not inputs.points:
        raise SettingsError(
            f"the sweep has no points left ({inputs.points.told})",
            fix="correct its filter (where) so that it keeps at least one point",
        )
    return experiment if inputs is experiment.inputs else replace(experiment, inputs=inputs)


def check_layout(experiment: Experiment) -> None:
    """LayoutError where what the layout declares cannot be over all points: before anything is sent."""
    layout = experiment.made_layout()
    if isinstance(layout, Layout):
        layout.check(experiment.inputs)
