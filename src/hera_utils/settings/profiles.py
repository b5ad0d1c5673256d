"""Lists and changes profiles: their settings are in the user's (or the project's) file, their tokens in a separate file.

A file is replaced as a whole or not at all, and only if the new text, parsed, has exactly the intended content. A file with a layout
that this code cannot change is left as it is, with an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.private_folders import make_private
from hera_utils.settings import toml_text
from hera_utils.settings.fields import BY_NAME
from hera_utils.settings.files import Document, text_of, toml_document, toml_of
from hera_utils.settings.hera_config import parse_hera_config
from hera_utils.settings.resolve import remove_passwords
from hera_utils.settings.secret import Secret
from hera_utils.settings.sources import CREDENTIALS_FILE, PROJECT_FILE, USER_FILE, Surroundings, project_document
from hera_utils.settings.table_values import table_of
from hera_utils.settings.trust import is_trusted, trust
from hera_utils.settings.values import convert
from hera_utils.whole_files import write_atomically
from hera_utils.wording import system_reason

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*$")
_TOKEN = "argo_token"
# A profile cannot contain these: it would refer to itself or to another platform's folder.
_NEVER = (
    "profile",
    "state",
)


@dataclass(frozen=True)
class Profile:
    """A profile. files: those that define it, strongest first. settings: name → value as written, without tokens.

    has_token: whether the credentials file has a token for it.
    """

    name: str
    files: tuple[str, ...]
    settings: Mapping[str, Any]
    has_token: bool


@dataclass(frozen=True)
class ImportedSettings:
    """The content of a hera.config. settings: those of hera_utils. foreign: keys for flags of scripts, which no profile contains."""

    settings: Mapping[str, Any]
    foreign: tuple[str, ...]


def list_profiles(around: Surroundings) -> list[Profile]:
    """All profiles, sorted by name."""
    documents = (project_document(around), _user(around))
    secrets = _credentials(around).profiles
    names = sorted({name for document in documents for name in document.profiles} | set(secrets))
    result = []
    for name in names:
        files = tuple(document.path for document in documents if name in document.profiles)
        merged: dict[str, Any] = {}
        for document in documents:
            for key, value in document.profiles.get(name, {}).items():
                if key.replace("-", "_") != _TOKEN:
                    merged.setdefault(key.replace("-", "_"), value)
        held = secrets.get(name, {})
        result.append(Profile(name, files, merged, any(key.replace("-", "_") == _TOKEN for key in held)))
    return result


def import_settings(path: Path, around: Surroundings) -> ImportedSettings:
    """The settings of a `hera.config` file, with absolute paths. Raises SettingsError if it cannot be read."""
    origin = f"file {path}"
    place = around.place(origin, path.resolve().parent)
    imported_settings = parse_hera_config(text_of(path, origin), origin)
    imported = {
        key: convert(BY_NAME[key], raw, place)
        for key, raw in imported_settings.items()
        if key in BY_NAME and key not in _NEVER
    }
    return ImportedSettings(
        {key: value for key, value in imported.items() if value is not None},
        tuple(key for key in imported_settings if key not in BY_NAME),
    )


def convert_flags(flags: Mapping[str, Any], around: Surroundings) -> dict[str, Any]:
    """Convert typed flags (field name → raw value) to the settings of a profile. Raises SettingsError for an invalid value."""
    typed_flags = {}
    for key, raw in flags.items():
        place = around.place(f"flag --{key}")
        value = convert(BY_NAME[key], table_of(key, raw, place), place)
        if value is not None and key not in _NEVER:
            typed_flags[key] = value
    return typed_flags


def add_profile(
    name: str, settings: Mapping[str, Any], around: Surroundings, *, project: bool = False, replace: bool = False
) -> list[Path]:
    """Write a profile. settings: name → typed value; secrets go to the credentials file. Returns the written files.

    project: write into the project's file, which all who work on it use. Raises SettingsError if the profile exists (unless
    `replace`), or if it is a project's and names a token.
    """
    if not _NAME.match(name):
        raise SettingsError(f"`{name}` is not a name of a profile", fix="use letters, digits, `-`, `_` and `.`")
    plain = {key: value for key, value in settings.items() if key not in _NEVER}
    secret = {key: value for key, value in plain.items() if _is_secret(value)}
    public = {key: value for key, value in plain.items() if key not in secret}
    home = _home(around, project)
    existing = {profile.name: profile for profile in list_profiles(around)}.get(name)
    if existing is not None and not replace:
        there = ", ".join(existing.files) or str(around.user_folder / CREDENTIALS_FILE)
        raise SettingsError(f"the profile `{name}` already exists ({there})", fix="add --replace, or give another name")
    if project and "argo_token_command" in public:
        raise SettingsError("a project's file cannot name a command to run", fix="leave --project out")
    if project and public.keys() & {"argo_token_file", "argo_token_keyring"}:
        raise SettingsError("a project's file cannot say where your token is", fix="leave --project out")
    trusted = not home.is_file() or is_trusted(str(home), around.user_folder)
    written = [_change(home, lambda text, before: _add_profile(text, before, name, public))]
    if project and trusted:
        trust([str(home)], around.user_folder)  # the file was trusted before, and the user gave what is new in it
    secrets = around.user_folder / CREDENTIALS_FILE
    held = {key: value.reveal() if isinstance(value, Secret) else value for key, value in secret.items()}
    if held:
        written.append(_change(secrets, lambda text, before: _add_profile(text, before, name, held), private=True))
    elif name in _credentials(around).profiles:
        _change(secrets, lambda text, before: _remove_profile(text, before, name), private=True)
    return written


def remove_profile(name: str, around: Surroundings) -> list[Path]:
    """Remove a profile from the user's files. Returns the changed files. Raises SettingsError if these have no such profile."""
    changed = []
    for file, private in ((USER_FILE, False), (CREDENTIALS_FILE, True)):
        path = around.user_folder / file
        document = toml_document(path)
        if name in document.profiles:
            changed.append(_change(path, lambda text, before: _remove_profile(text, before, name), private=private))
    if not changed:
        shared = project_document(around)
        if name in shared.profiles:
            raise SettingsError(
                f"the profile `{name}` belongs to the project ({shared.path})", fix="remove it there, for everybody"
            )
        raise SettingsError(f"there is no profile `{name}`", fix="see them with: hera-utils profile ls")
    if _user(around).table.get("profile") == name:
        use_profile(None, around)
    return changed


def use_profile(name: str | None, around: Surroundings) -> Path:
    """Make the profile (None: no profile) the default. Returns the file that stores it. Raises SettingsError if it does not exist."""
    if name is not None and name not in [profile.name for profile in list_profiles(around)]:
        raise SettingsError(f"there is no profile `{name}`", fix="see them with: hera-utils profile ls")

    def change(text: str, before: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        rest = {key: value for key, value in before.items() if key != "profile"}
        return toml_text.set_line(text, "profile", name), rest if name is None else {"profile": name, **rest}

    return _change(around.user_folder / USER_FILE, change)


def _is_secret(value: Any) -> bool:
    """Whether the value is a Secret or a URL with a password."""
    return isinstance(value, Secret) or (isinstance(value, str) and remove_passwords(value) != value)


# --- files ---------------------------------------------------------------------------------------------------------------

Change = Callable[[str, Mapping[str, Any]], tuple[str, Mapping[str, Any]]]
"""(text, its parsed content) → (the new text, the content that it must have)."""


def _home(around: Surroundings, project: bool) -> Path:
    if not project:
        return around.user_folder / USER_FILE
    shared = project_document(around).path
    return Path(shared) if shared.endswith(PROJECT_FILE) else around.directory / PROJECT_FILE


def _user(around: Surroundings) -> Document:
    return toml_document(around.user_folder / USER_FILE)


def _credentials(around: Surroundings) -> Document:
    return toml_document(around.user_folder / CREDENTIALS_FILE)


def _add_profile(
    text: str, before: Mapping[str, Any], name: str, table: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    bare, rest = _remove_profile(text, before, name)
    after = {**rest, "profiles": {**rest.get("profiles", {}), name: dict(table)}}
    return toml_text.append_text(bare, toml_text.section(("profiles", name), table)), after


def _remove_profile(text: str, before: Mapping[str, Any], name: str) -> tuple[str, Mapping[str, Any]]:
    left = {key: table for key, table in before.get("profiles", {}).items() if key != name}
    after = {key: value for key, value in before.items() if key != "profiles"}
    return toml_text.remove_section(text, ("profiles", name)), {**after, **({"profiles": left} if left else {})}


def _change(path: Path, change: Change, *, private: bool = False) -> Path:
    text = text_of(path, f"file {path}") if path.is_file() else ""
    new, changed = change(text, toml_of(text) if text else {})
    try:
        says = toml_of(new)
    except ValueError:
        says = None
    if says is None or _without_empty_profiles(says) != _without_empty_profiles(changed):
        raise SettingsError(f"{path} has a layout that cannot be changed safely", fix="change it by hand")
    _write(path, new, private)
    return path


def _without_empty_profiles(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The document without an empty table of profiles, which has no meaning."""
    return {key: value for key, value in document.items() if key != "profiles" or value}


def _write(path: Path, text: str, private: bool) -> None:
    """Write the whole text or nothing. private: only the owner may read the file."""
    mode = 0o600 if private else (path.stat().st_mode & 0o777 if path.is_file() else 0o644)
    try:
        make_private(path.parent)
        target = path.resolve()
        write_atomically(target, text.encode(), mode=0o600)
        target.chmod(mode)
    except OSError as error:
        raise SettingsError(f"cannot write {path}: {system_reason(error)}", fix="make its folder writable") from None
