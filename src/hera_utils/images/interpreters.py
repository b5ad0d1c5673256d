"""Which version a Python interpreter of this machine is."""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
import sys

from hera_utils.images.choice import PYTHON_VERSION

_SECONDS_TO_START = 10.0  # seconds


def path_of(python: str) -> str:
    """The path of the interpreter that a name on PATH means (python3.12); a path, a version or `current` is returned unchanged."""
    if "/" in python or python == "current" or PYTHON_VERSION.match(python):
        return python
    path = shutil.which(python)
    return os.path.abspath(path) if path else python


def version_of(python: str) -> str:
    """The version (`3.12.4`) of the interpreter at this path or name; this process's own version where it does not start."""
    if python == sys.executable:
        return platform.python_version()
    path = shutil.which(python) or python
    try:
        changed = os.stat(path).st_mtime
    except OSError:
        return platform.python_version()
    return _version(path, changed)


@functools.lru_cache(maxsize=64)
def _version(python: str, changed: float) -> str:
    question = "import platform; print(platform.python_version())"
    try:
        answer = subprocess.run(
            [python, "-I", "-S", "-c", question], capture_output=True, text=True, timeout=_SECONDS_TO_START, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return platform.python_version()
    return answer.stdout.strip() or platform.python_version()
