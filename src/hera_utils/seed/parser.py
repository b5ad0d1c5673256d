"""`parser(…)`: the command line of a script; the script may add its own flags before the line is parsed."""

from __future__ import annotations

import argparse
import logging

from hera_utils.errors import SettingsError
from hera_utils.excepthook import install_excepthook
from hera_utils.seed.arguments import context_of
from hera_utils.settings.parser import ContextParser, log_settings
from hera_utils.settings.resolve import CLIContext
from hera_utils.settings.sources import Surroundings, hera_config_files, read_settings

_FLAGS = ("argo_server", "argo_token", "argo_namespace", "argo_service_account")


class parser:
    """A parser of every setting. Scripts extend `.parser` (`.add(…)`, `.add_argument(…)`, also with `env_var=`) or subclass this.

    An added flag is also read from hera.config files, and from the variable `env_var`.
    existing_parser: a parser of the script (argparse's or configargparse's), which gets the four flags of an Argo server.
    """

    parser: argparse.ArgumentParser

    def __init__(self, existing_parser: object = None, logger: logging.Logger | None = None) -> None:
        install_excepthook()  # here, because a script may parse with `.get_parser()`
        self._logger = logger
        existing = getattr(
            existing_parser, "parser", existing_parser
        )  # `existing_parser` may be an object like this one
        if existing is None:
            self.parser = ContextParser()
        elif isinstance(existing, argparse.ArgumentParser):
            self.parser = existing
            _extend(existing)
        else:
            raise SettingsError(
                f"the parser to extend is of the type {type(existing).__name__}", fix="give an argparse parser"
            )

    def get_parser(self) -> argparse.ArgumentParser:
        return self.parser

    def parse_args(self) -> CLIContext:
        """The settings, and the script's own flags as further attributes."""
        context = context_of(self.parser.parse_args())
        log_settings(context, self._logger)
        return context

    def get_config_files(self) -> list[str]:
        """The hera.config files that are read, strongest first."""
        return [str(path) for path in hera_config_files(Surroundings())]


def _extend(existing: argparse.ArgumentParser) -> None:
    """Add the missing flags to another parser. The default of each is the value of the setting without the flag."""
    if isinstance(existing, ContextParser):
        return
    settings = read_settings()
    for name in _FLAGS:
        if f"--{name}" not in existing._option_string_actions:
            existing.add_argument(f"--{name}", default=getattr(settings, name))


# `hera_utils.parser` is this class even after `import hera_utils.parser as module`, so the class has its name as an attribute.
parser.parser = parser  # type: ignore[assignment]
