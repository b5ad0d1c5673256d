"""The user's image table: image name (a glob) → what to run for it on this machine, or what happens to it.

    "python:*":  {python: current, cmd: [python3]}      `python` is the interpreter of the submitting script
    "fit*":      {python: "3.12", requirements: [numpy]}  a Python with packages, which uv makes (python_environment.py)
    "alpine*":   {cmd: [/bin/sh], hide: [bash]}         this machine's programs, without those the image lacks
    "tool*":     {entrypoint: [/tool], files: {/tool: bin/tool}, path: [bin], env: {K: v}, workdir: /}
    "lab/*":     {policy: pull}                         no stand-in, but a policy (image_policies.py); `pull` or {pull: true} mean the same
    "*":         never                                  the policy of all other images

`entrypoint` and `cmd`: what the image runs when a template gives no command. `path`: folders put first on PATH.
`files`: a file of this machine at a path inside the task. Relative paths are relative to the file that holds the table.
"""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hera_utils.errors import SettingsError
from hera_utils.image_policies import ALL, POLICIES, policy_for_all
from hera_utils.images.choice import without_docker_hub
from hera_utils.images.interpreters import path_of
from hera_utils.wording import system_reason

Json = dict[str, Any]
VARIABLE = "HERA_UTILS_IMAGES"
_LISTS = ("entrypoint", "cmd", "path", "hide", "requirements")
_FIELDS = (*_LISTS, "files", "env", "python", "workdir", "policy", "pull")
_LINE = '"python:3.11": {python: current}'
_ANNOTATION = "correct its annotation hera-utils/images, or submit it again with --images FILE"


class TableEntry(NamedTuple):
    """What a table says about an image. stand_in: the settings of its stand-in, None where the policy decides."""

    policy: str = "auto"
    stand_in: Json | None = None


class ImageTable:
    """Image globs and their settings, looked up in this order: a workflow's own entries, then the file's; longer globs first, a policy for
    all images last.
    """

    def __init__(self, entries: Mapping[str, Json] | None = None) -> None:
        """entries: image glob → settings. Raises SettingsError for settings that are not in the format."""
        self._entries = _order_of_lookup(
            {name: checked_entry(name, entry, Path.cwd(), "the image table") for name, entry in (entries or {}).items()}
        )
        self._annotated: dict[str, list[tuple[str, Json]]] = {}

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> ImageTable:
        """The table in the file that HERA_UTILS_IMAGES names, or the policy that it names. Raises SettingsError."""
        named = (os.environ if environ is None else environ).get(VARIABLE, "")
        if named in POLICIES:
            return cls(policy_for_all(named))
        return cls.from_file(Path(named)) if named else cls()

    @classmethod
    def from_file(cls, path: Path) -> ImageTable:
        """The table of a YAML file. Raises SettingsError."""
        import yaml  # imported here, because most users have no image table and every server starts through this module

        try:
            document = yaml.safe_load(path.read_text())
        except OSError as error:
            raise SettingsError(
                f"the image table {path} cannot be read ({system_reason(error)})",
                fix=f"correct {VARIABLE}: a file, or one of {', '.join(POLICIES)}",
            ) from error
        except (yaml.YAMLError, RecursionError) as error:
            raise SettingsError(
                f"the image table {path} is not YAML: {str(error).splitlines()[0]}", fix=f"write lines such as {_LINE}"
            ) from error
        if not isinstance(document, dict):
            raise SettingsError(
                f"the image table {path} must map image names to settings", fix=f"write lines such as {_LINE}"
            )
        folder = path.resolve().parent
        return cls({str(name): checked_entry(str(name), entry, folder, str(path)) for name, entry in document.items()})

    def entry(self, image: str, annotation: str = "") -> TableEntry:
        """What the table says about an image. annotation: a workflow's own table as JSON."""
        layers = [self._of_annotation(annotation), self._entries] if annotation else [self._entries]
        for for_all in (False, True):
            for layer in layers:
                for pattern, settings in layer:
                    if _is_policy_for_all(pattern, settings) == for_all and _matches(image, pattern):
                        return _entry(settings)
        return TableEntry()

    def entries(self) -> dict[str, Json]:
        """The whole table in the order of lookup."""
        return dict(self._entries)

    def _of_annotation(self, text: str) -> list[tuple[str, Json]]:
        if text not in self._annotated:
            if len(self._annotated) > 100:  # each run may have a different table
                self._annotated.clear()
            self._annotated[text] = _order_of_lookup(_read_annotation(text))
        return self._annotated[text]


def _is_policy_for_all(pattern: str, settings: Json) -> bool:
    return pattern == ALL and set(settings) == {"policy"}


def _entry(settings: Json) -> TableEntry:
    policy = settings.get("policy")
    stand_in = {name: value for name, value in settings.items() if name != "policy"}
    return TableEntry(str(policy or "auto"), stand_in if stand_in or policy is None else None)


def _order_of_lookup(entries: dict[str, Json]) -> list[tuple[str, Json]]:
    return sorted(entries.items(), key=lambda item: -len(item[0].rstrip("*")))


def _matches(image: str, pattern: str) -> bool:
    """Whether an image matches a glob, with or without the default prefix of its registry."""
    return fnmatch.fnmatchcase(image, pattern) or fnmatch.fnmatchcase(without_docker_hub(image), pattern)


def _read_annotation(text: str) -> dict[str, Json]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SettingsError(f"the image table of the workflow is not JSON: {error}", fix=_ANNOTATION) from error
    if not isinstance(document, dict):
        raise SettingsError("the image table of the workflow must map image names to settings", fix=_ANNOTATION)
    return {
        str(name): checked_entry(str(name), entry, Path("/"), "the image table of the workflow")
        for name, entry in document.items()
    }


def checked_entry(name: str, entry: Any, folder: Path, where: str) -> Json:
    """The entry with absolute paths. Raises SettingsError when it is not in the format."""
    if entry in POLICIES:
        entry = {"policy": entry}
    if not isinstance(entry, dict):
        raise SettingsError(
            f'{where}: the settings of "{name}" must be a mapping of {", ".join(_FIELDS)}',
            fix=f"write a line such as {_LINE}",
        )
    for key, value in entry.items():
        if key not in _FIELDS:
            raise SettingsError(
                f'{where}: "{name}" has the unknown setting "{key}"', fix=f"the settings are {', '.join(_FIELDS)}"
            )
        if key in _LISTS and not (isinstance(value, list) and all(isinstance(v, str) for v in value)):
            raise SettingsError(
                f'{where}: "{key}" of "{name}" must be a list of texts', fix=f'write {key}: ["{value}"]'
            )
        if key == "hide" and any("/" in program for program in value):
            raise SettingsError(
                f'{where}: "hide" of "{name}" must name programs, not paths', fix='write hide: ["bash"]'
            )
        if key in ("files", "env") and not isinstance(value, dict):
            raise SettingsError(f'{where}: "{key}" of "{name}" must be a mapping', fix=f"write {key}: {{NAME: VALUE}}")
    if not isinstance(entry.get("python", ""), str):
        raise SettingsError(
            f'{where}: "python" of "{name}" must be a text', fix=f'write it in quotes: python: "{entry["python"]}"'
        )
    settings = _with_policy(name, dict(entry), where)
    if "python" in settings:
        settings["python"] = path_of(settings["python"])
    if "path" in settings:
        settings["path"] = [str(folder / p) for p in settings["path"]]
    if "files" in settings:
        settings["files"] = {str(inside): str(folder / outside) for inside, outside in settings["files"].items()}
    if "env" in settings:
        settings["env"] = {str(k): str(v) for k, v in settings["env"].items()}
    return settings


def _with_policy(name: str, settings: Json, where: str) -> Json:
    """The settings with `pull` as a policy. Raises SettingsError for an unknown policy, and for one that contradicts a stand-in."""
    pull = settings.pop("pull", None)
    if pull is not None:
        if not isinstance(pull, bool) or "policy" in settings:
            raise SettingsError(
                f'{where}: "pull" of "{name}" must be true or false, and stands in the place of "policy"',
                fix="write {policy: pull} or {policy: never}",
            )
        settings["policy"] = "pull" if pull else "never"
    policy = settings.get("policy", "auto")
    if policy not in POLICIES:
        raise SettingsError(
            f'{where}: "{name}" has the unknown policy "{policy}"', fix=f"the policies are {', '.join(POLICIES)}"
        )
    if "policy" in settings and policy != "stand-in" and len(settings) > 1:
        raise SettingsError(
            f'{where}: "{name}" has both a stand-in and the policy "{policy}"', fix="leave one of them out"
        )
    return settings
