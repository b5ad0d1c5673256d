"""Finds the packages of imported modules, with their versions, and the files of those installed from a source folder.

Other Pythons of this machine run this file, so it imports only the standard library.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import re
import sys
import sysconfig
from pathlib import Path
from typing import Any

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


Json = dict[str, Any]


def answer(names: list[str]) -> Json:
    """The packages of modules as JSON. names: dotted modules; those of the standard library are ignored.

    {"version": of Python, "packages": {package: version} with required packages, "imported": the packages without required ones,
    "files": {top-level module: file} of packages installed from a source folder (editable), "absent": names that are not found}
    """
    tops: dict[str, list[str]] = {}
    for name in names:
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names:
            tops.setdefault(top, []).append(name)
    packages: set[str] = set()
    files: dict[str, str] = {}
    absent = []
    owners = _owners(set(tops))
    for top, dotted in tops.items():
        origin = _origin(top)
        if origin and not _is_installed(origin):
            files[top] = origin
            continue
        if not origin and not owners[top]:
            absent.append(top)
        chosen = owners[top] if len(owners[top]) < 2 else _filter_owners(owners[top], dotted)
        packages.update(canonical(distribution.metadata["Name"]) for distribution in chosen)
    return {
        "version": platform.python_version(),
        "packages": _add_requirements(packages),
        "imported": sorted(packages),
        "files": files,
        "absent": sorted(absent),
    }


def all_packages() -> Json:
    """As `answer`, for all installed packages."""
    packages: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        if distribution.metadata["Name"]:
            packages.setdefault(canonical(distribution.metadata["Name"]), distribution.version)
    return {"version": platform.python_version(), "packages": packages, "files": {}, "absent": []}


def _origin(top: str) -> str:
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return ""
    if spec is None:
        return ""
    if spec.origin and spec.origin not in ("built-in", "frozen", "namespace"):
        return spec.origin
    return next(iter(spec.submodule_search_locations or ()), "")


def _is_installed(origin: str) -> bool:
    """Whether a file belongs to an installed package or the standard library, or is built in."""
    path = Path(origin)
    if not path.is_absolute() or {"site-packages", "dist-packages"} & set(path.parts):
        return True
    return any(path.is_relative_to(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib"))


def _owners(tops: set[str]) -> dict[str, list[Any]]:
    """Top-level module → the packages that contain it."""
    owners: dict[str, list[Any]] = {top: [] for top in tops}
    for top in tops:
        try:
            namesake = importlib.metadata.distribution(top)
        except (importlib.metadata.PackageNotFoundError, ValueError):
            continue
        if top in _tops(namesake):
            owners[top].append(namesake)
    others = {top for top in tops if not owners[top]}
    for distribution in importlib.metadata.distributions() if others else ():
        for top in others & _tops(distribution):
            owners[top].append(distribution)
    return owners


def _tops(package: Any) -> set[str]:
    """The top-level modules in the metadata of a package."""
    text = package.read_text("RECORD") or package.read_text("installed-files.txt") or ""
    listed = {re.split(r"[/.]", line, maxsplit=1)[0] for line in text.splitlines()}
    return listed | set((package.read_text("top_level.txt") or "").split())


def _filter_owners(owners: list[Any], names: list[str]) -> list[Any]:
    """Those of several packages with the same top-level name that contain these modules; all if none of them lists one."""
    chosen: list[Any] = []
    texts = [owner.read_text("RECORD") or "" for owner in owners]
    for name in names:
        parts = name.split(".")
        for count in range(len(parts), 1, -1):
            path = "/".join(parts[:count])
            hits = [
                owner
                for owner, text in zip(owners, texts)  # noqa: B905  older Pythons, which run this file, too, have no strict=
                if re.search(rf"^{re.escape(path)}(/|\.)", text, re.MULTILINE)
            ]
            if hits:
                chosen += hits
                break
    return chosen or owners


def _add_requirements(names: set[str]) -> dict[str, str]:
    """Package → version of these and of the packages that they require (without extras), as far as installed."""
    versions: dict[str, str] = {}
    waiting = sorted(names)
    while waiting:
        name = waiting.pop()
        if name in versions:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        versions[name] = distribution.version
        for requirement in distribution.requires or ():
            named, _, marker = requirement.partition(";")
            match = _NAME.match(named.strip())
            if match and "extra" not in marker:
                waiting.append(canonical(match.group()))
    return dict(sorted(versions.items()))


def canonical(name: str) -> str:
    """The one name for all spellings of a package's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    question = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps(all_packages() if question is None else answer(question)))
