"""What a run came from, as far as this machine can tell: the script with the modules it imports, its commit, the Python around it."""

from __future__ import annotations

import ast
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from hera_utils.report.columns import kind_of
from hera_utils.settings.secret import MASK, Secret, mask

Json = dict[str, Any]

_SECRET_NAME = re.compile(
    r"(?i)(^|[_\W])(token|secret|password|passwd|pwd|credentials?|api_?key|access_?key|private_?key)s?($|[_\W\d])"
)
_MOST_SOURCES = 200
_MOST_SECRETS = 8  # values of one name
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


def secrets_of(environ: Mapping[str, str]) -> list[str]:
    """The values of variables whose name says that they are secret: to be masked wherever they stand."""
    return [value for name, value in environ.items() if is_secret(name, value) and len(value) >= 6]


def is_secret(name: str, value: str) -> bool:
    """Whether a name says that its value is secret. A number or a truth value is none: `max_tokens` is 100."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)  # dbPassword
    return bool(value) and bool(_SECRET_NAME.search(words)) and kind_of((value,)) == "text"


def without_secret_values(values: Mapping[str, Any]) -> Json:
    """The values with a mask for each text whose name says that it is secret, also in what they hold."""
    return {
        name: MASK
        if isinstance(value, str) and is_secret(name, value)
        else without_secret_values(value)
        if isinstance(value, Mapping)
        else value
        for name, value in values.items()
    }


def hidden(text: str, secrets: Iterable[str | Secret | None]) -> str:
    """`text` without the secrets, also as JSON, CSV, HTML and the page's JSON write them."""
    forms: dict[str, None] = {}
    for secret in secrets:
        value = secret.reveal() if isinstance(secret, Secret) else secret
        for word in (value or "").split():
            as_json = json.dumps(word, ensure_ascii=False)[1:-1]
            for form in (word, as_json, as_json.replace("<", "\\u003c"), word.replace('"', '""'), escape(word)):
                forms[form] = None
    longest_first = sorted(forms, key=len, reverse=True)
    return mask(text, longest_first)


def literal_secrets(documents: Iterable[Json]) -> list[str]:
    """What workflows hold as plain text under a name that says that it is secret: parameters, variables, inputs of tasks.

    A name with many values is no secret's but that of what is swept over (`token`, word by word).
    """
    found: dict[str, set[str]] = {}

    def look(value: Any) -> None:
        if isinstance(value, list):
            for one in value:
                look(one)
        elif isinstance(value, dict):
            literal = value.get("value")
            if isinstance(literal, str) and "{{" not in literal and is_secret(str(value.get("name", "")), literal):
                found.setdefault(str(value["name"]), set()).add(literal)
            for one in value.values():
                if isinstance(one, list | dict):
                    look(one)

    for document in documents:
        look(document.get("spec"))
        for node in ((document.get("status") or {}).get("nodes") or {}).values():
            look(node.get("inputs"))
            look(node.get("outputs"))
    return sorted({one for values in found.values() if len(values) <= _MOST_SECRETS for one in values})
