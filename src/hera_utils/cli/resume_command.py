"""The command that resumes a run, rebuilt from its record: how its script was started, and --resume."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path


def resume_command(folder: Path | None, start: Sequence[str]) -> str:
    """folder: the run's record. start: what runs a script, ("python",) or ("hera-utils", "run", …).

    "" where no record says it, or where an argument was a secret: the record has stars there.
    """
    from hera_utils.settings.command_line import CommandLine
    from hera_utils.settings.secret import MASK

    try:
        facts = json.loads((folder / "run.json").read_bytes()) if folder is not None else {}
        script, words = str(facts["script"] or ""), tuple(str(word) for word in facts["arguments"] or ())
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    if not script or any(MASK in word for word in words):
        return ""
    return CommandLine(tuple(start), os.path.relpath(script), words).again("--resume")
