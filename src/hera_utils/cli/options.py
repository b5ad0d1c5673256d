"""The flags that all commands share: one for each setting (from settings/fields.py), `--output` and `--timeout`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hera_utils.bytecode_cache import cached_bytecode
from hera_utils.cli.terminal import print_note
from hera_utils.errors import SettingsError
from hera_utils.settings.fields import COMMON, FIELDS, Field

if TYPE_CHECKING:
    from hera_utils.settings.resolve import CLIContext
    from hera_utils.settings.trust import Untrusted
    from hera_utils.watch.deadline import Deadline

Command = TypeVar("Command", bound=Callable[..., Any])

_COMPLETED = {"profile": "profiles", "state": "files", "images": "files", "runs": "files"}
_MEMORY, _DEADLINE = "hera_utils.settings", "hera_utils.deadline"


class SettingOption(click.Option):
    """The flag of a setting. The help of a command has one line for all of them; that of `hera-utils settings` has one for each.

    listed: whether this command's help has a line for it.
    """

    def __init__(self, *names: Any, field: Field, listed: bool, **options: Any) -> None:
        super().__init__(*names, **options)
        self.field, self.listed, self.hidden = field, listed, field.name not in COMMON

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        if self.listed:
            return self.field.flag_with_value, self.field.help_with_variables
        if self.field is not FIELDS[0]:
            return None
        first, second, *others = COMMON
        more = ", ".join(f"--{name}" for name in others)
        return f"--{first}, --{second}, …", f"Where it runs; also {more}… All of them: hera-utils settings --help"


class ShortHelpOption(click.Option):
    """An option with several spellings, of which the help shows only the first."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        return f"{self.opts[0]} {self.metavar}", self.help or ""


class FullSentenceGroup(click.Group):
    """A group whose help shows the whole first sentence of each command, on as many lines as it needs."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(10_000)) for name, command in self.commands.items()])


def settings_options(function: Command, *, listed: bool = False) -> Command:
    """Adds a flag for every setting; `context()` reads their values. listed: whether the help has a line for each."""
    for field in reversed(FIELDS):
        if field.flags:
            function = _option(field, listed=listed)(function)
    return function


def _option(field: Field, *, listed: bool) -> Callable[[Command], Command]:
    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None and value != ():
            ctx.meta.setdefault(_MEMORY, {})[field.name] = list(value) if isinstance(value, tuple) else value

    names, more = list(field.flags), dict[str, Any]()  # commands.py also accepts `-` for `_` in them
    if field.kind == "boolean":
        names = [f"{on}/{no}" for on, no in zip(field.flags, field.off, strict=True)]
        more = {"is_flag": True, "default": None}
    elif field.repeated:
        more["multiple"] = True
    if field.name in _COMPLETED:
        more["shell_complete"] = complete_with(_COMPLETED[field.name])
    elif field.choices:
        more["shell_complete"] = lambda ctx, parameter, typed: [
            choice for choice in field.choices if choice.startswith(typed)
        ]
    return click.option(
        *names,
        f"setting_{field.name}",
        cls=SettingOption,
        callback=keep,
        expose_value=False,
        field=field,
        listed=listed,
        **more,
    )


def given_settings(ctx: click.Context | None = None) -> dict[str, Any]:
    """The settings that were typed: field name → raw value. ctx: by default that of the running command."""
    return dict((ctx or click.get_current_context()).meta.get(_MEMORY, {}))


def context(*, check_trust: bool = True) -> CLIContext:
    """Every setting, from this command line, the environment and files.

    check_trust: refuse a project's file that sets what only trusted files may set; on a terminal the user is asked, once.
    """
    with cached_bytecode("commands"):
        from hera_utils.settings.sources import read_settings
        from hera_utils.settings.trust import Untrusted

    try:
        os.getcwd()
    except OSError:
        raise SettingsError(
            "the current folder does not exist any more", fix="change into an existing folder"
        ) from None
    try:
        return read_settings(given_settings(), check_trust=check_trust)
    except Untrusted as untrusted:
        if not _ask_to_trust(untrusted):
            raise
        return read_settings(given_settings())


def _ask_to_trust(untrusted: Untrusted) -> bool:
    """Ask the user at the terminal; a yes is remembered."""
    from hera_utils.settings.sources import Surroundings
    from hera_utils.settings.trust import trust

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print_note(f"hera-utils: {untrusted}")
    if not click.confirm("Trust it, as it is now?", default=False, err=True):
        return False
    trust(untrusted.files, Surroundings().user_folder)
    return True


def output_option(*formats: str) -> Callable[[Command], Command]:
    """`-o/--output`: text (the default) or one of `formats`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", *formats]),
        default="text",
        show_default=True,
        help="The output format.",
    )


_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def parse_age(age: str, flag: str) -> float:
    """The seconds of `30d`, `12h`, `90m`, `45s`; a number alone is days. Raises SettingsError if the flag's value is no age."""
    number, unit = (age[:-1], age[-1]) if age and age[-1] in _UNITS else (age, "d")
    try:
        value = float(number)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise SettingsError(f"`{age}` is not an age", fix=f"write {flag} 30d, 12h or 90m")
    return value * _UNITS[unit]


def timeout_option(function: Command) -> Command:
    """Adds `--timeout`; `deadline()` returns its value."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
        from hera_utils.watch.deadline import Deadline

        ctx.meta[_DEADLINE] = Deadline.after(value)

    return click.option(
        "--timeout",
        metavar="TIME",
        callback=keep,
        expose_value=False,
        help="Wait at most this long (90, 90s, 10m, 1h), then exit with status 124; the run continues.",
    )(function)


def deadline(*, waits: str = "") -> Deadline:
    """Until when this command waits. waits: "without FLAG" if the command does not wait because FLAG was not given; then --timeout is
    refused.
    """
    from hera_utils.watch.deadline import NEVER

    current = click.get_current_context(silent=True)
    limit: Deadline = (current.meta.get(_DEADLINE) if current is not None else None) or NEVER
    if waits and limit.seconds is not None:
        raise SettingsError(
            f"--timeout limits a wait, and {waits} the command does not wait", fix="leave --timeout out"
        )
    return limit


def complete_with(*kinds: str) -> Callable[[click.Context, click.Parameter, str], Any]:
    """The completion of a word: names of these kinds (completion.py), and `files`."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
        from hera_utils.cli.completion import TypedLine, complete_names

        return complete_names(kinds, TypedLine(ctx, given_settings(ctx)), incomplete)

    return complete


def name_argument(function: Command) -> Command:
    """Adds the argument NAME, a run; @latest is the newest."""
    return click.argument("name", metavar="NAME", shell_complete=complete_with("runs"))(function)
