"""The blocks of all pages of docs/: Python is carried out, tables are read, and every command and flag exists.

A page with a block that is a file (`<!-- file: NAME -->`) is carried out as a whole, like the README. experiment.md has a test of its own.
"""

import re
import shlex
import textwrap

import click
import pytest
import yaml
from reader import ROOT, Reader, blocks

from hera_utils.cli.commands import SECTIONS, LazyGroup
from hera_utils.settings.files import toml_of
from hera_utils.testing import private_server

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "from").glob("*.md"))]
DONE_ELSEWHERE = {"README.md", "experiment.md"}
CARRIED_OUT = [
    page for page in PAGES if page.name not in DONE_ELSEWHERE and any(block["file"] for block in blocks(page))
]
READ = [page for page in PAGES if page.name not in DONE_ELSEWHERE and page not in CARRIED_OUT]
COMMAND = re.compile(r"^(?: {4}|\( )?(hera-utils .*)$", re.MULTILINE)


def identity(page):
    return page.name


@pytest.mark.parametrize("page", CARRIED_OUT, ids=identity)
def test_a_page_is_carried_out(page, tmp_path):
    with private_server() as state:
        from hera_utils.local_platform import daemon

        reader = Reader(tmp_path, daemon.status(state))
        try:
            for block in blocks(page):
                if block["language"] != "text" or reader.printed:
                    reader.carry_out(block)
        finally:
            reader.type("hera-utils serve --stop")


@pytest.mark.parametrize("page", READ, ids=identity)
def test_the_blocks_of_a_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for block in blocks(page):
        if block["language"] == "python":
            exec(compile(block["text"], str(page), "exec"), names)
        elif block["language"] == "toml":
            toml_of(block["text"])
        elif block["language"] == "yaml":
            assert yaml.safe_load(block["text"])


def options(words):
    """The flags that a command line may have: those of its command, and of the command below it."""
    group = LazyGroup("hera-utils")
    context = click.Context(group)
    command = group.get_command(context, words[0])
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    if isinstance(command, click.Group):
        below = command.get_command(context, words[1]) if len(words) > 1 else None
        known |= {flag for parameter in (below.params if below else []) for flag in parameter.opts}
    return known


@pytest.mark.parametrize("page", PAGES, ids=identity)
def test_every_command_and_flag_exists(page):
    commands = {name for names in SECTIONS.values() for name in names}
    for line in COMMAND.findall(page.read_text(encoding="utf-8")):
        line = re.split(r" +# | \|\| | ; | > | \)", line)[0]
        words = shlex.split(textwrap.dedent(line))[1:]
        if words[0].startswith("-"):
            continue
        assert words[0].rstrip(",") in commands, line
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert flags - {"--help"} <= {flag.replace("_", "-") for flag in options(words)} | options(words), line
