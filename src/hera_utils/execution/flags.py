"""The flags of a script's command line that concern its experiment, not the settings: as a typed value, and applied to the experiment.

An engine without a command line has `RunOptions()`: a run of all points.
"""

from __future__ import annotations

import argparse
import contextlib
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.inputs_text import describe_inputs
from hera_utils.experiment.layout import Layout
from hera_utils.experiment.search import design_of
from hera_utils.experiment.values import text
from hera_utils.runs.notes import RunNotes
from hera_utils.settings.fields import spellings
from hera_utils.settings.parser import ContextParser
from hera_utils.settings.resolve import CLIContext
from hera_utils.wording import counted


@dataclass(frozen=True)
class RunOptions:
    """The flags about an experiment.

    inputs_file, inputs_set: other inputs. resume: run only what is not done; keep_done: finished points stay done although their code
    has changed; explain: print why points run. provision: create what the environment describes; force: also take over fields that
    others have set. no_preflight: check nothing first. run_name, run_note, run_tags: the user's notes on the run (runs/notes.py).
    detach: submit and exit. wait_timeout: how long to wait, as it was typed.
    The rest ask for something else than a run: list_points, plan (plan_output: text or json), picture (ascii or mermaid), doctor, role
    (the file for missing permissions), dry_run.
    """

    inputs_file: str | None = None
    inputs_set: tuple[str, ...] = ()
    resume: bool = False
    keep_done: bool = False
    explain: bool = False
    provision: bool = False
    force: bool = False
    no_preflight: bool = False
    detach: bool = False
    wait_timeout: str | None = None
    run_name: str = ""
    run_note: str = ""
    run_tags: tuple[str, ...] = ()
    list_points: bool = False
    plan: bool = False
    plan_output: str = "text"
    picture: str | None = None
    doctor: bool = False
    role: str | None = None
    dry_run: bool = False

    @classmethod
    def of(cls, context: CLIContext) -> RunOptions:
        """The flags that a parser with `add_flags` has read."""
        typed: dict[str, Any] = {
            option.name: getattr(context, _ATTRIBUTE + option.name)
            for option in fields(cls)
            if _ATTRIBUTE + option.name in context
        }
        for name in ("inputs_set", "run_tags"):
            typed[name] = tuple(typed.get(name, ()))
        return cls(**typed)

    def check(self, resume: bool) -> None:
        """Raise SettingsError for words that cannot be tags, and for flags that mean nothing without another flag.

        resume: whether the run leaves out what earlier runs have done.
        """
        RunNotes().with_tags(self.run_tags)
        if self.keep_done and not resume:
            raise SettingsError(
                "--keep-done keeps finished points, but without --resume every point runs",
                fix="give --resume as well",
            )
        if self.explain and not resume:
            raise SettingsError(
                "--explain shows why points run again, but without --resume every point runs",
                fix="give --resume as well, and --plan to run nothing",
            )
        if self.plan_output != "text" and not self.plan:
            raise SettingsError(
                f"--output {self.plan_output} is the format of a plan, but without --plan the experiment runs",
                fix="give --plan as well; the results of a run: hera-utils results @latest --output json",
            )


_ATTRIBUTE = "run_option_"
"""The prefix of RunOptions' names in the context, so that a script may have flags of the same names."""

_SWITCH: dict[str, Any] = {"action": "store_true"}
_FLAGS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    (
        "set",
        "inputs_set",
        "set a constant or an axis, for example vintages=2009,2012; may be repeated",
        {"metavar": "NAME=VALUE", "action": "append"},
    ),
    (
        "inputs",
        "inputs_file",
        "read constants and points from a TOML, YAML, JSON or CSV file",
        {"metavar": "FILE"},
    ),
    ("points", "list_points", "list the points; run nothing", _SWITCH),
    ("plan", "plan", "show what would run; run nothing", _SWITCH),
    ("output", "plan_output", "with --plan: the output format", {"choices": ("text", "json")}),
    (
        "picture",
        "picture",
        "draw the graph of the tasks with the plan; run nothing",
        {"choices": ("ascii", "mermaid")},
    ),
    ("resume", "resume", "run only the points that are not done or have changed", _SWITCH),
    ("explain", "explain", "with --resume: show why each point runs", _SWITCH),
    (
        "keep_done",
        "keep_done",
        "with --resume: keep finished points although their code, images or packages have changed",
        _SWITCH,
    ),
    ("detach", "detach", "submit and exit; the run continues", _SWITCH),
    (
        "timeout",
        "wait_timeout",
        "wait at most this long (90, 90s, 10m, 1h), then exit; the run continues",
        {"metavar": "TIME"},
    ),
    ("name", "run_name", "a name of your own for the run, beside the generated one", {"metavar": "TEXT"}),
    ("note", "run_note", "a note on the run", {"metavar": "TEXT"}),
    ("tag", "run_tags", "a tag for the run; may be repeated", {"metavar": "WORD", "action": "append"}),
    ("doctor", "doctor", "check everything that the run needs; run nothing", _SWITCH),
    (
        "role",
        "role",
        "as --doctor, and write the missing permissions as a Role, for the owner of the cluster",
        {"metavar": "FILE"},
    ),
    ("no_preflight", "no_preflight", "submit without checking first", _SWITCH),
    (
        "provision",
        "provision",
        "create what the experiment's environment describes and the cluster does not have, then run",
        _SWITCH,
    ),
    ("dry_run", "dry_run", "with --provision: show what would be created or changed; run nothing", _SWITCH),
    ("force", "force", "with --provision: take over fields that others have set to other values", _SWITCH),
)
_NOT_OURS_ALONE = frozenset({"set", "inputs", "points", "output", "timeout", "name", "note", "tag"})
"""If the script defines a flag with one of these names, the script's flag is used."""


def add_flags(parser: ContextParser, experiment: Experiment | None) -> None:
    """Add the flags of RunOptions. experiment: --help describes its inputs; None if it is not known yet."""
    group = parser.experiment_flags = parser.add_argument_group("experiment")
    for flag, name, words, options in _FLAGS:
        yields = contextlib.suppress(argparse.ArgumentError) if flag in _NOT_OURS_ALONE else contextlib.nullcontext()
        with yields:
            group.add_argument(
                *spellings(f"--{flag}"), dest=_ATTRIBUTE + name, default=argparse.SUPPRESS, help=words, **options
            )
    if isinstance(experiment, Experiment):
        parser.described_inputs = partial(describe_inputs, experiment.inputs)


def point_lines(experiment: Experiment) -> list[str]:
    """A line for each point, its name and its values."""
    sweep = experiment.inputs.points
    design = design_of(sweep)
    beginning = (
        counted(len(sweep), "point") if design is None else f"{len(sweep)} of at most {design.most} points are known"
    )
    lines = [f"{beginning}: {sweep.description}"]
    for point in sweep:
        lines.append("  ".join([f"  {point.name}", *(f"{name}={text(value)}" for name, value in point.items())]))
    return lines


def apply_input_flags(experiment: Experiment, options: RunOptions) -> Experiment:
    """The experiment with the inputs that the command line asks for. Raises SettingsError if it is no Experiment."""
    if not isinstance(experiment, Experiment):
        raise SettingsError(
            f"a {type(experiment).__name__} is not an experiment",
            fix="give hera_utils.Experiment(workflow=…, inputs=…, …)",
        )
    inputs = experiment.inputs
    if options.inputs_file:
        inputs = inputs.with_file(options.inputs_file)
    if options.inputs_set:
        inputs = inputs.changed(options.inputs_set)
    if not inputs.points:
        raise SettingsError(
            f"the sweep has no points left ({inputs.points.description})",
            fix="correct its filter (where) so that it keeps at least one point",
        )
    return experiment if inputs is experiment.inputs else replace(experiment, inputs=inputs)


def check_layout(experiment: Experiment) -> None:
    """Raise LayoutError, before anything is sent, if what the layout declares does not hold for all points."""
    layout = experiment.made_layout()
    if isinstance(layout, Layout):
        layout.check(experiment.inputs)
