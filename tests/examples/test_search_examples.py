"""The searches among the examples: each against what is known of its answer, killed once on its way and resumed."""

import json
import math
import os
import subprocess
import sys

import pytest

from hera_utils.runs.record import RunRecord, records
from waiting import until

pytest.importorskip("optuna")


@pytest.fixture
def killed_and_resumed(copied, local_platform):
    """Start an example's script, kill it (-9) when some points are done, resume it; returns (its output, its trials, its workflows)."""

    def carried_out(folder, script, points):
        environment = {
            "HOME": str(folder),
            "PATH": os.defpath,
            "PYTHONUTF8": "1",
            "HERA_UTILS_STATE": local_platform.context.state,
            "ARGO_NAMESPACE": local_platform.connection.namespace,
        }
        command = [sys.executable, script]
        running = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        until(lambda: done(folder / "runs") >= points or running.poll() is not None)
        running.kill()
        running.wait()
        assert done(folder / "runs") >= points
        before = workflows(local_platform)
        answer = subprocess.run(
            [*command, "--resume"], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        (record,) = records(folder / "runs")
        with RunRecord.open(record) as found:
            rows, trials = list(found.points()), found.trials()
            assert before <= {row.name for row in found.workflows()}
            assert sum(row.points for row in found.workflows()) == len(rows), "no point was asked twice"
        return answer.stdout, [(row.values, trials[row.id]) for row in rows]

    return carried_out


def done(runs):
    for folder in records(runs):
        with RunRecord.open(folder) as record:
            return record.counts_by_status().get("Succeeded", 0)
    return 0


def workflows(platform):
    return {one["metadata"]["name"] for one in platform.client.list(fields="metadata.name")}


@pytest.mark.slow
def test_branin(copied, killed_and_resumed):
    folder, _ = copied("searches")
    said, trials = killed_and_resumed(folder, "branin.py", 12)
    assert len(trials) == 60
    least = min(trial["outputs"]["result"] for _, trial in trials)
    assert said.splitlines()[-1].startswith(f"least: {least:.6f} at")
    assert least - 0.397887 < 0.05, "within 60 points, with the seed of the example"
    for values, trial in trials:
        x, y = values["x"], values["y"]
        wanted = (y - 5.1 * (x / (2 * math.pi)) ** 2 + 5 * x / math.pi - 6) ** 2
        wanted += 10 * (1 - 0.125 / math.pi) * math.cos(x) + 10
        assert trial["outputs"]["result"] == pytest.approx(wanted, rel=1e-9)


@pytest.mark.slow
def test_the_bisection(copied, killed_and_resumed):
    folder, _ = copied("searches")
    said, trials = killed_and_resumed(folder, "stability.py", 3)
    assert len(trials) == 11, "0.2 is halved eleven times until it is below 1e-4"
    limit = 1 / (2 * math.cos(math.pi / 20) ** 2)
    for values, trial in trials:
        assert (trial["outputs"]["result"] <= 1) == (values["ratio"] <= limit)
    assert abs(float(said.split()[-1]) - limit) < 1e-4


@pytest.mark.slow
def test_the_best_relaxation(copied, killed_and_resumed):
    np = pytest.importorskip("numpy")
    folder, _ = copied("heat_equation")
    script = folder / "relaxation.py"
    smaller = (
        script.read_text()
        .replace("cells: int = 200", "cells: int = 60")
        .replace("sweeps: int = 800", "sweeps: int = 240")
    )
    script.write_text(smaller)
    said, trials = killed_and_resumed(folder, "relaxation.py", 6)
    assert len(trials) == 30
    stopped = [trial for _, trial in trials if trial["status"] == "Pruned"]
    assert len(stopped) >= 5
    assert all(120 <= max(map(int, trial["steps"])) < 240 for trial in stopped)
    ended = [
        (trial["outputs"]["residual"], values["factor"]) for values, trial in trials if trial["status"] != "Pruned"
    ]
    least, factor = min(ended)
    assert said.splitlines()[-2].startswith(f"best factor: {factor:.4f}")
    assert said.splitlines()[-1].startswith(f"{len(stopped)} of 30 points were stopped early")
    assert abs(factor - 2 / (1 + math.sin(math.pi / 60))) < 0.02, "Young's factor"
    assert least == pytest.approx(relaxed(np, factor, 60, 240), abs=1e-6)


def relaxed(np, factor, cells, sweeps):
    """The residual by another implementation: a loop over the colours' own points."""
    plate = np.zeros((cells + 1, cells + 1))
    plate[0, 1:-1] = 1.0
    places = [(i, j) for i in range(1, cells) for j in range(1, cells)]
    chosen = [np.array([place for place in places if sum(place) % 2 == colour]).T for colour in (0, 1)]
    for _ in range(sweeps):
        for i, j in chosen:
            mean = (plate[i - 1, j] + plate[i + 1, j] + plate[i, j - 1] + plate[i, j + 1]) / 4
            plate[i, j] = (1 - factor) * plate[i, j] + factor * mean
    inner = (plate[:-2, 1:-1] + plate[2:, 1:-1] + plate[1:-1, :-2] + plate[1:-1, 2:]) / 4 - plate[1:-1, 1:-1]
    return math.log10(np.max(np.abs(inner)))


def test_the_plan_says_what_is_known(copied):
    _, typed = copied("searches")
    said = typed("branin.py", "--plan")
    assert "at most 60 points, 5 at once (search by tpe over x, y: minimize result)" in said
    assert "5 of at most 60 points are known" in said
    plan = json.loads(typed("branin.py", "--plan", "--output", "json"))
    assert plan["search"]["points"] == 60
    assert len(plan["run"]) == 5
