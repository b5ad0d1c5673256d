"""A reader who carries out a page: writes its files, types its commands, compares what they print. Their home is empty."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```\n", re.DOTALL)
# What differs from run to run: names, times, ports, the machine.
MASKS = (
    (r"\b([a-z]+(?:-[a-z]+)*)-[a-z0-9]{5}\b", r"\1-NAME"),
    (r"Succeeded +\d[\d.]* +", "Succeeded SECONDS "),
    (r"(< 1|\b\d+(\.\d)?) s\b|\b\d\d:\d\d\b", "TIME"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"python 3\.[\d.]+\w*, \d+ cores?", "MACHINE"),
)


def blocks(page: Path) -> list[dict[str, str | None]]:
    return [match.groupdict() for match in BLOCK.finditer(page.read_text(encoding="utf-8"))]


def masked(text):
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text)
    return text


class Reader:
    """Follows a page in its own folder. lab: the local platform that replaces the laboratory's Argo server."""

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
        self.printed = ""  # the output of the last commands

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

    def carry_out(self, block):
        """Process a block, which is a file, commands, or their output."""
        if block["file"]:
            self.write(block["file"], block["text"])
        elif block["language"] == "sh":
            answer = self.type(block["text"])
            assert answer.returncode == 0, answer.stdout
            assert "Traceback" not in answer.stdout
            self.printed = masked(answer.stdout)
        else:
            assert block["language"] == "text", "a block is a file, commands, or what they print"
            printed = self.printed.splitlines()
            for line in masked(block["text"]).splitlines():
                assert line in printed, f"not printed (so often): {line}\n{self.printed}"
                printed.remove(line)  # in any order, as tasks run in parallel
