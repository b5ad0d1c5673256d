"""The other benchmarks still run: a small one of each kind, in which nothing is timed."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(program, *words):
    command = [sys.executable, str(BENCHMARKS / program), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("words", [("20",), ("--shape", "retried", "--workflows", "3", "10")])
def test_scale(words):
    (row,) = run("scale.py", *words)
    figures = dict(figure.rsplit(" ", 1) for figure in row.split("  "))
    assert figures["tasks"] == ("20" if len(words) == 1 else "30")
    assert all(float(figures[name]) > 0 for name in ("ms/task", "journal B/node", "document B/node"))


def test_the_list_of_bombs():
    assert len(run("bombs", "--list")) > 300
