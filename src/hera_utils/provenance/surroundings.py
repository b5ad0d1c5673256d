"""What a run came from, as far as this machine can tell: the script with the modules it imports, its commit, the Python around it."""

from __future__ import annotations

import ast
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

_MOST_SOURCES = 200
_LARGEST_SOURCE = 1 << 20
_LIST = """
import importlib.metadata, json, sys
print(json.dumps([sys.version.split()[0], sorted({(one.name, one.version) for one in importlib.metadata.distributions()})]))
"""


@dataclass(frozen=True)
class Commit:
    """Where the script stands in its repository. changed: how many files differ from the commit. remote: without credentials.

    author: the name that the reader of the repository commits under.
    """

    commit: str
    branch: str = ""
    changed: int = 0
    remote: str = ""
    author: str = ""


@dataclass(frozen=True)
class PythonFacts:
    """The Python that ran the script. packages: name → version."""

    version: str
    system: str
    packages: Mapping[str, str]


def commit_of(folder: Path) -> Commit | None:
    """The commit that a folder stands on; None outside a git repository, or without git."""
    commit = _git(folder, "rev-parse", "HEAD")
    if not commit:
        return None
    status = _git(folder, "status", "--porcelain", "--untracked-files=normal")
    return Commit(
        commit=commit,
        branch=_git(folder, "rev-parse", "--abbrev-ref", "HEAD"),
        changed=len(status.splitlines()),
        remote=without_credentials(_git(folder, "config", "--get", "remote.origin.url")),
        author=_git(folder, "config", "--get", "user.name"),
    )


def without_credentials(url: str) -> str:
    """`https://user:token@host/x` without the middle."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if not parts.scheme or "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            errors="replace",
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def python_facts(interpreter: str = "") -> PythonFacts:
    """This Python, or another one of this machine when it is there and answers."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    if (
        interpreter
        and os.path.realpath(interpreter) != os.path.realpath(sys.executable)
        and Path(interpreter).is_file()
    ):
        try:
            told = subprocess.run(
                [interpreter, "-c", _LIST], capture_output=True, text=True, timeout=30, check=True
            ).stdout
            version, packages = json.loads(told)
            return PythonFacts(str(version), system, {str(name): str(one) for name, one in packages})
        except (OSError, subprocess.SubprocessError, ValueError, TypeError):
            pass  # it is gone or broken: what we run in is the best that is known
    found = dict(sorted(_packages(), key=lambda pair: pair[0].lower()))
    return PythonFacts(platform.python_version(), system, found)


def _packages() -> Iterator[tuple[str, str]]:
    """Name and version of what is installed here, from the names of the folders: reading each one's metadata takes a second."""
    for one in distributions():
        folder = str(getattr(one, "_path", ""))
        name, dash, version = Path(folder).name.removesuffix(".dist-info").partition("-")
        if folder.endswith(".dist-info") and dash:
            yield name, version
        elif one.metadata["Name"]:
            yield one.metadata["Name"], one.version


def sources_of(script: Path) -> dict[str, bytes]:
    """The script and the modules beside it that it imports, directly or not: path relative to the script's folder → content.

    Found by reading, not by running: what is imported by a computed name is not seen.
    """
    found: dict[str, bytes] = {}
    home, waiting = script.parent, [script]
    while waiting and len(found) < _MOST_SOURCES:
        path = waiting.pop(0)
        name = path.relative_to(home).as_posix()
        if name in found:
            continue
        try:
            if path.stat().st_size > _LARGEST_SOURCE:
                continue
            content = path.read_bytes()
            module = ast.parse(content)
        except (OSError, SyntaxError, ValueError):
            continue
        found[name] = content
        waiting += _imported(module, path.parent, home)
    return found


def _imported(module: ast.Module, here: Path, home: Path) -> list[Path]:
    paths = []
    for node in ast.walk(module):
        names: list[str] = []
        start = home
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            head = f"{node.module}." if node.module else ""
            names = [node.module or "", *(head + one.name for one in node.names)]
            if node.level:
                start = here
                for _ in range(node.level - 1):
                    start = start.parent
        for name in filter(None, names):
            paths += _files(start, name, home)
    return paths


def _files(start: Path, name: str, home: Path) -> list[Path]:
    """The files that importing a dotted name reads below `start`, if they are there."""
    found, folder = [], start
    for word in name.split("."):
        found += [path for path in (folder / f"{word}.py", folder / word / "__init__.py") if path.is_file()]
        folder = folder / word
    return [path for path in found if path.is_relative_to(home)]
