"""The Python that ran a script, and its packages."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

_LIST = """
import importlib.metadata, json, sys
print(json.dumps([sys.version.split()[0], [(one.name, one.version) for one in importlib.metadata.distributions()]]))
"""


@dataclass(frozen=True)
class PythonEnvironment:
    """system: kernel, release and machine. packages: canonical name → version, in the order of the names."""

    version: str
    system: str
    packages: Mapping[str, str]


def python_environment(interpreter: str = "") -> PythonEnvironment:
    """The environment of this Python, or of another one of this machine if it exists and starts."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    if (
        interpreter
        and os.path.realpath(interpreter) != os.path.realpath(sys.executable)
        and Path(interpreter).is_file()
    ):
        try:
            answer = subprocess.run(
                [interpreter, "-c", _LIST], capture_output=True, text=True, timeout=30, check=True, cwd="/"
            )
            version, listed = json.loads(answer.stdout)
            return PythonEnvironment(str(version), system, _sorted(listed))
        except (OSError, subprocess.SubprocessError, ValueError, TypeError):
            pass  # it is gone or broken: our own is the best answer
    return PythonEnvironment(platform.python_version(), system, packages())


@cache
def packages() -> Mapping[str, str]:
    """Every installed distribution: canonical name → version."""
    return _sorted(_installed())


def canonical(name: str) -> str:
    """The one name for all spellings of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _sorted(listed: Iterator[tuple[str, str]]) -> dict[str, str]:
    # Python imports the first of several distributions of the same name
    first: dict[str, str] = {}
    for name, version in listed:
        first.setdefault(canonical(str(name)), str(version))
    return dict(sorted(first.items()))


def _installed() -> Iterator[tuple[str, str]]:
    """Name and version of the installed distributions, from the names of their folders: reading the metadata takes a second."""
    for distribution in distributions():
        folder = str(getattr(distribution, "_path", ""))
        name, dash, version = Path(folder).name.removesuffix(".dist-info").partition("-")
        if folder.endswith(".dist-info") and dash:
            yield name, version
        elif distribution.metadata["Name"]:
            yield distribution.metadata["Name"], distribution.version
