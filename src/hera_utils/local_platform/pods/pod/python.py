"""Which interpreter `python` is in a task, and what Hera's runner needs to find the function."""

from __future__ import annotations

import functools
import glob
import os
import re
from typing import Any, NamedTuple

from .errors import PodFault

Json = dict[str, Any]
SHIMS = "/argo/bin"
_RUNNER = "hera.workflows.runner"
_RUNNER_FILE = f"{SHIMS}/hera_runner.py"
_HERE = os.path.dirname(os.path.abspath(__file__))
_OWN_RUNNER = os.path.join(_HERE, "hera_runner.py")
_LENT = "/argo/lent"
_OWN_PIP = os.path.join(_HERE, "pip_of_task.py")


class Interpreter(NamedTuple):
    """An interpreter in its current state. missing: which of `python`, `pip`… its folder lacks. has_pip: whether it has, or may have, a pip
    of its own. homes: folders of this machine that it needs.
    """

    path: str
    missing: tuple[str, ...]
    has_pip: bool
    homes: tuple[str, ...]


def interpreter(job: Json, settings: Json) -> Interpreter:
    """The interpreter that `python` means: the one that the image table names, or the submitting script's (`current`). Raises PodFault."""
    named = settings.get("python")
    path = named if named != "current" else (job.get("annotations") or {}).get("hera-utils/python") or job["python"]
    if not os.access(str(path), os.X_OK):
        raise PodFault(
            f"the Python for this task, {path}, does not exist: submit again, or correct the image table or the "
            f"setting that names it"
        )
    path = str(path)
    changed = _changed(path)
    missing = _missing_names(path, _changed_at(os.path.dirname(path)))
    return Interpreter(path, missing, _found_pip(path, changed), _homes(path, changed))


def variables(own_python: Interpreter, env: dict[str, str]) -> dict[str, str]:
    """PATH with this interpreter first, its VIRTUAL_ENV, and PYTHONPATH where a pip is lent to it."""
    folder = os.path.dirname(own_python.path)
    own = {"PATH": ":".join([*([SHIMS] if own_python.missing else []), folder, env["PATH"]])}
    prefix = os.path.dirname(folder)
    if os.path.exists(f"{prefix}/pyvenv.cfg"):
        own["VIRTUAL_ENV"] = prefix
    if not own_python.has_pip:
        own["PYTHONPATH"] = ":".join([*filter(None, [env.get("PYTHONPATH")]), _LENT])
    return own


def _changed_at(place: str) -> float:
    """When a path was last modified; 0 where it does not exist."""
    try:
        return os.stat(place).st_mtime
    except OSError:
        return 0.0


@functools.lru_cache(maxsize=64)
def _missing_names(path: str, _: float) -> tuple[str, ...]:
    """Which of `python`, `python3`, `pip` and `pip3` are missing in the interpreter's folder, or belong to another interpreter."""
    folder = os.path.dirname(path)
    missing = [name for name in ("python", "python3") if not _means(f"{folder}/{name}", path)]
    return (*missing, *(name for name in ("pip", "pip3") if not _means(_run_by(f"{folder}/{name}", folder), path)))


def _means(candidate: str, path: str) -> bool:
    return os.path.exists(candidate) and os.path.realpath(candidate) == os.path.realpath(path)


def _run_by(program: str, folder: str) -> str:
    """The interpreter in `folder` that a program's first line names; "" when it names none there."""
    try:
        with open(program, "rb") as file:
            first = file.readline(512)
    except OSError:
        return ""
    named = os.fsdecode(first[2:]).strip() if first.startswith(b"#!") else ""
    return named if os.path.realpath(os.path.dirname(named)) == os.path.realpath(folder) else ""


@functools.lru_cache(maxsize=64)
def _found_pip(path: str, _: tuple[float, ...]) -> bool:
    """Whether the interpreter has a pip, or may have one because its virtual environment includes the system's packages."""
    try:
        with open(f"{_prefix(path)}/pyvenv.cfg", encoding="utf-8", errors="replace") as file:
            if re.search(r"(?mi)^include-system-site-packages\s*=\s*true", file.read()):
                return True
    except OSError:
        pass
    return any(os.path.isdir(f"{place}/pip") for place in _packages(path))


def files(own: Interpreter) -> dict[str, tuple[bytes, int]]:
    """Programs `python`, `pip`… for an interpreter whose folder lacks these names, and files that lend it a pip."""
    quoted = "'" + own.path.replace("'", "'\\''") + "'"
    lent = not own.has_pip
    pip = f"{quoted} {_LENT}/pip" if lent else f"{quoted} -m pip"
    commands = {name: pip if name.startswith("pip") else quoted for name in own.missing}
    written = {
        f"{SHIMS}/{name}": (f'#!/bin/sh\nexec {command} "$@"\n'.encode(), 0o755) for name, command in commands.items()
    }
    if lent:
        written |= {f"{_LENT}/pip/__init__.py": (b"", 0o644), f"{_LENT}/pip/__main__.py": (_source(_OWN_PIP), 0o644)}
    return written


def runs_hera(container: Json) -> bool:
    """Whether the container runs a function through Hera's runner."""
    return _RUNNER in (*(container.get("command") or ()), *(container.get("args") or ()))


def runner(job: Json, argv: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str], dict[str, tuple[bytes, int]]]:
    """(arguments, variables, files) with which Hera's runner finds the function, see hera_runner.py."""
    place = argv.index(_RUNNER)
    if place == 0 or argv[place - 1] != "-m":
        return argv, {}, {}
    annotations = job.get("annotations") or {}
    env = {
        "HERA_UTILS_SCRIPT": str(annotations.get("hera-utils/script") or ""),
        "HERA_UTILS_DIRECTORY": str(annotations.get("hera-utils/directory") or ""),
    }
    return (*argv[: place - 1], _RUNNER_FILE, *argv[place + 1 :]), env, {_RUNNER_FILE: (_source(_OWN_RUNNER), 0o644)}


def runner_in_image(
    argv: tuple[str, ...], image: str
) -> tuple[tuple[str, ...], dict[str, str], dict[str, tuple[bytes, int]]]:
    """(arguments, variables, files) as in `runner`, for a function in an image's own modules."""
    place = argv.index(_RUNNER)
    if place == 0 or argv[place - 1] != "-m":
        return argv, {}, {}
    files = {_RUNNER_FILE: (_source(_OWN_RUNNER), 0o644)}
    return (*argv[: place - 1], _RUNNER_FILE, *argv[place + 1 :]), {"HERA_UTILS_IMAGE": image}, files


@functools.lru_cache(maxsize=2)
def _source(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def folders(job: Json, own: Interpreter) -> list[str]:
    """Folders of this machine that a task with this interpreter needs: the interpreter's, its editable packages', the script's."""
    annotations = job.get("annotations") or {}
    script = os.path.dirname(annotations.get("hera-utils/script") or "")
    return [*own.homes, script, annotations.get("hera-utils/directory") or ""]


@functools.lru_cache(maxsize=64)
def _prefix(path: str) -> str:
    return os.path.dirname(os.path.dirname(path))


def _packages(path: str) -> tuple[str, ...]:
    """The folders of installed packages; they are searched again when a version of Python was added."""
    library = f"{_prefix(path)}/lib"
    changed = _changed_at(library)
    return _packages_in(library, changed) if changed else ()


@functools.lru_cache(maxsize=64)
def _packages_in(library: str, _: float) -> tuple[str, ...]:
    return tuple(
        place
        for version in glob.glob(f"{glob.escape(library)}/python3*")
        for place in (f"{version}/site-packages", f"{version}/dist-packages")
    )


def _changed(path: str) -> tuple[float, ...]:
    """When an interpreter's packages and its pyvenv.cfg were last changed."""
    return tuple(map(_changed_at, (*_packages(path), f"{_prefix(path)}/pyvenv.cfg")))


@functools.lru_cache(maxsize=64)
def _homes(path: str, _: tuple[float, ...]) -> tuple[str, ...]:
    homes = [os.path.dirname(os.path.dirname(p)) for p in dict.fromkeys([path, os.path.realpath(path)])]
    for site in _packages(path):
        for name in glob.glob(f"{glob.escape(site)}/*.pth"):
            with open(name, errors="replace") as file:
                homes += [line.strip() for line in file if line.startswith("/")]
    return tuple(homes)
