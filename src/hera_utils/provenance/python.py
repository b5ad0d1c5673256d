"""The Python that ran a script, and its packages."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from hera_utils.provenance import python_modules
from hera_utils.provenance.python_modules import canonical


@dataclass(frozen=True)
class PythonEnvironment:
    """system: kernel, release and machine. packages: canonical name → version, in the order of the names."""

    version: str
    system: str
    packages: Mapping[str, str]


def python_environment(interpreter: str = "") -> PythonEnvironment:
    """The environment of this Python, or of another one of this machine if it exists and starts."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    if interpreter and not is_ours(interpreter):
        answer = _answer_of(interpreter, None)
        if answer is not None:  # else it is gone or broken: our own is the best answer
            return PythonEnvironment(answer.version, system, answer.packages)
    return PythonEnvironment(platform.python_version(), system, packages())


@dataclass(frozen=True)
class InstalledModules:
    """Of the modules that a program imports: packages (what these require included) with their versions; files: top-level module → its
    file, of what is installed from a folder of its own; absent: names that are not there; imported: packages of the names alone.
    """

    version: str
    packages: Mapping[str, str]
    files: Mapping[str, str]
    absent: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()


def installed_modules(interpreter: str, names: Iterable[str] | None) -> InstalledModules | None:
    """What a Python of this machine has of the modules with these dotted names; for None all of its packages.

    None where it does not start.
    """
    wanted = None if names is None else sorted(names)
    if is_ours(interpreter):
        if wanted is None:
            return InstalledModules(platform.python_version(), packages(), {})
        return _read(python_modules.answer(wanted))
    return _answer_of(interpreter, wanted)


def is_ours(interpreter: str) -> bool:
    """Whether a path is that of the Python of this process: not only the same program, which many environments share."""
    return os.path.abspath(interpreter) == os.path.abspath(sys.executable)


def _answer_of(interpreter: str, names: list[str] | None) -> InstalledModules | None:
    answer = ask(interpreter, Path(python_modules.__file__).read_text(encoding="utf-8"), names)
    try:
        return _read(answer)
    except (KeyError, TypeError, ValueError):
        return None


def ask(interpreter: str, source: str, question: Any) -> Any:
    """What a Python of this machine answers, as JSON: the source prints it, and has the question, as JSON, in sys.argv[1].

    None where it does not start, or gives no answer.
    """
    try:
        answer = subprocess.run(
            [interpreter, "-c", source, json.dumps(question)],
            capture_output=True, text=True, timeout=60, check=True, cwd="/",
        )  # fmt: skip
        return json.loads(answer.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _read(answer: dict[str, Any]) -> InstalledModules:
    return InstalledModules(
        str(answer["version"]),
        _sorted(answer["packages"].items()),
        dict(answer["files"]),
        tuple(answer["absent"]),
        tuple(answer.get("imported") or ()),
    )


@cache
def packages() -> Mapping[str, str]:
    """Every installed distribution: canonical name → version."""
    return _sorted(_installed())


def _sorted(listed: Iterable[tuple[str, str]]) -> dict[str, str]:
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
