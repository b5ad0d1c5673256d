"""The reference of the commands: what `--help` says of each, read from the commands themselves."""

from __future__ import annotations

import inspect
import re
from typing import Any

import click

from hera_utils.cli.commands import SECTIONS, LazyGroup


def connect(app: Any) -> None:
    app.connect("source-read", _append)


def _append(app: Any, name: str, content: list[str]) -> None:
    if name == "commands":
        content[0] += markdown()


def markdown() -> str:
    group = LazyGroup("hera-utils")
    context = click.Context(group, info_name="hera-utils")
    parts = []
    for title, names in SECTIONS.items():
        parts.append(f"\n## {title}\n")
        for name in names:
            command = group.get_command(context, name)
            assert command is not None
            parts.append(_command(command, click.Context(command, info_name=name, parent=context), "###"))
    return "\n".join(parts)


def _command(command: click.Command, context: click.Context, level: str) -> str:
    words = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    lines = [
        f"{level} {context.command_path}\n",
        _text(command.help or command.short_help or ""),
        f"\n```\n{words}\n```\n",
    ]
    records = [parameter.get_help_record(context) for parameter in command.params]
    rows = [record for record in records if record and record[1]]
    if rows:
        lines += ["| flag | what it does |", "| --- | --- |"]
        lines += [f"| `{flags.replace('|', chr(92) + '|')}` | {_cell(text)} |" for flags, text in rows]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            lines.append("\n" + _command(below, click.Context(below, info_name=name, parent=context), level + "#"))
    return "\n".join(lines) + "\n"


def _text(help_text: str) -> str:
    """A help text as Markdown: paragraphs as they are, those that click keeps as they stand (\\b) as blocks."""
    paragraphs = inspect.cleandoc(help_text).split("\n\n")
    return "\n\n".join(
        "```\n" + paragraph.removeprefix("\b\n") + "\n```" if paragraph.startswith("\b") else _cell(paragraph)
        for paragraph in paragraphs
    )


def _cell(text: str) -> str:
    return re.sub(r"([|<>*_\[\]])", r"\\\1", text)
