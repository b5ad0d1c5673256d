"""Every block of the README is carried out, in order, as a reader would: an empty home, nothing configured."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hera_utils.cli.commands import SECTIONS
from hera_utils.testing import private_server

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```\n", re.DOTALL)
BLOCKS = [match.groupdict() for match in BLOCK.finditer(README)]
# What differs from run to run: names, times, ports, the machine.
MASKS = (
    (r"(hello|inequality|squares)-[a-z0-9]{5}\b", r"\1-NAME"),
    (r"Succeeded +\d[\d.]* +", "Succeeded SECONDS "),
    (r"(< 1|\b\d+(\.\d)?) s\b|\b\d\d:\d\d\b", "TIME"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"python 3\.[\d.]+\w*, \d+ cores", "MACHINE"),
)


def masked(text):
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text)
    return text


class Reader:
    """Somebody who follows the README in a folder of theirs."""

    def __init__(self, folder, lab):
        self.folder, self.home, self.lab = folder / "work", folder / "home", lab
        self.folder.mkdir()
        self.home.mkdir()
        (self.folder / "examples").symlink_to(ROOT / "examples")
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA", "XDG"))
        }
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.environment = kept | {"HOME": str(self.home), "PATH": path, "PYTHONPATH": ""}

    def write(self, name, text):
        path = self.home / name[2:] if name.startswith("~/") else self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("https://argo.lab.example", self.lab["argo_server"]), encoding="utf-8")

    def type(self, text):
        text = text.replace("the-token-you-were-given", self.lab["token"])
        return subprocess.run(
            ["bash", "-eu", "-c", text],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    from hera_utils.local_platform import daemon

    with private_server() as state:  # stands for the laboratory's Argo server
        reader = Reader(tmp_path_factory.mktemp("reader"), daemon.status(state))
        yield reader
        reader.type("hera-utils serve --stop")


@pytest.fixture(scope="module")
def answers():
    """What the last shell block printed."""
    return []


@pytest.mark.parametrize(
    "number", range(len(BLOCKS)), ids=[f"{block['language']}-{n}" for n, block in enumerate(BLOCKS)]
)
def test_a_block(number, reader, answers):
    block = BLOCKS[number]
    if block["file"]:
        reader.write(block["file"], block["text"])
    elif block["language"] == "sh":
        answer = reader.type(block["text"])
        assert answer.returncode == 0, answer.stdout
        assert "Traceback" not in answer.stdout
        answers.append(masked(answer.stdout))
    else:
        assert block["language"] == "text", "a block is a file, commands, or what they print"
        printed = answers[-1].splitlines()
        for line in masked(block["text"]).splitlines():
            assert line in printed, f"not printed (so often): {line}\n{answers[-1]}"
            printed.remove(line)  # in any order: tasks end side by side


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
