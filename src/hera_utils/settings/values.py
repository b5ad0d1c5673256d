"""Converts the raw value of a source (text in a variable, TOML in a file) to the value of a field."""

from __future__ import annotations

import os.path
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hera_utils.errors import SettingsError
from hera_utils.image_policies import POLICIES
from hera_utils.settings.fields import Field
from hera_utils.settings.secret import Secret

_YES = ("1", "true", "yes", "on", "t", "y")
_NO = ("0", "false", "no", "off", "f", "n")


@dataclass(frozen=True)
class Place:
    """The place of a value. origin: the source, for messages. folder: the base of relative paths. home: the meaning of `~`."""

    origin: str
    folder: str
    home: str

    def path(self, text: str) -> str:
        if text == "~" or text.startswith("~/"):
            text = self.home + text[1:]
        return os.path.normpath(os.path.join(self.folder, text))


def convert(field: Field, raw: Any, place: Place) -> Any:
    """Convert `raw` to a value of the field; None if it is empty. Raises SettingsError, which names the place, if it is invalid."""
    if raw is None or raw == "":
        return None
    if field.kind == "boolean":
        return _boolean(field, raw, place)
    if field.kind == "table":
        return _table(field, raw, place)
    if isinstance(raw, Secret):
        return raw
    if field.kind == "words" and isinstance(raw, list | tuple) and all(isinstance(word, str) for word in raw):
        raw = field.joint.join(raw)
    if isinstance(raw, bool) or not isinstance(raw, str | int | float | os.PathLike):
        raise _invalid_value_error(field, place, "a text is expected")
    text = str(raw).strip()
    if not text:
        return None
    if "\x00" in text or "\n" in text:
        raise _invalid_value_error(field, place, "it holds a line break or a zero byte")
    if field.choices and text.lower() not in field.choices:
        raise _invalid_value_error(field, place, f"`{text}` is none of: {', '.join(field.choices)}")
    if field.kind == "duration":
        return _duration(field, text, place)
    if field.kind == "count":
        return _count(field, text, place)
    return _text(field, text.lower() if field.choices else text, place)


def _text(field: Field, text: str, place: Place) -> Any:
    if field.secret:
        return Secret(text)
    if field.name == "argo_namespace":
        return _namespace(field, text, place)
    if field.name == "proxy":
        return _proxy(field, text, place)
    if field.kind == "program" and "/" not in text:
        program = shutil.which(text)
        return os.path.abspath(program) if program else text
    if field.kind in ("path", "program"):
        return place.path(text)
    if field.kind == "command":
        return _command(field, text, place)
    if field.kind == "paths":
        return os.path.pathsep.join(place.path(part) for part in text.split(os.path.pathsep) if part)
    return text


def _namespace(field: Field, text: str, place: Place) -> str:
    """The name. Raises SettingsError if Kubernetes allows no such name: an Argo server would say that it is forbidden."""
    from hera_utils.argo.names import LABEL_LENGTH, label_faults

    if label_faults(text):
        rule = f"at most {LABEL_LENGTH} small letters, digits and `-`, with a letter or a digit at both ends"
        raise _invalid_value_error(field, place, f"`{text}` cannot be the name of a namespace: {rule}")
    return text


def _command(field: Field, text: str, place: Place) -> str:
    """The command with absolute paths for its words that are files in the place's folder, as it may run in any folder."""
    try:
        words = shlex.split(text)
    except ValueError:
        words = []
    if not words:
        raise _invalid_value_error(field, place, "it is not a command: PROGRAM ARGUMENT…")
    words = [path if os.path.isfile(path := place.path(word)) else word for word in words]
    if "/" in words[0]:
        words[0] = place.path(words[0])
    return shlex.join(words)


def _proxy(field: Field, text: str, place: Place) -> str:
    """The URL of a proxy. The error does not repeat the text because it may contain a password."""
    written = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(written)
        fine = bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fine = False
    if not fine or any(character.isspace() for character in text):
        raise _invalid_value_error(field, place, "it is not an address of a proxy, such as http://proxy.example:3128")
    return written


def _duration(field: Field, text: str, place: Place) -> float:
    from hera_utils.argo.durations import DurationError, seconds_or_duration

    try:
        seconds = seconds_or_duration(text)
    except DurationError:
        seconds = 0.0
    if seconds <= 0:
        raise _invalid_value_error(field, place, f"`{text}` is not a time such as 90m, 1h or 3600")
    return seconds


def _count(field: Field, text: str, place: Place) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise _invalid_value_error(field, place, f"`{text}` is not a whole number from 1 on")
    return int(text)


def _boolean(field: Field, raw: Any, place: Place) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise _invalid_value_error(field, place, f"`{raw}` is not a boolean")


def _table(field: Field, raw: Any, place: Place) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise _invalid_value_error(field, place, "a table is expected")
    return {str(key): _entry(field, str(key), value, place) for key, value in raw.items()}


def _entry(field: Field, key: str, value: Any, place: Place) -> Any:
    if field.name == "volumes":
        if not isinstance(value, str | os.PathLike) or not str(value):
            raise _invalid_value_error(field, place, f"`{key}` must name a folder")
        return place.path(str(value))
    if value in POLICIES:
        return {"policy": value}
    if not isinstance(value, Mapping):
        raise _invalid_value_error(field, place, f'`{key}` must be a table such as {{python = "current"}}')
    return _image(field, key, value, place)


def _image(field: Field, key: str, entry: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """An image's entry with absolute paths in `path` (folders), `files` (path in the task → path on this machine) and `python`."""
    settings = dict(entry)
    if "path" in settings:
        folders = [settings["path"]] if isinstance(settings["path"], str) else settings["path"]
        if not isinstance(folders, list):
            raise _invalid_value_error(field, place, f"`path` of `{key}` must be a list of folders")
        settings["path"] = [place.path(str(folder)) for folder in folders]
    if "files" in settings:
        if not isinstance(settings["files"], Mapping):
            raise _invalid_value_error(
                field, place, f"`files` of `{key}` must be a table: path inside the task = path on this machine"
            )
        settings["files"] = {str(inside): place.path(str(here)) for inside, here in settings["files"].items()}
    python = settings.get("python")
    if isinstance(python, str) and "/" in python:
        settings["python"] = place.path(python)
    return settings


def _invalid_value_error(field: Field, place: Place, why: str) -> SettingsError:
    return SettingsError(f"{field.name} ({place.origin}): {why}", fix=f"{field.name} is {field.help}")
