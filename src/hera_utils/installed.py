"""What is installed in this environment. Common questions are answered without `importlib.metadata`, whose import takes a twentieth of a
start (decision 47).
"""

from __future__ import annotations

import contextlib
import os
import sys
from importlib.machinery import PathFinder


def version_of(distribution: str) -> str:
    """The version of a distribution; "" if it is not installed."""
    if known := version_by_folder(distribution):
        return known
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""


def version_by_folder(distribution: str) -> str:
    """The version in the name of the folder with the metadata of a distribution, "" if there is no such folder."""
    for folder in _metadata_folders() or ():
        name, _, version = os.path.basename(folder).removesuffix(".dist-info").partition("-")
        if name == distribution and version:
            return version
    return ""


def may_have_entry_points(group: str) -> bool:
    """Whether a distribution may have entry points of a group. False is certain."""
    folders = _metadata_folders()
    return folders is None or any(f"[{group}]" in _entry_points_file(folder) for folder in folders)


def _metadata_folders() -> list[str] | None:
    """The folders with the metadata of all installed distributions, in the order of `sys.path`; None if a distribution may have them
    elsewhere: in an archive, or in what another importer knows.
    """
    if any(hasattr(finder, "find_distributions") for finder in sys.meta_path if finder is not PathFinder):
        return None
    folders = []
    for place in sys.path:
        if os.path.isfile(place):
            return None
        with contextlib.suppress(OSError):
            names = sorted(name for name in os.listdir(place or ".") if name.endswith((".dist-info", ".egg-info")))
            folders += [os.path.join(place, name) for name in names]
    return folders


def _entry_points_file(folder: str) -> str:
    try:
        with open(os.path.join(folder, "entry_points.txt"), encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
