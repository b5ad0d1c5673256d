"""Converts the tables volumes and images, given as words in a flag, a variable or a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.image_policies import POLICIES, policy_for_all
from hera_utils.settings.fields import BY_NAME
from hera_utils.settings.files import text_of
from hera_utils.settings.values import Place, convert


def table_of(name: str, raw: Any, place: Place) -> Any:
    """The table of one or several words: NAME=FOLDER for volumes, a policy or a YAML file for images; other values are returned as is.

    The entries of an images file count before a policy. Raises SettingsError for invalid words.
    """
    if name == "volumes" and isinstance(raw, str | list | tuple):
        return dict(_volume(text, place) for text in ([raw] if isinstance(raw, str) else raw))
    if name == "images" and isinstance(raw, str | os.PathLike):
        return _images(str(raw), place)
    if name == "images" and isinstance(raw, list | tuple):
        return _joined_images(raw, place)
    return raw


def _images(word: str, place: Place) -> dict[str, Any]:
    path = Path(place.path(word))
    if word in POLICIES:
        return policy_for_all(word)
    if word.isidentifier() and not path.exists():
        raise SettingsError(
            f"images ({place.origin}): `{word}` is neither a policy nor a file",
            fix=f"the policies are {', '.join(POLICIES)}",
        )
    return _images_file(path, place)


def _joined_images(words: Sequence[Any], place: Place) -> dict[str, Any]:
    """The entries of all files, of which the first for an image wins, then the policy. Raises SettingsError for two policies."""
    policies = list(dict.fromkeys(word for word in words if word in POLICIES))
    if len(policies) > 1:
        raise SettingsError(
            f"images ({place.origin}): {' and '.join(policies)} contradict each other",
            fix="give one policy; a file may name others for single images",
        )
    table: dict[str, Any] = {}
    for word in sorted(words, key=lambda word: word in POLICIES):
        for pattern, entry in table_of("images", word, place).items():
            table.setdefault(pattern, entry)
    return table


def _volume(text: str, place: Place) -> tuple[str, str]:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise SettingsError(
            f"volumes ({place.origin}): `{text}` is not NAME=FOLDER", fix="write --volume results=./results"
        )
    return name, folder


def _images_file(path: Path, place: Place) -> dict[str, Any]:
    import yaml

    from hera_utils.argo import yaml_limits

    try:
        table = yaml_limits.parse_as_pyyaml(text_of(path, place.origin))
    except (yaml.YAMLError, ValueError) as error:  # ValueError for an impossible date
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        at = "" if line is None else f", line {line + 1}"
        raise SettingsError(
            f"{path}{at}: not valid YAML ({place.origin})", fix="correct it, or name another file"
        ) from None
    near = Place(f"{place.origin}, file {path}", str(path.parent), place.home)
    value = convert(BY_NAME["images"], table or {}, near)
    return value if isinstance(value, dict) else {}
