"""Python environments that stand in for images of Python with packages: built by uv, locked, kept in the state folder, shared by runs.

    python/locks/<key>.txt     the versions that the requirements meant when they were first used, with hashes
    python/<digest>/           the environment of that lock; `complete` in it is written last, and its time is the last use's

uv is optional: the command on PATH, else the package `uv`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hera_utils.errors import PlatformError, ResourceError
from hera_utils.images.choice import PYTHON_VERSION
from hera_utils.images.config import digest_of
from hera_utils.images.decision_texts import LOCK
from hera_utils.images.file_locks import hold_lock
from hera_utils.images.interpreters import version_of
from hera_utils.private_folders import make_private
from hera_utils.whole_files import write_atomically
from hera_utils.wording import system_reason

_UV_SECONDS = 1800.0  # seconds for one call of uv: large packages may come over slow connections
_MOST_WORDS = 400
_NOT_FOR_UV = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON", "CONDA_PREFIX")


class PackagedPython(NamedTuple):
    """python: the path of its interpreter. lock: the text of the lock, a requirements file with hashes."""

    python: str
    version: str
    lock: str

    @property
    def lock_digest(self) -> str:
        return digest_of(self.lock.encode())


def prepare(
    folder: Path, python: str, requirements: Sequence[str], begin: Callable[[], None] = lambda: None
) -> PackagedPython:
    """The environment, built when it does not exist.

    folder: `python` in the state folder. python: a version (3.12) or the path of an interpreter. begin: called before the requirements
    are resolved for the first time, because that and the build may take minutes. Raises ResourceError when the environment cannot be
    built, PlatformError when the folder cannot be written.
    """
    try:
        make_private(folder / "locks")
        key = _digest([python, sorted(requirements), platform.machine(), platform.libc_ver()])
        with hold_lock(folder / "locks" / f"{key}.lock"):
            lock_file = folder / "locks" / f"{key}.txt"
            if not lock_file.is_file():
                begin()
            lock = _lock(lock_file, python, requirements)
        home = folder / _digest([lock, python])
        with hold_lock(folder / f"{home.name}.lock"):
            return _environment(home, python, lock)
    except OSError as error:
        raise PlatformError(
            f"the Python environment cannot be kept in {folder} ({system_reason(error)})",
            fix="free some space there, or name another state folder with --state",
        ) from None


def unused_environments(folder: Path, seconds: float) -> list[Path]:
    """The environments that no run used for `seconds` seconds; for incomplete ones, since their creation. folder: as in prepare."""
    limit = time.time() - seconds
    homes = (lock.with_suffix("") for lock in folder.glob("*.lock"))
    return sorted(home for home in homes if home.is_dir() and _last_use(home) <= limit)


def _last_use(home: Path) -> float:
    complete = home / "complete"
    return (complete if complete.is_file() else home).stat().st_mtime


def remove(home: Path) -> None:
    """Remove an environment. Its lock stays, so that the environment gets the same packages when it is built again."""
    with hold_lock(home.with_suffix(".lock")):
        shutil.rmtree(home, ignore_errors=True)


def _lock(path: Path, python: str, requirements: Sequence[str]) -> str:
    if path.is_file():
        return path.read_text()
    target = ("--python-version", python) if PYTHON_VERSION.match(python) else ("--python", python)
    words = ("pip", "compile", "-", "--quiet", "--no-header", "--no-annotate", "--generate-hashes", *target)
    text = _uv(words, python, standard_input="".join(f"{line}\n" for line in requirements)) if requirements else ""
    write_atomically(path, text.encode())
    return text


def _environment(home: Path, python: str, lock: str) -> PackagedPython:
    program = home / "bin" / "python"
    complete = home / "complete"
    if not (complete.is_file() and program.exists()):  # its base interpreter may have been uninstalled
        shutil.rmtree(home, ignore_errors=True)
        _uv(("venv", "--quiet", "--no-project", "--python", python, str(home)), python)
        file = home / LOCK
        file.write_text(lock)
        if lock:
            _uv(("pip", "sync", "--quiet", "--python", str(program), str(file)), python)
        complete.write_text(version_of(str(program)))
    os.utime(complete)
    return PackagedPython(str(program), complete.read_text(), lock)


def _uv(words: Sequence[str], python: str, *, standard_input: str = "") -> str:
    environ = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_UV}
    try:
        answer = subprocess.run(
            [_uv_program(), *words],
            input=standard_input,
            capture_output=True,
            text=True,
            timeout=_UV_SECONDS,
            env=environ,
            cwd="/",  # inside a project uv would use the project's settings
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ResourceError(
            f"{_environment_in_words(python)} was not made within {_UV_SECONDS:g} s", fix="try again"
        ) from None
    if answer.returncode:
        raise ResourceError(
            f"{_environment_in_words(python)} cannot be made: {_first_words(answer.stderr)}",
            fix="correct its requirements, or make a package index reachable",
        )
    return answer.stdout


def _uv_program() -> str:
    program = shutil.which("uv")
    if program is None:
        try:
            from uv import find_uv_bin  # the package is optional

            program = str(find_uv_bin())
        except (ImportError, FileNotFoundError):
            raise ResourceError(
                "a Python environment for an image is made by uv, which is not installed",
                fix="python -m pip install uv",
            ) from None
    return program


def _environment_in_words(python: str) -> str:
    return f"the environment of Python {python}" if PYTHON_VERSION.match(python) else f"the environment of {python}"


def _first_words(message: str) -> str:
    """uv's message as one sentence."""
    lines = (re.sub(r"^(error:|[×╰─▶│ ])+", "", line).strip() for line in message.splitlines())
    words = re.sub(r"\s+", " ", " ".join(filter(None, lines))) or "uv did not say why"
    return (words if len(words) <= _MOST_WORDS else f"{words[:_MOST_WORDS]}…").rstrip(".")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:24]
