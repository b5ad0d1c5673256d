"""Which Python a task's `python` is, and what Hera's runner needs to find the function."""

from __future__ import annotations

import functools
import glob
import os
from typing import Any

from .fault import PodFault

Json = dict[str, Any]
SHIMS = "/argo/bin"
_RUNNER = "hera.workflows.runner"
_RUNNER_FILE = f"{SHIMS}/hera_runner.py"
_OWN_RUNNER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hera_runner.py")


def interpreter(job: Json, settings: Json) -> str:
    """The interpreter that `python` means: the submitting script's, else the configured one."""
    named = settings.get("python")
    path = named if named != "current" else (job.get("annotations") or {}).get("hera-utils/python") or job["python"]
    if not os.access(str(path), os.X_OK):
        raise PodFault(
            f"the Python for this task, {path}, is not there: submit again, or correct the image table or the setting that names it"
        )
    return str(path)


def variables(path: str, env: dict[str, str]) -> dict[str, str]:
    """PATH and VIRTUAL_ENV with this interpreter first."""
    folder = os.path.dirname(path)
    found = {"PATH": ":".join([*([SHIMS] if names(path) else []), folder, env["PATH"]])}
    prefix = os.path.dirname(folder)
    if os.path.exists(f"{prefix}/pyvenv.cfg"):
        found["VIRTUAL_ENV"] = prefix
    return found


@functools.lru_cache(maxsize=64)
def _missing_names(path: str) -> tuple[str, ...]:
    folder = os.path.dirname(path)
    return tuple(n for n in ("python", "python3") if not _means(f"{folder}/{n}", path))


def _means(candidate: str, path: str) -> bool:
    return os.path.exists(candidate) and os.path.realpath(candidate) == os.path.realpath(path)


def names(path: str) -> dict[str, tuple[bytes, int]]:
    """Files that make `python` and `python3` mean an interpreter whose own folder lacks one of these names."""
    quoted = "'" + path.replace("'", "'\\''") + "'"
    return {f"{SHIMS}/{name}": (f'#!/bin/sh\nexec {quoted} "$@"\n'.encode(), 0o755) for name in _missing_names(path)}


def runs_hera(container: Json) -> bool:
    """Whether the container runs a function through Hera's runner."""
    return _RUNNER in (*(container.get("command") or ()), *(container.get("args") or ()))


def runner(job: Json, argv: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, str], dict[str, tuple[bytes, int]]]:
    """(arguments, variables, files) with which Hera's runner finds the function: see hera_runner.py."""
    place = argv.index(_RUNNER)
    if place == 0 or argv[place - 1] != "-m":
        return argv, {}, {}
    annotations = job.get("annotations") or {}
    env = {
        "HERA_UTILS_SCRIPT": str(annotations.get("hera-utils/script") or ""),
        "HERA_UTILS_DIRECTORY": str(annotations.get("hera-utils/directory") or ""),
    }
    return (*argv[: place - 1], _RUNNER_FILE, *argv[place + 1 :]), env, {_RUNNER_FILE: (_runner_source(), 0o644)}


@functools.lru_cache(maxsize=1)
def _runner_source() -> bytes:
    with open(_OWN_RUNNER, "rb") as file:
        return file.read()


def folders(job: Json, path: str) -> list[str]:
    """Folders of this machine that a task in this Python needs: the interpreter's, its editable packages', the script's."""
    annotations = job.get("annotations") or {}
    script = os.path.dirname(annotations.get("hera-utils/script") or "")
    return [*_homes(path, _changed(path)), script, annotations.get("hera-utils/directory") or ""]


def _site_packages(path: str) -> list[str]:
    return glob.glob(f"{glob.escape(os.path.dirname(os.path.dirname(path)))}/lib/python3*/site-packages")


def _changed(path: str) -> tuple[float, ...]:
    return tuple(os.stat(p).st_mtime for p in _site_packages(path))


@functools.lru_cache(maxsize=64)
def _homes(path: str, _: tuple[float, ...]) -> tuple[str, ...]:
    homes = [os.path.dirname(os.path.dirname(p)) for p in dict.fromkeys([path, os.path.realpath(path)])]
    for site in _site_packages(path):
        for name in glob.glob(f"{glob.escape(site)}/*.pth"):
            with open(name, errors="replace") as file:
                homes += [line.strip() for line in file if line.startswith("/")]
    return tuple(homes)
