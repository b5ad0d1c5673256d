"""runs, compare, which and tag on real runs: an experiment's, with its record, and a workflow of which nothing is recorded."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXPERIMENT = """
from dataclasses import dataclass
from hera.workflows import DAG, Container, ExistingVolume, Parameter, Task, Workflow
from hera.workflows import models as m
from hera_utils import Environment, ExecutionEngine, Experiment, Inputs, Layout, PersistedVolume, grid, reads, writes

@dataclass(frozen=True)
class Constants:
    factor: int = 2

class Files(Layout):
    @reads(local=True)
    def table(self): return "table.csv"
    @writes
    def field(self, x): return f"field-{self.constants.factor}-{x}.txt"

def define(environment, inputs, layout):
    volume = ExistingVolume(name="work", claim_name=environment.persisted_volume.claim_name, mount_path="/work")
    with Workflow(generate_name="area-", entrypoint="dag") as w:
        solve = Container(
            name="solve", image="alpine:3", command=["sh", "-c"],
            args=["echo $(($0 * %d)) | tee /tmp/y > /work/field-%d-$0.txt" % (inputs.constants.factor, inputs.constants.factor),
                  "{{inputs.parameters.x}}"],
            inputs=[Parameter(name="x")], outputs=[Parameter(name="y", value_from=m.ValueFrom(path="/tmp/y"))],
            volumes=[volume],
        )
        with DAG(name="dag"):
            for point in inputs.points:
                Task(name=point.name, template=solve, arguments=point.arguments)
    return w

experiment = Experiment(
    name="area", workflow=define, inputs=Inputs(constants=Constants(), parameters=grid(x=[1, 2, 3])), layout=Files,
    environment=Environment(persisted_volume=PersistedVolume("area", mount_path="/work", size="1Gi")),
)
if __name__ == "__main__":
    ExecutionEngine.from_command_line().run(experiment)
"""
PLAIN = """
metadata: {generateName: plain-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: word, value: hello}]}
  templates: [{name: main, container: {image: busybox, command: [echo, hello]}}]
"""


@pytest.fixture
def studies(user, tmp_path):
    """A folder of two experiments' runs; gives (the user, the name of the first run, that of the second)."""
    # Forgets the run folders of other tests on this platform.
    (Path(user.platform.context.state) / "runs-folders").unlink(missing_ok=True)
    study = tmp_path / "study"
    study.mkdir()
    (study / "area.py").write_text(EXPERIMENT)
    (study / "table.csv").write_text("1,2\n")
    for flags in (("--name", "base", "--tag", "paper", "--note", "as published"), ("--set", "factor=5")):
        done = subprocess.run(
            [sys.executable, "area.py", *flags], cwd=study, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
    runs = sorted(
        (study / "runs").iterdir(), key=lambda folder: json.loads((folder / "run.json").read_text())["created"]
    )
    return user, *(folder.name for folder in runs)


def volume(user):
    return Path(user.platform.context.state) / "claims" / user.platform.connection.namespace / "area"


def test_search_compare_and_trace(studies, tmp_path):
    user, first, second = studies
    user.type("run", user.file("w.yaml", PLAIN))
    # found from any folder
    listed = user.type("runs", "--columns", "factor,x,max(y),word,tag,name")
    # a platform tells whole seconds, so that the order within one is open
    assert sorted(line.split()[0].split("-")[0] for line in listed.splitlines()[1:]) == ["area", "area", "plain"]
    assert user.type("runs", "--where", "factor=5", "-o", "name").split() == [second]
    assert user.type("runs", "--where", "x=3", "--where", "y<10", "-o", "name").split() == [first]
    assert user.type("runs", "--where", "tag=paper", "--where", "note~publish", "-o", "name").split() == [first]
    points = json.loads(user.type("runs", "--where", "y>9", "--points", "-o", "json"))
    assert points == [{"run": second, "x": 2, "y": 10}, {"run": second, "x": 3, "y": 15}]
    assert "no run has an input" in user.type("runs", "--where", "nothing=1", status=2)

    compared = json.loads(user.type("compare", "base", second, "-o", "json"))
    assert [(one["run"], one["factor"], one["mean(y)"]) for one in compared] == [(first, 2, 4), (second, 5, 10)]
    assert "x" not in compared[0]
    user.type("compare", "--where", "experiment=area", "--to", "all.html")
    assert second in (tmp_path / "all.html").read_text()
    assert "needs two runs" in user.type("compare", "base", status=2)
    assert "there is no run nope with a record" in user.type("compare", "base", "nope", status=2)

    made = volume(user) / "field-5-2.txt"
    (found,) = json.loads(user.type("which", made, "-o", "json"))
    assert (found["run"], found["use"], found["values"]) == (second, "written", {"x": "2"})
    assert [one["path"] for one in found["inputs"]] == ["table.csv"]
    copy = tmp_path / "renamed"
    copy.write_bytes(made.read_bytes())
    told = user.type("which", copy)
    assert f"{second}  written as field-5-2.txt" in told
    assert "x=2" in told
    assert "--set factor=5" in told
    assert "from: table.csv" in told
    assert user.type("which", tmp_path / "study" / "table.csv").count("read as table.csv") == 2
    assert user.type("compare", "base", first, status=2).count("only one is named") == 1
    assert user.type("runs", "--columns", "run,factor", "--where", "factor=5").splitlines()[0].split() == [
        "run",
        "factor",
    ]
    assert sorted(user.type("runs", "--runs", tmp_path / "study" / "runs", "-o", "name").split()) == sorted(
        [first, second]
    )
    (tmp_path / "empty").mkdir()
    assert "no runs are recorded here" in user.type("runs", "--runs", "empty")
    for command in (("runs",), ("compare", first, second)):
        assert "there is no folder" in user.type(*command, "--runs", "absent", status=2)
    assert "none of 2 recorded runs" in user.type("which", user.file("other", "other"), status=1)
    assert "cannot be read (no such file or directory)" in user.type("which", "absent", status=2)

    user.type("tag", second, "draft", "--name", "large")
    assert user.type("runs", "--where", "tag=draft", "-o", "name").split() == [second]
    assert user.type("watch", "large").splitlines()[-1].startswith(second)
    assert "at most 100 characters" in user.type("tag", second, "--name", "x" * 101, status=2)
    assert "cannot be a tag" in user.type("tag", second, "a,b", status=2)
    assert "tags: none" in user.type("tag", "large", "--remove", "draft")


def test_a_resumed_run_has_not_written_what_another_wrote(user, tmp_path):
    study = tmp_path / "study"
    study.mkdir()
    (study / "area.py").write_text(EXPERIMENT)
    (study / "table.csv").write_text("1,2\n")
    for flags in ((), ("--resume", "--set", "x=1,2,3,4")):
        done = subprocess.run(
            [sys.executable, "area.py", *flags], cwd=study, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
    (old,), (new,) = (
        json.loads(user.type("which", volume(user) / f"field-2-{x}.txt", "-o", "json", "--runs", study / "runs"))
        for x in (3, 4)
    )
    assert old["run"] != new["run"]
