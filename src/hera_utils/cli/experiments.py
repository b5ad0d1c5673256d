"""The experiment that a script describes, without running it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hera_utils.errors import SettingsError

if TYPE_CHECKING:
    from hera_utils.experiment.experiment import Experiment


def experiment_of(path: Path) -> Experiment:
    """The script's Experiment: its variable `experiment`, or the only one that it runs or makes.

    The script is executed as `hera-utils lint` does: nothing that it submits is sent. SettingsError when it has none or several.
    """
    from hera_utils.cli.options import given_settings
    from hera_utils.cli.script import execute
    from hera_utils.experiment.experiment import Experiment
    from hera_utils.settings.parser import ContextParser

    ContextParser.inherited = given_settings()
    made = execute(path, (), sending=False)
    there = vars(sys.modules["__main__"])
    for found in ([there.get("experiment")], made.experiments, list(there.values())):
        several = list({id(one): one for one in found if isinstance(one, Experiment)}.values())
        if len(several) == 1:
            return several[0]
        if several:
            raise SettingsError(
                f"{path} has {len(several)} experiments", fix="call the one that is meant `experiment` in the script"
            )
    raise SettingsError(
        f"{path} describes no experiment", fix="make a hera_utils.Experiment and call it `experiment` in the script"
    )
