"""What a container image is on this machine: image name (a glob) → what to run, and with which programs.

    "python:*":  {python: current, cmd: [python3]}      `python` is the interpreter of the submitting script
    "alpine*":   {cmd: [/bin/sh], hide: [bash]}         this machine's programs, without those the image lacks
    "tool*":     {entrypoint: [/tool], files: {/tool: bin/tool}, path: [bin], env: {K: v}, workdir: /}

`entrypoint` and `cmd`: what the image runs when a template gives no command. `path`: folders put first on PATH.
`files`: a file of this machine at a path inside the task. Relative paths are relative to the file that holds the table.
"""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hera_utils.argo.annotations import IMAGES
from hera_utils.errors import SettingsError

Json = dict[str, Any]
VARIABLE = "HERA_UTILS_IMAGES"
_LISTS = ("entrypoint", "cmd", "path", "hide")
_FIELDS = (*_LISTS, "files", "env", "python", "workdir")

_DEFAULTS: dict[str, Json] = {
    "python": {"python": "current", "cmd": ["python3"]},
    "python:*": {"python": "current", "cmd": ["python3"]},
    "alpine*": {"cmd": ["/bin/sh"]},
    "busybox*": {"cmd": ["sh"]},
    "debian*": {"cmd": ["bash"]},
    "ubuntu*": {"cmd": ["bash"]},
    "bash*": {"cmd": ["bash"]},
    "node*": {"cmd": ["node"]},
    "curlimages/curl*": {"entrypoint": ["curl"]},
}


def defaults() -> dict[str, Json]:
    """The table without any configuration, for printing."""
    return {name: dict(entry) for name, entry in _DEFAULTS.items()}


class ImageTable:
    """Entries in the order of their lookup: a workflow's own, then the file's, then the defaults; a longer glob first."""

    def __init__(self, entries: Mapping[str, Json] | None = None) -> None:
        """entries: image glob → settings, checked; they stand before the defaults."""
        own = {name: _checked(name, entry, Path.cwd(), "the image table") for name, entry in (entries or {}).items()}
        self._entries = _ordered(own) + _ordered({k: v for k, v in _DEFAULTS.items() if k not in own})
        self._by_image: dict[str, Json | None] = {}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> ImageTable:
        """The table of the file that HERA_UTILS_IMAGES names, over the defaults. Raises SettingsError."""
        path = (os.environ if environ is None else environ).get(VARIABLE, "")
        return cls.from_file(Path(path)) if path else cls()

    @classmethod
    def own(cls, environ: Mapping[str, str]) -> dict[str, Json]:
        """The entries of the file that HERA_UTILS_IMAGES names; {} without one. Raises SettingsError."""
        defaults_alone = cls().entries()
        return {
            name: entry
            for name, entry in cls.from_environment(environ).entries().items()
            if defaults_alone.get(name) != entry
        }

    @classmethod
    def from_file(cls, path: Path) -> ImageTable:
        """The table of a YAML file, over the defaults. Raises SettingsError."""
        try:
            document = yaml.safe_load(path.read_text())
        except OSError as error:
            raise SettingsError(
                f"the image table {path} cannot be read ({error.strerror})", fix=f"correct {VARIABLE}"
            ) from error
        except yaml.YAMLError as error:
            raise SettingsError(f"the image table {path} is not YAML: {str(error).splitlines()[0]}") from error
        if not isinstance(document, dict):
            raise SettingsError(f"the image table {path} must map image names to settings")
        folder = path.resolve().parent
        return cls({str(name): _checked(str(name), entry, folder, str(path)) for name, entry in document.items()})

    def lookup(self, image: str, annotation: str = "") -> Json | None:
        """The settings for an image, None when the table has none. annotation: a workflow's own table as JSON."""
        if annotation:
            for pattern, entry in _ordered(_annotated(annotation)):
                if _matches(image, pattern):
                    return entry
        if image not in self._by_image:
            self._by_image[image] = next((entry for pattern, entry in self._entries if _matches(image, pattern)), None)
        return self._by_image[image]

    def entries(self) -> dict[str, Json]:
        """The whole table in the order of lookup."""
        return dict(self._entries)


def _ordered(entries: dict[str, Json]) -> list[tuple[str, Json]]:
    return sorted(entries.items(), key=lambda item: -len(item[0].rstrip("*")))


def _matches(image: str, pattern: str) -> bool:
    """A glob; registries' default prefixes do not matter."""
    if fnmatch.fnmatchcase(image, pattern):
        return True
    for prefix in ("docker.io/library/", "docker.io/", "index.docker.io/library/", "library/"):
        if image.startswith(prefix) and fnmatch.fnmatchcase(image[len(prefix) :], pattern):
            return True
    return False


def _annotated(text: str) -> dict[str, Json]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"the annotation {IMAGES} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise SettingsError(f"the annotation {IMAGES} must map image names to settings")
    return {
        str(name): _checked(str(name), entry, Path("/"), f"the annotation {IMAGES}") for name, entry in document.items()
    }


def _checked(name: str, entry: Any, folder: Path, where: str) -> Json:
    """The entry with absolute paths. Raises SettingsError for what is not in the format."""
    if not isinstance(entry, dict):
        raise SettingsError(f'{where}: the settings of "{name}" must be a mapping of {", ".join(_FIELDS)}')
    for key, value in entry.items():
        if key not in _FIELDS:
            raise SettingsError(
                f'{where}: "{name}" has the unknown setting "{key}"', fix=f"the settings are {', '.join(_FIELDS)}"
            )
        if key in _LISTS and not (isinstance(value, list) and all(isinstance(v, str) for v in value)):
            raise SettingsError(f'{where}: "{key}" of "{name}" must be a list of texts')
        if key in ("files", "env") and not isinstance(value, dict):
            raise SettingsError(f'{where}: "{key}" of "{name}" must be a mapping')
    settings = dict(entry)
    if "path" in settings:
        settings["path"] = [str(folder / p) for p in settings["path"]]
    if "files" in settings:
        settings["files"] = {str(inside): str(folder / outside) for inside, outside in settings["files"].items()}
    if "env" in settings:
        settings["env"] = {str(k): str(v) for k, v in settings["env"].items()}
    return settings
