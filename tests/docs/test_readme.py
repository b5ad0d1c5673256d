"""Every block of the README is carried out, in order, as a reader would: an empty home, nothing configured."""

import re

import pytest
from reader import ROOT, Reader, blocks

from hera_utils.cli.commands import SECTIONS
from hera_utils.testing import private_server

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = blocks(ROOT / "README.md")


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    from hera_utils.local_platform import daemon

    with private_server() as state:  # replaces the laboratory's Argo server
        reader = Reader(tmp_path_factory.mktemp("reader"), daemon.status(state))
        yield reader
        reader.type("hera-utils serve --stop")


@pytest.mark.parametrize(
    "number", range(len(BLOCKS)), ids=[f"{block['language']}-{n}" for n, block in enumerate(BLOCKS)]
)
def test_a_block(number, reader):
    reader.carry_out(BLOCKS[number])


def test_the_commands_are_those_that_there_are():
    table = README.partition("## Commands")[2].partition("##")[0]
    told = set(re.findall(r"`(\w+)", table.partition("Exit status")[0]))
    assert {name for commands in SECTIONS.values() for name in commands} == told & {
        name for commands in SECTIONS.values() for name in commands
    }


@pytest.mark.parametrize("target", ["run", "test"])
def test_the_two_commands_are_targets(target):
    assert f"make {target} " in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target
