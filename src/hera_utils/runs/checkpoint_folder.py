"""The function with which a task gets its folder of checkpoints, if hera_utils can be imported there."""

from __future__ import annotations

import os
from pathlib import Path

from hera_utils.errors import ResourceError
from hera_utils.experiment.checkpoints import PARAMETER, VARIABLE
from hera_utils.wording import system_reason


def checkpoint() -> Path:
    """The folder in which this task's point saves its state: empty at the first attempt, and the same for retries and resumed runs until
    the point has succeeded. The variable HERA_UTILS_CHECKPOINT names it. Raises ResourceError if there is none.
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
