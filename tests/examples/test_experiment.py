"""The example experiment: its table against one computed otherwise, twice, and by both of its scripts."""

import csv
import hashlib
import math
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "experiment"
VINTAGES = ("1929", "1949", "1969", "1989", "2009")


def expected():
    """Theil's index straight from the states' incomes, and its part between divisions as the index of the means."""
    with (FOLDER / "divisions.csv").open(newline="") as file:
        division_of = {row["state"]: row["division"] for row in csv.DictReader(file)}
    with (FOLDER / "us_income.csv").open(newline="") as file:
        states = list(csv.DictReader(file))
    table = {}
    for vintage in VINTAGES:
        incomes = {state["Name"]: int(state[vintage]) for state in states}
        everything = sum(incomes.values())
        total = sum(y / everything * math.log(y * len(incomes) / everything) for y in incomes.values())
        between = 0.0
        for division in set(division_of.values()):
            members = [incomes[state] for state in incomes if division_of[state] == division]
            share = sum(members) / everything
            between += share * math.log(share / (len(members) / len(incomes)))
        table[vintage] = (everything / len(incomes), total, between, total - between)
    return table


@pytest.fixture
def typed(local_platform, tmp_path):
    def type_(*words):
        environment = {
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "HERA_UTILS_STATE": local_platform.context.state,
            "ARGO_NAMESPACE": local_platform.connection.namespace,
            "HERA_UTILS_RUNS": str(tmp_path / "runs"),
            "PYTHONUTF8": "1",
        }
        answer = subprocess.run(
            [sys.executable, *map(str, words)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert answer.returncode == 0, answer.stdout + answer.stderr
        return answer.stdout

    return type_


def test_the_data_are_those_of_the_source():
    digest = hashlib.sha256((FOLDER / "us_income.csv").read_bytes()).hexdigest()
    assert digest == "01566698b83366c27193ba6cc9d844f92d7c0a1a5dd4b9348aa46935dc9160d8", (
        "libpysal 4.14 us_income/usjoin.csv"
    )
    with (FOLDER / "divisions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (len(rows), len({row["division"] for row in rows})) == (48, 9)


def test_the_table_is_right_and_the_same_when_computed_again(typed, local_platform):
    shown = typed(FOLDER / "experiment.py")
    claim = local_platform.claim("inequality")
    table = claim / "results" / "us" / "inequality.csv"
    first = table.read_text()
    assert shown.endswith(first)
    found = {row["vintage"]: row for row in csv.DictReader(first.splitlines())}
    assert tuple(found) == VINTAGES
    for vintage, numbers in expected().items():
        for name, number in zip(("mean", "theil", "between", "within"), numbers, strict=True):
            assert math.isclose(float(found[vintage][name]), number, rel_tol=1e-5), (vintage, name)
    points = {path.relative_to(claim) for path in claim.glob("collect/us/*/*.json")}
    assert len(points) == len(VINTAGES) * 9

    table.unlink()
    for path in points:
        (claim / path).unlink()
    said = typed("-m", "hera_utils", "run", FOLDER / "by_hand.py")
    assert "✔ Succeeded  46/46" in said
    assert "✔ Succeeded  1/1" in said
    assert table.read_text() == first
    assert {path.relative_to(claim) for path in claim.glob("collect/us/*/*.json")} == points


def test_its_results_are_a_table(typed, local_platform):
    typed("-m", "hera_utils", "run", FOLDER / "experiment.py")
    text = typed("-m", "hera_utils", "results", "@latest", "--tasks", "--template", "collect", "--output", "csv")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == 45
    assert {row["status"] for row in rows} == {"Succeeded"}
    one = next(row for row in rows if (row["vintage"], row["division"]) == ("2009", "pacific"))
    with (FOLDER / "us_income.csv").open(newline="") as file:
        incomes = {row["Name"]: int(row["2009"]) for row in csv.DictReader(file)}
    assert math.isclose(
        float(one["mean"]), sum(incomes[s] for s in ("California", "Oregon", "Washington")) / 3, rel_tol=1e-5
    )


def test_a_vintage_more_and_a_file_that_is_gone(typed, local_platform):
    typed(FOLDER / "experiment.py")
    claim = local_platform.claim("inequality")
    made = {path: path.stat().st_mtime_ns for path in claim.glob("collect/us/*/*.json")}
    (claim / "collect/us/1929/pacific.json").unlink()
    words = ("--resume", "--explain", "--set", "vintages=1929,1949,1969,1989,1999,2009")
    planned = typed(FOLDER / "experiment.py", "--plan", *words)
    assert "44 points are done already, 10 will run" in planned
    assert "1929-pacific: output missing: collect/us/1929/pacific.json" in planned
    assert planned.count(": new") == 9
    assert typed(FOLDER / "experiment.py", *words).splitlines()[-2].startswith("1999,48,")
    again = {path: path.stat().st_mtime_ns for path in claim.glob("collect/us/*/*.json")}
    assert len(again) == 54
    changed = {str(path.relative_to(claim)) for path, time in made.items() if again[path] != time}
    assert changed == {"collect/us/1929/pacific.json"}
    assert "all 54 points are done already" in typed(FOLDER / "experiment.py", *words)
