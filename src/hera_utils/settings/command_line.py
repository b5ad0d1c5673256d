"""Command lines that people can paste: how the present script was started, and the flags that lead to its platform. No secret in them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hera_utils.settings.fields import FIELDS, SECRET_FLAGS, spellings
from hera_utils.settings.resolve import CLIContext, without_password

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
"""The settings that say which platform is meant, and how it is reached."""

ONCE = frozenset({"--detach", "--resume", "--explain", "--keep-done", "--keep_done"})
"""Flags that are about one call of a script: the next call has its own."""


@dataclass(frozen=True)
class CommandLine:
    """How a script was started. before: the words in front of it."""

    before: tuple[str, ...]
    script: str
    arguments: tuple[str, ...] = ()

    def again(self, *flags: str) -> str:
        """The same command with these flags, to be pasted into a shell."""
        kept = [word for word in without_secrets(self.arguments) if word not in ONCE]
        return shlex.join([*self.before, *filter(None, [self.script]), *flags, *kept])


def python_launch() -> CommandLine | None:
    """How Python was told to run the present script; None in a notebook, a console, or a program of another kind."""
    main = sys.modules.get("__main__")
    if not getattr(main, "__file__", None) or "ipykernel" in sys.modules:
        return None
    words, script, given = sys.orig_argv, sys.argv[0], tuple(sys.argv[1:])
    place = len(words) - len(sys.argv)
    if place > 0 and tuple(words[place + 1 :]) == given:  # also of `python -m package.script`
        return CommandLine(tuple(words[:place]), words[place], given)
    return CommandLine(tuple(words[:1]) or (sys.executable,), script, given)


def words_of(values: Mapping[str, Any], only: Iterable[str] | None = None) -> list[str]:
    """Settings as the words of a command line that say the same: field name → its value, or the list of them. Secrets are left out."""
    words: list[str] = []
    for field in FIELDS:
        if field.name not in values or field.secret or not field.flags or (only is not None and field.name not in only):
            continue
        value = values[field.name]
        if field.kind == "boolean":
            words += [field.flags[0]] if value else list(field.off[:1])
        else:
            for one in value if isinstance(value, list | tuple) else (value,):
                words += [field.flags[0], without_password(str(one))]
    return words


def place_words(context: CLIContext) -> tuple[str, ...]:
    """The flags by which another command reaches the same platform: what this command line or script gave. Variables and files say it
    to every command by themselves.
    """
    given = {}
    for name in PLACE:
        value = getattr(context, name, None) if name in context else None
        if value is not None and (context.origin(name).startswith("flag ") or context.origin(name) == "script"):
            given[name] = value
    return tuple(words_of(given))


def without_secrets(arguments: Sequence[str]) -> list[str]:
    """A command line without the flags that give a secret, or a command in which one may stand, and without the passwords of addresses."""
    return [without_password(word) for word in _without(arguments, (*SECRET_FLAGS, *_NOTIFY_COMMAND), ())]


def without_settings(arguments: Sequence[str], names: Iterable[str]) -> list[str]:
    """A command line without the flags of these settings."""
    chosen = [field for field in FIELDS if field.name in names]
    switches = [flag for field in chosen if field.kind == "boolean" for flag in (*field.flags, *field.off)]
    flags = [flag for field in chosen if field.kind != "boolean" for flag in field.flags]
    return _without(arguments, _spelled(flags), _spelled(switches))


def _spelled(flags: Iterable[str]) -> list[str]:
    return [spelling for flag in flags for spelling in spellings(flag)]


def _without(arguments: Sequence[str], flags: Sequence[str], switches: Sequence[str]) -> list[str]:
    """flags: each has a value, in the next word or after a `=`; switches: have none."""
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
