"""The comparison with other tools: its arithmetic, its picture, and a short run in which nothing is timed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"


@pytest.fixture
def peers(monkeypatch):
    """The modules of the program, which are no package."""
    monkeypatch.syspath_prepend(str(PEERS))
    names = [file.stem for file in PEERS.glob("*.py")]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    import measure
    import plot
    import table
    import tools
    import workloads

    yield {"measure": measure, "plot": plot, "table": table, "tools": tools, "workloads": workloads}
    for name in names:
        sys.modules.pop(name, None)


def test_ratios_are_taken_within_a_round(peers):
    """Another program made the second round slow for both: that cancels out."""
    measured = peers["measure"].Measured
    runs = [
        measured("ours", "W1", 100, 0, 1.0, 0.4, 0.0),
        measured("xargs", "W1", 100, 0, 2.0, 0.2, 0.0),
        measured("ours", "W1", 100, 1, 10.0, 0.4, 0.9),
        measured("xargs", "W1", 100, 1, 20.0, 0.2, 0.9),
        measured("ninja", "W1", 100, 1, 0.1, 0.2, 0.9, "status 1"),
        measured("dbos", "W1", 100, 1, 5.0, 0.2, 0.9),
    ]
    lines = {line.tool: line for line in peers["table"].lines(runs)}
    assert lines.keys() == {"ours", "xargs", "dbos"}, "a run with a problem has no time"
    assert lines["xargs"].ratio == peers["table"].Spread(2.0, 2.0, 2.0)
    assert lines["dbos"].ratio.middle == 0.5, "ours of the same round, not of the first"
    assert lines["ours"].ratio is None
    assert (lines["xargs"].each.least, lines["xargs"].each.most, lines["xargs"].processor) == (20.0, 200.0, 2.0)


def test_the_picture_has_every_tool_of_every_workload(peers):
    measured = peers["measure"].Measured
    runs = [
        measured(tool, name, 10, number, 0.1 * (1 + number), 0.1, 0.0)
        for tool in ("ours", "xargs", "dbos")
        for name in ("W1", "W2", "W5", "W6")
        for number in range(3)
    ]
    root = ElementTree.fromstring(peers["plot"].picture(peers["table"].lines(runs), peers["workloads"].WORKLOADS))
    texts = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count("hera_utils") == texts.count("xargs") == texts.count("dbos") == 4
    assert "W5  Python tasks that import numpy × 10" in texts


def test_every_tool_has_pinned_versions(peers):
    for tool in peers["tools"].by_name().values():
        pins = tool.needs and (PEERS / "environments" / f"{tool.needs}.txt").read_text()
        assert all("==" in line for line in pins.splitlines())
        assert not tool.needs or tool.version()


def test_a_short_run_names_who_is_left_out(tmp_path):
    environment = {**os.environ, "HERA_UTILS_BENCHMARKS": str(tmp_path / "cache")}
    words = ["--small", "--workloads", "W4", "--tools", "ours,xargs,dbos", "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, str(PEERS), *words], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left out: dbos: its environment is not built" in done.stdout
    found = json.loads((tmp_path / "out" / "runs.json").read_text())
    assert [(run["tool"], run["problem"]) for run in found["runs"]] == [("ours", ""), ("xargs", "")]
    assert list(found["left out"]) == ["dbos"]
    assert (tmp_path / "out" / "table.csv").read_text().count("\n") == 3
