"""Command lines to paste, without secrets: the one that started this script, and the flags that select its platform."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hera_utils.settings.fields import FIELDS, SECRET_FLAGS, spellings
from hera_utils.settings.resolve import CLIContext, remove_passwords

PLACE = frozenset(
    {
        "platform",
        "profile",
        "argo_server",
        "argo_namespace",
        "argo_token_file",
        "argo_token_command",
        "argo_token_keyring",
        "argo_base_href",
        "verify_tls",
        "ca_file",
        "client_certificate",
        "client_key",
        "proxy",
        "k8s_config_file",
        "k8s_context",
        "state",
    }
)
"""The settings that select the platform and say how to reach it."""

ONCE = frozenset({"--detach", "--resume", "--explain", "--keep-done", "--keep_done"})
"""Flags that concern a single call of a script and are not repeated for the next."""


@dataclass(frozen=True)
class CommandLine:
    """The command that started a script. before: the words in front of the script."""

    before: tuple[str, ...]
    script: str
    arguments: tuple[str, ...] = ()

    def with_flags(self, *flags: str) -> str:
        """The same command with these flags, to be pasted into a shell."""
        kept = [word for word in remove_secrets(self.arguments) if word not in ONCE]
        return shlex.join([*self.before, *filter(None, [self.script]), *flags, *kept])


def python_launch() -> CommandLine | None:
    """The Python command that started this script; None in a notebook, a console or another kind of program."""
    main = sys.modules.get("__main__")
    if not getattr(main, "__file__", None) or "ipykernel" in sys.modules:
        return None
    words, script, given = sys.orig_argv, sys.argv[0], tuple(sys.argv[1:])
    place = len(words) - len(sys.argv)
    if place > 0 and tuple(words[place + 1 :]) == given:  # true for `python -m package.script`, too
        return CommandLine(tuple(words[:place]), words[place], given)
    return CommandLine(tuple(words[:1]) or (sys.executable,), script, given)


def words_of(values: Mapping[str, Any], only: Iterable[str] | None = None) -> list[str]:
    """Settings as the words of a command line, without secrets. values: field name → value, or a list of values.

    only: the names of the fields to use, None for all.
    """
    words: list[str] = []
    for field in FIELDS:
        if field.name not in values or field.secret or not field.flags or (only is not None and field.name not in only):
            continue
        value = values[field.name]
        if field.kind == "boolean":
            words += [field.flags[0]] if value else list(field.off[:1])
        else:
            for item in value if isinstance(value, list | tuple) else (value,):
                words += [field.flags[0], remove_passwords(str(item))]
    return words


def place_words(context: CLIContext) -> tuple[str, ...]:
    """The flags with which another command reaches the same platform.

    They repeat what this command line or script gave; variables and files apply to every command anyway.
    """
    given = {}
    for name in PLACE:
        value = getattr(context, name, None) if name in context else None
        if value is not None and (context.origin(name).startswith("flag ") or context.origin(name) == "script"):
            given[name] = value
    return tuple(words_of(given))


def remove_secrets(arguments: Sequence[str]) -> list[str]:
    """A command line without the flags that give a secret, without --notify_command (it may contain one), and without passwords in URLs."""
    return [remove_passwords(word) for word in _remove_flags(arguments, (*SECRET_FLAGS, *_NOTIFY_COMMAND), ())]


def remove_settings(arguments: Sequence[str], names: Iterable[str]) -> list[str]:
    """A command line without the flags of these settings."""
    chosen = [field for field in FIELDS if field.name in names]
    switches = [flag for field in chosen if field.kind == "boolean" for flag in (*field.flags, *field.off)]
    flags = [flag for field in chosen if field.kind != "boolean" for flag in field.flags]
    return _remove_flags(arguments, _all_spellings(flags), _all_spellings(switches))


def _all_spellings(flags: Iterable[str]) -> list[str]:
    return [spelling for flag in flags for spelling in spellings(flag)]


def _remove_flags(arguments: Sequence[str], flags: Sequence[str], switches: Sequence[str]) -> list[str]:
    """The arguments without these. flags: each has a value, in the next word or after `=`. switches: flags without a value."""
    words_left, skip = [], False
    for word in arguments:
        if skip:
            skip = False
        elif word in flags:
            skip = True
        elif word not in switches and word.partition("=")[0] not in flags:
            words_left.append(word)
    return words_left


_NOTIFY_COMMAND = spellings("--notify_command")
