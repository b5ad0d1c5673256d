"""Converts the `args` of a script, which are settings of hera_utils or the result of any other parser, to settings."""

from __future__ import annotations

from hera_utils.excepthook import install_excepthook
from hera_utils.settings.fields import BY_NAME
from hera_utils.settings.parser import parse_arguments
from hera_utils.settings.resolve import CLIContext
from hera_utils.settings.script_host import script_host
from hera_utils.settings.sources import read_settings


def context_of(args: object) -> CLIContext:
    """The settings of `args`. None: those of this process's own command line.

    Another parser's namespace gives the values that it has; variables and files give the rest. The flags of `hera-utils run` win over
    the script's values.
    """
    install_excepthook()
    if isinstance(args, CLIContext):
        return args
    if args is None:
        return parse_arguments()
    held = {name: getattr(args, name, None) for name in BY_NAME}
    flags = {name: value for name, value in held.items() if value is not None}
    extras = {name: value for name, value in getattr(args, "__dict__", {}).items() if name not in BY_NAME}
    return read_settings({**flags, **script_host().settings}, extras=extras)
