"""The `--help` of a script: its description, its inputs, its own flags, the experiment's flags, and the COMMON settings."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

from hera_utils.settings.fields import BY_NAME, COMMON

_WIDEST_FLAG, _MOST_COLUMNS = 26, 100
_ALL_SETTINGS = "all of them, also as variables: hera-utils settings --help"


def help_of(
    parser: argparse.ArgumentParser,
    inputs: Sequence[tuple[str, str]],
    own_settings: Sequence[argparse.Action],
    *,
    experiment: argparse._ArgumentGroup | None,
    platform: argparse._ArgumentGroup,
) -> str:
    """inputs: (name, meaning) of the script's inputs. own_settings: flags of settings that the script added itself. experiment, platform:
    the groups of the other flags that are not the script's.
    """
    width = min(_MOST_COLUMNS, shutil.get_terminal_size().columns) - 2
    of_experiment = [] if experiment is None else experiment._group_actions
    common = [(BY_NAME[name].flag_with_value, BY_NAME[name].help) for name in COMMON]
    parts = [
        _usage(parser),
        _section("inputs, changed with --set NAME=VALUE or --inputs FILE", inputs, width),
        _own(parser, own_settings, (experiment, platform)),
        _section("experiment", map(_row, of_experiment), width),
        _section("platform", common, width) + f"\n  {_ALL_SETTINGS}",
        parser.epilog or "",
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _usage(parser: argparse.ArgumentParser) -> str:
    """The usage without the flags, which would fill a screen, and the description of the script."""
    formatter = parser._get_formatter()
    formatter._prog = f"{parser.prog} [FLAGS]"
    formatter.add_usage(parser.usage, parser._positionals._group_actions, [])
    formatter.add_text(parser.description or _first_paragraph(sys.modules["__main__"].__doc__))
    return formatter.format_help()


def _first_paragraph(docstring: str | None) -> str:
    paragraph = (docstring or "").strip().partition("\n\n")[0]
    return " ".join(paragraph.split())


def _own(
    parser: argparse.ArgumentParser,
    own_settings: Sequence[argparse.Action],
    others: Sequence[argparse._ArgumentGroup | None],
) -> str:
    """The script's own groups of flags, as argparse shows them."""
    formatter = parser._get_formatter()
    for group in parser._action_groups:
        if group in others:
            continue
        formatter.start_section(group.title)
        formatter.add_text(group.description)
        formatter.add_arguments(group._group_actions)
        if group is parser._optionals:
            formatter.add_arguments(own_settings)
        formatter.end_section()
    return formatter.format_help()


def _row(action: argparse.Action) -> tuple[str, str]:
    """(a flag in one spelling with its value, its help)."""
    flag = min(action.option_strings, key=lambda spelling: "_" in spelling)
    value = action.metavar or "|".join(action.choices or ())
    return f"{flag} {value}".rstrip(), action.help or ""


def _section(title: str, rows: Iterable[tuple[str, str]], width: int) -> str:
    """A titled list of (a flag or an input, its meaning), with the meaning beside or below; "" for no rows."""
    rows = list(rows)
    if not rows:
        return ""
    column = 4 + min(_WIDEST_FLAG, max(len(word) for word, _ in rows))
    lines = [f"{title}:"]
    for word, meaning in rows:
        head, below = f"  {word}", textwrap.wrap(meaning, max(20, width - column))
        if len(head) + 2 <= column and below:
            head = head.ljust(column) + below.pop(0)
        lines += [head, *(" " * column + line for line in below)]
    return "\n".join(lines)
