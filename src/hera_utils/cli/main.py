"""The entry of all commands. Errors become one sentence and its fix; a user's mistake never prints a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from hera_utils.cli.commands import commands
from hera_utils.cli.examples import example_of
from hera_utils.cli.terminal import print_fix, print_note
from hera_utils.errors import HeraUtilsError

INTERRUPTED = 130
READER_LEFT = 141  # the shell's status of a program that SIGPIPE ended; 1 would mean that the run failed


def run_command_line(arguments: Sequence[str]) -> int:
    """Carry out a command line. Returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # print a substitute for a character that the terminal cannot show, instead of raising an error
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        status = commands.main(args=list(arguments), prog_name="hera-utils", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except HeraUtilsError as error:
        print_error(error)
        return error.exit_status
    except click.UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2 and newer: the message is the help
            click.echo(error.format_message())
            return 0
        return _print_usage_error(error)
    except click.ClickException as error:
        print_note(f"hera-utils: {error.format_message()}")
        return 2
    except (click.Abort, KeyboardInterrupt) as stop:
        if message := str(stop.__cause__ or stop):  # of a followed run: how to come back to it
            print_note(message)
        return INTERRUPTED
    except BrokenPipeError:
        # the reader of our output has ended (`| head`): print nothing more, also not when Python flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT


def print_error(error: HeraUtilsError) -> None:
    """`hera-utils: sentence` and `  fix: what to do` on stderr."""
    print_note(f"hera-utils: {error}")
    if error.fix:
        print_fix(error.fix)


def _print_usage_error(error: click.UsageError) -> int:
    message = error.format_message().rstrip(".")
    print_note(f"hera-utils: {message[:1].lower()}{message[1:]}")
    if error.ctx is not None:
        typed = example_of(error.ctx.info_name or "") if isinstance(error, click.MissingParameter) else ""
        example = f"for example: {typed}; " if typed else ""
        print_fix(f"{example}see {error.ctx.command_path} --help")
    return 2
