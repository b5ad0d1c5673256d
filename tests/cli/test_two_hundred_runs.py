"""Two hundred recorded runs in a folder: what search, comparison and trace say is what a computation of ours says."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import pytest

SCRIPT = """
from types import SimpleNamespace

from hera.workflows import DAG, ExistingVolume, Parameter, Workflow, script
from hera.workflows.models import ValueFrom

from hera_utils import Environment, Experiment, Inputs, Layout, PersistedVolume, grid, main, writes


class Files(Layout):
    @writes
    def out(self, x):
        return self.path("out", self.constants.k, f"{x}.txt")


@script(
    image="python:3.11",
    outputs=[Parameter(name="value", value_from=ValueFrom(path="/tmp/value"))],
    volumes=[ExistingVolume(name="v", claim_name="big", mount_path="/results")],
)
def compute(x: int, k: int, out: str):
    import os

    os.makedirs(os.path.dirname(out), exist_ok=True)
    open(out, "w").write(f"{k} {x}")
    open("/tmp/value", "w").write(str(k * x * x))


def define(environment, inputs, layout):
    at = layout.mounted(environment)
    with Workflow(generate_name="m-", entrypoint="points") as w, DAG(name="points"):
        for point in inputs.points:
            arguments = {**point.arguments, "k": inputs.constants.k, "out": at.out(point.x)}
            compute(name=f"compute-{point.name}", arguments=arguments)
    return w


main(
    Experiment(
        workflow=define,
        layout=Files,
        environment=Environment(persisted_volume=PersistedVolume("big", size="1Gi", mount_path="/results")),
        inputs=Inputs(SimpleNamespace(k=1, mode="fast"), grid(x=[1, 2, 3])),
    )
)
"""
COUNT = 200
POINTS = (1, 2, 3)


def mode(k):
    return "fast" if k % 3 else "slow"


def phase(k):
    return "Failed" if k % 10 == 0 else "Succeeded"


def rewritten(file, change):
    with file.open(newline="") as source:
        rows = list(csv.DictReader(source))
    with file.open("w", newline="") as target:
        writer = csv.DictWriter(target, list(rows[0]))
        writer.writeheader()
        writer.writerows(change(row) for row in rows)


def copy_of(record, k):
    """The record of a run as one with another constant would have it."""
    name = f"m-k{k:04}"
    folder = record.parent / name
    shutil.copytree(record, folder, ignore=shutil.ignore_patterns("workflows", "script", "*.html", "ro-*"))
    facts = json.loads((folder / "run.json").read_text().replace(record.name, name))
    facts["inputs"]["constants"] = {"k": k, "mode": mode(k)}
    facts |= {"created": facts["created"] + k, "ended": facts["ended"] + k, "phase": phase(k)}
    (folder / "run.json").write_text(json.dumps(facts))
    rewritten(folder / "results.csv", lambda row: {**row, "value": k * int(row["x"]) ** 2})

    def file_of(row):
        x = Path(row["path"]).stem
        return {**row, "path": f"out/{k}/{x}.txt", "sha256": hashlib.sha256(f"{k} {x}".encode()).hexdigest()}

    rewritten(folder / "files.csv", file_of)


@pytest.fixture
def runs(user):
    user.type("run", user.file("m.py", SCRIPT))
    (record,) = (path.parent for path in (user.folder / "runs").glob("*/run.json"))
    for k in range(2, COUNT + 1):
        copy_of(record, k)
    names = {1: record.name, **{k: f"m-k{k:04}" for k in range(2, COUNT + 1)}}
    return user, names


def test_search_comparison_and_trace_are_right_among_two_hundred(runs):
    user, names = runs
    here = ("--runs", user.folder / "runs")  # other tests have recorded runs on this platform
    everything = range(COUNT, 0, -1)  # the newest first
    for conditions, holds in (
        (["k<20", "mode=slow"], lambda k: k < 20 and mode(k) == "slow"),
        (["value>=1764"], lambda k: any(k * x * x >= 1764 for x in POINTS)),
        (["status=Failed", "k!=100"], lambda k: phase(k) == "Failed" and k != 100),
        (["value=8", "x=2"], lambda k: k == 2),
    ):
        flags = [word for condition in conditions for word in ("--where", condition)]
        said = user.type("runs", *here, *flags, "-o", "name").split()
        assert said == [names[k] for k in everything if holds(k)], conditions

    shown = json.loads(
        user.type("runs", *here, "--where", "k>0", "--columns", "k,mode,mean(value),max(value)", "-o", "json")
    )
    mean = {k: k * sum(x * x for x in POINTS) / len(POINTS) for k in everything}
    assert [(one["k"], one["mode"]) for one in shown] == [(k, mode(k)) for k in everything]
    assert [one["mean(value)"] for one in shown] == pytest.approx([mean[k] for k in everything], rel=1e-5)
    assert [one["max(value)"] for one in shown] == [9 * k for k in everything]

    compared = json.loads(user.type("compare", *here, "--where", "k>0", "-o", "json"))
    assert {one["run"]: one["k"] for one in compared} == {names[k]: k for k in everything}
    assert all({"mode", "status"} <= one.keys() and "x" not in one for one in compared), "only what differs"

    for k, x in ((137, 2), (200, 3), (1, 1)):
        file = user.file("found.txt", f"{k} {x}")
        (trace,) = json.loads(user.type("which", *here, file, "-o", "json"))
        assert (trace["run"], trace["path"], trace["values"]) == (names[k], f"out/{k}/{x}.txt", {"x": str(x)})
    assert "none of 200 recorded runs" in user.type("which", *here, user.file("found.txt", "201 1"), status=1)
