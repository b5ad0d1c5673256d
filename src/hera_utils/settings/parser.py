"""What scripts call to read settings: `parse_arguments()`, and the parser that a script extends with its own flags.

parser = hera_utils.argument_parser(description="collects a city")
parser.add_argument("--borough", default="LYON_1")
args = parser.parse_args()          # args.borough, args.argo_server, args.origin("argo_server")…
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from hera_utils.settings.fields import BY_NAME, FIELDS, Field, spellings
from hera_utils.settings.own_flags import FlagGroup, OwnFlags, words_of
from hera_utils.settings.resolve import CLIContext
from hera_utils.settings.script_host import script_host
from hera_utils.settings.sources import Surroundings, foreign_keys, gather_layers, read_settings

_AS_GIVEN = "what the sources were"


def _typed_words() -> list[str]:
    """The words of the command line; none in a notebook, as those of its kernel are not the user's."""
    in_kernel = "ipykernel" in sys.modules and sys.argv[0].endswith("ipykernel_launcher.py")
    return [] if in_kernel else sys.argv[1:]


class ContextParser(OwnFlags, argparse.ArgumentParser):
    """An argument parser with every setting of hera_utils; parsing gives a CLIContext.

    The script adds its flags as to any argparse parser (`add` is another name of `add_argument`, `env_var=` names a variable); a key
    of a hera.config file with the name of such a flag sets it. `set_defaults` of a setting is weaker than any file.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        super().__init__(*arguments, **options)
        self.around: Surroundings | None = None
        self._typed: dict[str, Any] = {}
        self.experiment_flags: FlagGroup | None = None
        self.described_inputs: Callable[[], Sequence[tuple[str, str]]] = tuple
        self.platform_flags = self.add_argument_group("platform")
        for field in FIELDS:
            _add_flags(self.platform_flags, field)
        self.settings_are_added = True

    def set_defaults(self, **defaults: Any) -> None:
        self._typed.update({name: value for name, value in defaults.items() if name in BY_NAME})
        super().set_defaults(**{name: value for name, value in defaults.items() if name not in BY_NAME})

    def add_argument_group(self, *arguments: Any, **options: Any) -> FlagGroup:
        group = FlagGroup(self, *arguments, **options)
        self._action_groups.append(group)
        return group

    def add_subparsers(self, **options: Any) -> Any:
        options.setdefault("parser_class", argparse.ArgumentParser)  # the settings are flags of the main command only
        return super().add_subparsers(**options)

    def format_help(self) -> str:
        """The description of the script, its inputs, its own flags, the experiment's flags, and the COMMON settings."""
        from hera_utils.settings.script_help import help_of

        return help_of(
            self,
            self.described_inputs(),
            self.own_settings,
            experiment=self.experiment_flags,
            platform=self.platform_flags,
        )

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """(CLIContext, the words that belong to no flag). Raises SettingsError for an invalid value in a source."""
        around = self.around or Surroundings()
        typed = list(_typed_words() if args is None else args)
        own_flags = [action for action in self._actions if action.dest not in BY_NAME]
        found, rest = super().parse_known_args(
            words_of(own_flags, foreign_keys(around), around.environ) + typed, namespace
        )
        flags_given = {
            **script_host().settings,
            **{name: value for name, value in vars(found).items() if name in BY_NAME},
        }
        own = {name: value for name, value in vars(found).items() if name not in BY_NAME}
        context = read_settings(flags_given, program=self._typed, extras=own, around=around)
        context.remembered()[_AS_GIVEN] = (flags_given, self._typed, around)
        self._refuse_missing(context)
        return context, rest

    def _refuse_missing(self, context: CLIContext) -> None:
        """Exit with an error if a setting that the script added as a required flag has no value."""
        missing = [f"--{name}" for name in self.required_settings if getattr(context, name) is None]
        if missing:
            self.error(f"the following arguments are required: {', '.join(missing)}")

    def error(self, message: str) -> NoReturn:
        """As in argparse, but without the usage, which fills a screen with all settings. Suggests similar flags."""
        import difflib

        head, mark, words = message.partition("unrecognized arguments: ")
        fix = f"{self.prog} --help names the flags"
        if mark:
            # The words after an unknown flag are not shown: after a misspelt --argo_token there is a token.
            flags = [word.partition("=")[0] for word in words.split() if word.startswith("-")] or words.split()
            known = [flag for action in self._actions for flag in action.option_strings]
            near = [match for word in flags for match in difflib.get_close_matches(word, known, 1, 0.7)]
            message = f"{head}{mark}{' '.join(flags)}"
            fix = f"did you mean {' '.join(near)}? {fix}" if near else fix
        self.exit(2, f"{self.prog}: error: {message}\n  fix: {fix}\n")


def _add_flags(group: argparse._ArgumentGroup, field: Field) -> None:
    if not field.flags:
        return
    names = [spelling for flag in field.flags for spelling in spellings(flag)]
    options: dict[str, Any] = {"dest": field.name, "default": argparse.SUPPRESS, "help": field.help_with_variables}
    if field.kind == "boolean":
        group.add_argument(*names, action="store_true", **options)
        for flag in field.off:
            options["help"] = argparse.SUPPRESS
            group.add_argument(*spellings(flag), action="store_false", **options)
    elif field.repeated:
        group.add_argument(*names, action="append", metavar=field.metavar, **options)
    else:
        metavar = "{" + ",".join(field.choices) + "}" if field.choices else field.metavar or field.name.upper()
        group.add_argument(*names, metavar=metavar, **options)


def argument_parser(**options: Any) -> ContextParser:
    """A parser with every setting, which a script extends with its own flags. options: those of argparse.ArgumentParser."""
    return ContextParser(**options)


def parse_arguments(
    argv: Sequence[str] | logging.Logger | None = None,
    *,
    parser: ContextParser | None = None,
    logger: logging.Logger | None = None,
) -> CLIContext:
    """The settings from the command line, the environment and the files; usually the first call of a script.

    argv: the words after the script's name (default: those of this process). parser: an extended parser from `argument_parser`.
    logger: receives each setting and its origin as debug messages (it may also be the first argument).
    Raises SettingsError for an invalid value; a wrong flag ends the process with status 2, as in argparse.
    """
    if isinstance(argv, logging.Logger):
        argv, logger = None, argv
    context = (parser or argument_parser()).parse_args(argv)
    assert isinstance(context, CLIContext)
    log_settings(context, logger)
    return context


def log_settings(context: CLIContext, logger: logging.Logger | None) -> None:
    """Log each setting with its origin as a debug message, secrets masked."""
    for row in context.rows() if logger is not None else ():
        if row.value and logger is not None:
            logger.debug("%s = %s (%s)", row.name, row.value, row.origin)


def address_as_given(context: CLIContext) -> str | None:
    """The Argo server's address as the user wrote it, before it was made a URL; None if no source names one."""
    if _AS_GIVEN not in context.remembered():
        return context.argo_server
    words, given, around = context.remembered()[_AS_GIVEN]
    named = (layer["argo_server"].value for layer in gather_layers(words, given, around) if "argo_server" in layer)
    return next(named, None)
