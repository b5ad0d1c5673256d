"""The packages that a script requires according to its PEP 723 comment:

# /// script
# dependencies = ["numpy>=2"]
# ///
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from hera_utils.errors import SettingsError

_BLOCK = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(\[[^\]]*\])?\s*(.*)")


def packages_of_script(path: Path) -> list[str]:
    """The requirements in a script's comment; [] if it has none. Raises SettingsError for an invalid comment."""
    try:
        match = _BLOCK.search(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if match is None:
        return []
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    lines = (line[2:] if line.startswith("# ") else line[1:] for line in match["content"].splitlines())
    try:
        packages = tomllib.loads("\n".join(lines)).get("dependencies", [])
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"the comment `# /// script` of {path} is not TOML: {error}", fix="correct it") from None
    if not (isinstance(packages, list) and all(isinstance(package, str) for package in packages)):
        raise SettingsError(f"`dependencies` in the comment of {path} must be a list of texts", fix="correct it")
    return packages


def are_installed(requirements: list[str]) -> bool:
    """Whether this process's Python has all of them, so that no environment is needed. A requirement that cannot be compared is missing."""
    return all(map(_is_installed, requirements))


def _is_installed(requirement: str) -> bool:
    import importlib.metadata

    parsed = _NAME.fullmatch(requirement.partition(";")[0])
    if parsed is None:
        return False
    name, _, versions = parsed.groups()
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    if not versions:
        return True
    try:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet  # most environments have it
    except ImportError:
        return False
    try:
        return SpecifierSet(versions.strip("() ")).contains(version, prereleases=True)
    except InvalidSpecifier:
        return False
