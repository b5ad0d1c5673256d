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
    """This Python, or another one of this machine when it is there and answers."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    if (
        interpreter
        and os.path.realpath(interpreter) != os.path.realpath(sys.executable)
        and Path(interpreter).is_file()
    ):
        try:
            answer = subprocess.run([interpreter, "-c", _LIST], capture_output=True, text=True, timeout=30, check=True)
            version, listed = json.loads(answer.stdout)
            return PythonEnvironment(str(version), system, _sorted(listed))
        except (OSError, subprocess.SubprocessError, ValueError, TypeError):
            pass  # it is gone or broken: what we run in is the best that is known
    return PythonEnvironment(platform.python_version(), system, packages())


@cache
def packages() -> Mapping[str, str]:
    """Every distribution that is installed here: canonical name → version."""
    return _sorted(_installed())


def canonical(name: str) -> str:
    """A package's name as all its spellings have it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _sorted(listed: Iterator[tuple[str, str]]) -> dict[str, str]:
    # the first of a name is the one that Python imports
    first: dict[str, str] = {}
    for name, version in listed:
        first.setdefault(canonical(str(name)), str(version))
    return dict(sorted(first.items()))


def _installed() -> Iterator[tuple[str, str]]:
    """Name and version of what is installed here, from the names of the folders: reading each one's metadata takes a second."""
    for distribution in distributions():
        folder = str(getattr(distribution, "_path", ""))
        name, dash, version = Path(folder).name.removesuffix(".dist-info").partition("-")
        if folder.endswith(".dist-info") and dash:
            yield name, version
        elif distribution.metadata["Name"]:
            yield distribution.metadata["Name"], distribution.version
