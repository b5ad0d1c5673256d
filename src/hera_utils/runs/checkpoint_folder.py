"""The folder in which a task finds what an earlier attempt saved: what a task calls, where hera_utils can be imported."""

from __future__ import annotations

import os
from pathlib import Path

from hera_utils.errors import ResourceError
from hera_utils.experiment.checkpoints import PARAMETER, VARIABLE
from hera_utils.wording import system_reason


def checkpoint() -> Path:
    """The folder in which this task's point saves its state, empty at its first attempt; the same for a retry, and for a run that is
    resumed, until the point has succeeded. It is what the variable HERA_UTILS_CHECKPOINT names. ResourceError where there is none.
    """
    path = os.environ.get(VARIABLE)
    if not path:
        raise ResourceError(
            f"this task has no folder for checkpoints: the variable {VARIABLE} is not set",
            fix=f"declare one in the layout with @checkpoints, and give its path to the template's parameter `{PARAMETER}`",
        )
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"the folder for checkpoints {folder} cannot be made ({system_reason(error)})",
            fix="mount the environment's volume in the template (volume_mounts)",
        ) from error
    return folder
