"""The files that a task's code is in besides the workflow document: modules that Hera's runner imports, and the user's own that
those (or a script's source) import in turn. Only files below the experiment's folder count: what is installed is a package.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from hera_utils.provenance.python_source import without_comments

Json = dict[str, Any]

_RUNNER = "hera.workflows.runner"


class Sources:
    """folder: of the experiment's script."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    def __call__(self, template: Json) -> Mapping[str, str]:
        """Module → digest of its file, for the code that a template runs."""
        script = template.get("script") or {}
        module = runner_module(template)
        if module:
            path = self._file(module)
            if path is None:
                return {}
            packages_above = self._imported(f"import {module}".encode())
            return {
                module: _digest(path),
                **packages_above,
                **self._imported(path.read_bytes(), _package(module, path)),
            }
        words = str(script.get("source") or "")
        python = any("python" in str(word) for word in script.get("command") or ())
        return self._imported(words.encode()) if python and "import" in words else {}

    def _imported(self, source: bytes, package: str = "") -> dict[str, str]:
        """The user's modules that a source imports, and those that these import. package: the one that the source is in."""
        found: dict[str, str] = {}
        waiting = [(source, package)]
        while waiting:
            for name in _imports(*waiting.pop()):
                path = self._beside(name)
                if path is not None and name not in found:
                    found[name] = _digest(path)
                    waiting.append((path.read_bytes(), _package(name, path)))
        return found

    def _beside(self, name: str) -> Path | None:
        stem = self.folder.joinpath(*name.split("."))
        return next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)

    def _file(self, module: str) -> Path | None:
        beside = self._beside(module)
        if beside is not None:
            return beside
        known = getattr(sys.modules.get(module), "__file__", None)
        if known is None:
            try:
                spec = importlib.util.find_spec(module)
            except (ImportError, ValueError):
                return None
            known = spec.origin if spec is not None else None
        return Path(known) if known and Path(known).is_file() else None


def runner_module(template: Json) -> str:
    """The module of the function that Hera's runner calls; "" for any other template."""
    for key in ("script", "container"):
        words = [str(word) for part in ("command", "args") for word in (template.get(key) or {}).get(part) or ()]
        if _RUNNER in words and "-e" in words[:-1]:
            return words[words.index("-e") + 1].partition(":")[0]
    return ""


def _digest(path: Path) -> str:
    return hashlib.blake2b(without_comments(path.read_bytes()), digest_size=8).hexdigest()


def _package(module: str, path: Path) -> str:
    """The package that a module is in, or is: what its relative imports begin at."""
    return module if path.name == "__init__.py" else module.rpartition(".")[0]


@lru_cache(maxsize=1024)
def _imports(source: bytes, package: str) -> tuple[str, ...]:
    """The modules that may be meant, and the packages above them: Python runs these first."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return ()
    return tuple(dict.fromkeys(one for name in _names(tree, package) for one in (*_above(name), name)))


def _above(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:count]) for count in range(1, len(parts)))


def _names(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            module = _meant(node, package)
            if module:
                yield module
                for alias in node.names:
                    yield f"{module}.{alias.name}"


def _meant(node: ast.ImportFrom, package: str) -> str:
    """The module of a `from … import`; "" for a relative one that leads out of the package."""
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    if not package or node.level > len(parts):
        return ""
    return ".".join([*parts[: len(parts) - node.level + 1], *([node.module] if node.module else [])])


@cache
def packages() -> dict[str, str]:
    """Every installed distribution and its version."""
    from importlib.metadata import distributions

    found: dict[str, str] = {}
    for one in distributions():
        name = one.metadata["Name"]
        if name:
            found.setdefault(name.lower(), one.version)
    return dict(sorted(found.items()))
