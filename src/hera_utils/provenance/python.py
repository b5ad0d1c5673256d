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
    """A Python and its packages. system: kernel, release and machine. packages: canonical name → version, sorted by name."""

    version: str
    system: str
    packages: Mapping[str, str]


def python_environment(interpreter: str = "") -> PythonEnvironment:
    """The environment of this Python, or of another one of this machine if it exists and starts."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    if interpreter and not is_ours(interpreter):
        answer = _answer_of(interpreter, None)
        if answer is not None:  # a removed or broken interpreter is replaced by this one, the best available answer
            return PythonEnvironment(answer.version, system, answer.packages)
    return PythonEnvironment(platform.python_version(), system, packages())


@dataclass(frozen=True)
class InstalledModules:
    """The packages of imported modules. packages: name → version, with the packages that these require.

    files: top-level module → file, for packages installed from a source folder. absent: modules that are not installed. imported: the
    packages of the modules themselves, without required ones.
    """

    version: str
    packages: Mapping[str, str]
    files: Mapping[str, str]
    absent: tuple[str, ...] = ()
    imported: tuple[str, ...] = ()


def installed_modules(interpreter: str, names: Iterable[str] | None) -> InstalledModules | None:
    """The packages of the modules with these dotted names in a Python of this machine; names None: all of its packages.

    Returns None if the interpreter does not start.
    """
    modules = None if names is None else sorted(names)
    if is_ours(interpreter):
        if modules is None:
            return InstalledModules(platform.python_version(), packages(), {})
        return _read(python_modules.answer(modules))
    return _answer_of(interpreter, modules)


def is_ours(interpreter: str) -> bool:
    """Whether a path is sys.executable. Links are not followed, because many environments link to the same program."""
    return os.path.abspath(interpreter) == os.path.abspath(sys.executable)


def _answer_of(interpreter: str, names: list[str] | None) -> InstalledModules | None:
    answer = ask_interpreter(interpreter, Path(python_modules.__file__).read_text(encoding="utf-8"), names)
    try:
        return _read(answer)
    except (KeyError, TypeError, ValueError):
        return None


def ask_interpreter(interpreter: str, source: str, question: Any) -> Any:
    """Run a source in a Python of this machine. It receives the question as JSON in sys.argv[1] and prints JSON, which is returned.

    Returns None if the interpreter does not start or prints no JSON.
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
        _versions_by_name(answer["packages"].items()),
        dict(answer["files"]),
        tuple(answer["absent"]),
        tuple(answer.get("imported") or ()),
    )


@cache
def packages() -> Mapping[str, str]:
    """Every installed distribution: canonical name → version."""
    return _versions_by_name(_installed_distributions())


def _versions_by_name(listed: Iterable[tuple[str, str]]) -> dict[str, str]:
    # Of several distributions of the same name Python imports the first.
    first: dict[str, str] = {}
    for name, version in listed:
        first.setdefault(canonical(str(name)), str(version))
    return dict(sorted(first.items()))


def _installed_distributions() -> Iterator[tuple[str, str]]:
    """(name, version) of the installed distributions, from the names of their folders, as reading the metadata takes a second."""
    for distribution in distributions():
        folder = str(getattr(distribution, "_path", ""))
        name, dash, version = Path(folder).name.removesuffix(".dist-info").partition("-")
        if folder.endswith(".dist-info") and dash:
            yield name, version
        elif distribution.metadata["Name"]:
            yield distribution.metadata["Name"], distribution.version
