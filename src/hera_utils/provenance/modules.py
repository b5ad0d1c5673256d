"""The user's own modules that a Python source imports. The source is read, not run, so computed names are not found.

Only files below the experiment's folder count; installed packages are in python.py.
"""

from __future__ import annotations

import ast
import importlib.util
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hera_utils.provenance.python_source import computed_imports, names_in, without_comments

Json = dict[str, Any]

_TAG = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_RUNNER = "hera.workflows.runner"
_MOST_SOURCES = 200
_LARGEST_SOURCE = 1 << 20


def user_modules(source: bytes, folder: Path, package: str = "") -> dict[str, Path]:
    """The modules below `folder` that a source imports, directly or not: dotted name → file.

    package: the package of the source; "" for a script in `folder`, whose relative imports begin there.
    """
    modules: dict[str, Path] = {}
    waiting = [(source, package)]
    while waiting:
        for name in _imported_names(*waiting.pop(0)):
            path = file_of(name, folder)
            content = None if path is None or name in modules else _content(path)
            if path is not None and content is not None:
                modules[name] = path
                waiting.append((content, package_of(name, path)))
    return modules


def sources_of(script: Path) -> dict[str, bytes]:
    """The script and its modules: path relative to the script's folder → content. At most 200 files, each of at most 1 MiB."""
    folder = script.parent
    contents: dict[str, bytes] = {}
    for path in [script, *user_modules(_content(script) or b"", folder).values()]:
        content = _content(path)
        if content is not None and len(content) <= _LARGEST_SOURCE:
            contents.setdefault(path.relative_to(folder).as_posix(), content)
    return dict(itertools.islice(contents.items(), _MOST_SOURCES))


def imports_of_script(script: Path) -> Imports:
    """The imports of a script and of its modules."""
    source = _content(script) or b""
    return _imports_of({script.name: source}, user_modules(source, script.parent))


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


@dataclass(frozen=True)
class Imports:
    """The imports of a template's code. modules: the user's own, dotted name → file. others: the dotted names of all others.

    unknown: a source in which names of modules are computed, so that further ones may be imported; "" for none.
    """

    modules: Mapping[str, Path]
    others: frozenset[str] = frozenset()
    unknown: str = ""


class Sources:
    """Finds the user's modules that a template imports. folder: that of the experiment's script."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def __call__(self, template: Json) -> Mapping[str, str]:
        """Module → its source without comments."""
        return {name: text_of(path) for name, path in self.imports(template).modules.items()}

    def imports(self, template: Json) -> Imports:
        """The imports of a template; none for a template that is no Python script."""
        script = template.get("script") or {}
        module = runner_module(template)
        if module:
            path = file_of(module, self.folder) or importable(module)
            if path is None:
                return Imports({})
            above = user_modules(f"import {module}".encode(), self.folder)
            inside = user_modules(path.read_bytes(), self.folder, package_of(module, path))
            return _imports_of({}, {module: path, **above, **inside})
        words = str(script.get("source") or "")
        python = any("python" in str(word) for word in script.get("command") or ())
        if not python:
            return Imports({})
        source = _TAG.sub("0", words).encode() if "{{" in words else words.encode()
        return _imports_of({"its source": source}, user_modules(source, self.folder))

    def imports_of_installed_files(self, files: Mapping[str, str], names: Iterable[str]) -> Imports:
        """The imports of packages installed from a source folder (editable). files: top-level module → file. names: dotted modules."""
        modules: dict[str, Path] = {}
        for top, file in files.items():
            path = Path(file)
            root = path.parent.parent if path.name == "__init__.py" or path.is_dir() else path.parent
            root = path.parent if path.is_dir() else root
            wanted = [name for name in names if name.partition(".")[0] == top]
            lines = "".join(f"import {name}\n" for name in wanted)
            modules.update(user_modules(lines.encode(), root))
        return _imports_of({}, modules)


def _imports_of(sources: Mapping[str, bytes], modules: Mapping[str, Path]) -> Imports:
    """The imports of all these sources and modules."""
    others: set[str] = set()
    unknown = ""
    packages = {name: package_of(name, path) for name, path in modules.items()}
    pieces = [(name, source, "") for name, source in sources.items()]
    pieces += [(name, _content(path) or b"", packages[name]) for name, path in modules.items()]
    for name, source, package in pieces:
        others.update(_imported_names(source, package))
        unknown = unknown or (name if _computes_names(source) else "")
    roots = {name.partition(".")[0] for name in modules}
    foreign = (name for name in others if name and name.partition(".")[0] not in roots)
    return Imports(modules, frozenset(foreign), unknown)


def text_of(path: Path) -> str:
    """The source of a module without its comments, which do not affect its behaviour."""
    return without_comments(_content(path) or b"").decode("utf-8", "replace")


def runner_module(template: Json) -> str:
    """The module of the function that Hera's runner calls; "" for any other template."""
    return next(filter(None, (runner_function(template.get(key) or {})[0] for key in ("script", "container"))), "")


def runner_function(container: Json) -> tuple[str, str]:
    """(module, function) that Hera's runner calls in a container; empty for any other."""
    words = [str(word) for part in ("command", "args") for word in container.get(part) or ()]
    if _RUNNER not in words or "-e" not in words[:-1]:
        return "", ""
    module, _, function = words[words.index("-e") + 1].partition(":")
    return module, function


@lru_cache(maxsize=1024)
def _imported_names(source: bytes, package: str) -> tuple[str, ...]:
    """The modules that a source may import, and their parent packages, which Python imports first."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    names = [*(name for node in ast.walk(tree) for name in names_in(node, package)), *computed_imports(tree)[0]]
    return tuple(dict.fromkeys(part for name in names for part in _with_packages(name)))


@lru_cache(maxsize=1024)
def _computes_names(source: bytes) -> bool:
    try:
        return computed_imports(ast.parse(source))[1]
    except (SyntaxError, ValueError, RecursionError):
        return False


def _with_packages(name: str) -> Iterator[str]:
    """`a`, `a.b`, `a.b.c` of `a.b.c`."""
    parts = name.split(".")
    yield from (".".join(parts[: count + 1]) for count in range(len(parts)))


def file_of(module: str, folder: Path) -> Path | None:
    """The file of a module below a folder. A package wins over a module of the same name, as in Python."""
    stem = folder.joinpath(*module.split("."))
    return next((path for path in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")) if path.is_file()), None)


def importable(module: str) -> Path | None:
    """The file of a module that this process could import from elsewhere."""
    origin = getattr(sys.modules.get(module), "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            return None
        origin = spec.origin if spec is not None else None
    return Path(origin) if origin and Path(origin).is_file() else None


def package_of(module: str, path: Path) -> str:
    """The package at which the relative imports of a module begin: the module itself if it is a package, else the one that contains it."""
    return module if path.name == "__init__.py" else module.rpartition(".")[0]
