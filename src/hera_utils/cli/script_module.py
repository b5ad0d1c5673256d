"""Finds the file of a script that is named as a module, as `python -m` does: from the current folder, and among what is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from hera_utils.errors import SettingsError


def find_module(name: str) -> tuple[str, Path]:
    """(the whole name of the module, its file); of a package those of its `__main__`. Nothing is imported, so the packages around it are
    imported only when it runs. Raises SettingsError if there is no such module, or none of Python.
    """
    spec = _spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        name += ".__main__"
        spec = _spec(name)
    if spec is None:
        raise SettingsError(
            f"there is no module {name} in {os.getcwd()}, and none is installed for {sys.executable}",
            fix="give -m the name that an import has, PACKAGE.MODULE, in the folder that the package is in; a file needs no -m",
        )
    if not spec.has_location or not str(spec.origin).endswith(".py"):
        raise SettingsError(f"the module {name} has no Python source", fix="name one of your own scripts")
    return name, Path(str(spec.origin))


def _spec(name: str) -> ModuleSpec | None:
    """The spec of a module, searched for as an import does, but from package to module without importing any."""
    spec: ModuleSpec | None = None
    finders: Sequence[Any] = sys.meta_path
    folders: Sequence[str] | None = [os.getcwd(), *sys.path[1:]]
    for word in name.split("."):
        if folders is None or not word:
            return None
        # By the last word alone: a finder asks for the whole name's package among the imported ones. Who finds what is built in or frozen
        # takes folders for those of a package, in which nothing of it is.
        specs = (finder.find_spec(word, folders if finder is PathFinder else None) for finder in finders)
        spec = next(filter(None, specs), None)
        folders = None if spec is None else spec.submodule_search_locations
        finders = (PathFinder,)
    return spec
