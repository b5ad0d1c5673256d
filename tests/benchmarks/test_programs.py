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


def test_every_part_of_a_task_has_its_cost():
    rows = dict(line.rsplit(maxsplit=1) for line in run("task_costs.py", "python", "30", "--parts")[1:])
    assert {
        "whole server",
        "controller: event to text",
        "controller: pods' statuses",
        "runtime: admission",
    } <= rows.keys()
    assert float(rows["controller: interpreter"]) > 0


def test_fan_out():
    head, row = run("fan_out.py", "10")[-3:-1]
    assert dict(zip(head.split(), row.split(), strict=False))["tasks"] == "10"


def test_malformed_values():
    assert any("requests" in line for line in run("bombs/malicious_values.py", "--seconds", "1"))


def test_the_list_of_bombs():
    assert len(run("bombs", "--list")) > 300
