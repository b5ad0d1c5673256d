"""A script's own flags beside the settings: their values in hera.config files and variables, and flags that are also settings."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

from hera_utils.errors import SettingsError
from hera_utils.settings.fields import BY_NAME

_TRUE = ("true", "yes", "1", "on")
# The scripts of the first users add these flags themselves, with the same meaning.
_SHARED = frozenset(
    ("argo_server", "argo_token", "argo_namespace", "argo_service_account")
    + ("k8s_config_file", "k8s_configmap_name", "k8s_volume_claim_name")
)


class OwnFlags(argparse._ActionsContainer):
    """An object to which flags are added: a parser, or a group of one.

    settings_are_added: whether the flags of the settings have been added, so that further flags are the script's.
    required_settings: the settings that the script adds as required flags.
    """

    settings_are_added = False

    def add_argument(self, *names: Any, env_var: str | None = None, **options: Any) -> argparse.Action:
        """As in argparse. env_var: a variable that gives the flag its value, weaker than the command line, stronger than a file.

        If a script adds a flag of _SHARED (`--k8s_volume_claim_name`), it is the setting; its default is used if no source sets it.
        """
        for refused in ("is_config_file", "is_config_file_arg", "is_write_out_config_file_arg"):
            if options.pop(refused, False):
                raise SettingsError(
                    f"{' '.join(map(str, names))}: no flag names a configuration file here ({refused})",
                    fix="name it with the variable ARGOCONFIG",
                )
        setting = self._setting_of(names, options) if self._script_adds() else None
        action = self._add_as_setting(setting, names, options) if setting else super().add_argument(*names, **options)
        if env_var:
            action.env_var = env_var  # type: ignore[attr-defined]
        return action

    add = add_argument

    def _script_adds(self) -> bool:
        owner = getattr(self, "owner", self)
        return bool(owner.settings_are_added)

    def _setting_of(self, names: tuple[Any, ...], options: Mapping[str, Any]) -> str | None:
        """The setting that the script's flag is, if it is one. Raises SettingsError if it is a setting with another meaning."""
        flags = [name for name in names if name in self._option_string_actions]
        dest = options.get("dest") or next((str(name).lstrip("-").replace("-", "_") for name in names), "")
        if dest in _SHARED:
            return dest
        if dest in BY_NAME:
            raise SettingsError(
                f"the script's flag {flags[0] if flags else dest} is a setting of hera_utils: {BY_NAME[dest].help}",
                fix=f"rename the script's flag, for example to --my_{dest}",
            )
        for name in flags:
            self._remove_flag(name)
        return None

    def _remove_flag(self, name: str) -> None:
        """Free a setting's spelling that the script wants for its own flag; variables and files still give the setting."""
        action = self._option_string_actions[name]
        if action.dest in BY_NAME:
            del self._option_string_actions[name]
            action.option_strings = [flag for flag in action.option_strings if flag != name]

    def _add_as_setting(self, setting: str, names: tuple[Any, ...], options: Mapping[str, Any]) -> argparse.Action:
        owner = getattr(self, "owner", self)
        action = self._option_string_actions[f"--{setting}"]
        for name in names:
            if name.startswith("-") and name not in self._option_string_actions:  # a spelling that only the script has
                action.option_strings = [*action.option_strings, name]
                self._option_string_actions[name] = action
        action.help = options.get("help", action.help)
        owner.own_settings.append(action)
        if options.get("default") not in (None, argparse.SUPPRESS):
            owner.set_defaults(**{setting: options["default"]})
        if options.get("required"):
            owner.required_settings.append(setting)
        return action

    @property
    def own_settings(self) -> list[argparse.Action]:
        """The flags of settings that the script has added itself; its help lists them with its own flags."""
        held: list[argparse.Action] = self.__dict__.setdefault("_own_settings", [])
        return held

    @property
    def required_settings(self) -> list[str]:
        held: list[str] = self.__dict__.setdefault("_required_settings", [])
        return held


class FlagGroup(OwnFlags, argparse._ArgumentGroup):
    """A group of flags of `owner`."""

    def __init__(self, owner: Any, *arguments: Any, **options: Any) -> None:
        self.owner = owner
        super().__init__(owner, *arguments, **options)


def words_of(actions: Iterable[argparse.Action], foreign: Mapping[str, str], environ: Mapping[str, str]) -> list[str]:
    """The values of the script's flags in files (`foreign`: keys that are no settings) and variables, as words of a command line.

    The caller puts them before the typed words, so that the typed ones win.
    """
    words: list[str] = []
    for action in actions:
        flag = next((spelling for spelling in action.option_strings if spelling.startswith("--")), None)
        raw = environ.get(getattr(action, "env_var", None) or "") or foreign.get(action.dest)
        if flag is not None and raw is not None:
            words += _words(action, flag, str(raw))
    return words


def _words(action: argparse.Action, flag: str, raw: str) -> list[str]:
    if action.nargs == 0:
        return [flag] if raw.strip().lower() in _TRUE else []
    values = _parse_list(raw)
    if values is None:
        return [f"{flag}={raw}"]
    if action.nargs is None:  # a flag that appends is repeated for each value
        return [f"{flag}={value}" for value in values]
    return [flag, *values]


def _parse_list(raw: str) -> list[str] | None:
    """`[a, "b"]` → the values; None if the text is no list."""
    text = raw.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return None
    return [value.strip().strip("'\"") for value in text[1:-1].split(",") if value.strip()]
