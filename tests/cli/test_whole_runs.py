"""results, results diff, report and rerun of real runs: an experiment's with its record, and workflows of which nothing is recorded."""

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
import zipfile

import pytest

TOKEN = "planted-token-5d0c9e"
EXPERIMENT = """
from dataclasses import dataclass
from hera.workflows import DAG, Artifact, Container, Parameter, Task, Workflow
from hera.workflows.models import ValueFrom
from hera_utils import ExecutionEngine, Experiment, Inputs, grid
from settings import FAILING, FACTOR

@dataclass(frozen=True)
class Constants:
    city: str = "Lyon"

def define(environment, inputs, layout):
    with Workflow(generate_name="heat-", entrypoint="dag") as w:
        solve = Container(
            name="solve", image="alpine:3", command=["sh", "-c"],
            args=["echo solving $0 $1; [ $0 != %s ] || { echo overflow; exit 3; }; echo $(($0 * %s)) > /tmp/y; echo $1 > /tmp/f"
                  % (FAILING, FACTOR), "{{inputs.parameters.alpha}}", "{{inputs.parameters.kind}}"],
            inputs=[Parameter(name="alpha"), Parameter(name="kind")],
            outputs=[Parameter(name="y", value_from=ValueFrom(path="/tmp/y")), Artifact(name="field", path="/tmp/f")],
        )
        with DAG(name="dag"):
            for point in inputs.points:
                Task(name=point.name, template=solve, arguments=point.arguments)
    return w

def gather(environment, inputs, layout):
    with Workflow(generate_name="sum-", entrypoint="sum") as w:
        Container(name="sum", image="alpine:3", command=["echo", "done"])
    return w

experiment = Experiment(
    name="heat", workflow=define, gather=gather,
    inputs=Inputs(constants=Constants(), parameters=grid(alpha=[1, 2, 3], kind=["a", "b"])),
)
if __name__ == "__main__":
    ExecutionEngine.from_command_line().run(experiment)
"""
PLAIN = """
metadata: {generateName: plain-}
spec:
  entrypoint: main
  arguments: {parameters: [{name: word, value: hello}]}
  templates:
  - name: main
    container: {image: busybox, command: [sh, -c, "echo {{workflow.parameters.word}} > /tmp/x"]}
    outputs: {parameters: [{name: x, valueFrom: {path: /tmp/x}}]}
"""


@pytest.fixture
def typed(local_platform, tmp_path):
    """Runs a command in the folder of the experiment; returns its stdout and stderr."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA", "XDG"))}
    environment = kept | {
        "HOME": str(tmp_path),
        "HERA_UTILS_STATE": local_platform.context.state,
        "ARGO_NAMESPACE": local_platform.connection.namespace,
        "LAB_API_TOKEN": TOKEN,
    }
    (tmp_path / "experiment.py").write_text(EXPERIMENT)
    (tmp_path / "settings.py").write_text(f"FAILING, FACTOR = 0, 10  # {TOKEN}\n")
    (tmp_path / "plain.yaml").write_text(PLAIN)

    def type_(*words, status=0):
        program = ["experiment.py"] if words[0] == "python" else ["-m", "hera_utils"]
        given = words[1:] if words[0] == "python" else words
        answer = subprocess.run(
            [sys.executable, *program, *given],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == status, answer.stdout + answer.stderr
        assert "Traceback" not in answer.stderr
        return answer

    return type_


def newest(folder):
    return max((folder / "runs").iterdir(), key=lambda one: one.stat().st_mtime_ns)


def test_an_experiment_from_its_run_to_its_repetition(typed, tmp_path):
    typed("python")
    folder = newest(tmp_path)
    name = folder.name
    header, *lines = csv.reader(io.StringIO(typed("results", name, "-o", "csv").stdout))
    assert header[1:5] == ["alpha", "kind", "y", "artifacts"]
    assert [line[1:4] for line in lines] == [[str(a), k, str(a * 10)] for a in (1, 2, 3) for k in "ab"]
    (first, *_) = json.loads(typed("results", str(folder), "-o", "json").stdout)
    assert (first["values"], first["outputs"], first["status"]) == ({"alpha": 1, "kind": "a"}, {"y": 10}, "Succeeded")
    assert typed("results", name).stdout.splitlines()[0] == "points"
    assert "solve" in typed("results", name, "--tasks").stdout
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    report = typed("report", name, "--format", "md", "-o", "-").stdout
    assert report.startswith(f"# heat: run {name}\n")
    assert "- city: Lyon" in report
    paragraph = (folder / "methods.md").read_text()
    assert (
        "It computed 6 points, over alpha (3 values: 1, 2, 3) and kind (2 values: a, b), with city = Lyon." in paragraph
    )
    assert "7 tasks were executed in 2 workflows: `solve` 6 times and `sum` once." in paragraph
    assert typed("report", name, "--format", "methods", "-o", "-").stdout == paragraph
    packed = typed("report", name, "--zip").stdout.splitlines()[-1]
    archive = zipfile.ZipFile(tmp_path / packed)
    held = json.loads(archive.read("ro-crate-metadata.json"))
    assert {"methods.md", "script/experiment.py", "run.json"} <= set(archive.namelist())
    assert {"lock", f"{name}.zip", "files.csv"}.isdisjoint(archive.namelist())
    assert sum(one["@id"].startswith("#task-") for one in held["@graph"]) == 7
    for path in folder.rglob("*"):
        # a source file of the experiment is kept as it is
        assert not path.is_file() or path.name == "settings.py" or TOKEN.encode() not in path.read_bytes(), path
    assert (folder / "script" / "settings.py").read_bytes() == (tmp_path / "settings.py").read_bytes()
    again = typed("rerun", f"runs/{name}/ro-crate-metadata.json", "-o", "json")
    assert "running experiment.py" in again.stderr
    other = newest(tmp_path).name
    assert json.loads(again.stdout)["run"] == other
    assert other != name
    assert "6 points alike, 0 differ" in typed("results", "diff", name, other).stdout
    # a change of the script: what was recorded is what is repeated
    (tmp_path / "settings.py").write_text("FAILING, FACTOR = 0, 11\n")
    third = typed("rerun", f"runs/{name}", "-o", "json")
    assert len(json.loads(third.stdout)) == 2, "its points, and what gathers them"
    assert "settings.py changed or was removed since: the recorded workflows are submitted" in third.stderr
    typed("python")
    changed = typed("results", "diff", name, newest(tmp_path).name, status=1).stdout
    assert "y: 10 → 11  (+1, +10 %)" in changed
    assert "6 differ" in changed
    typed("results", "diff", name, newest(tmp_path).name, "--relative", "0.1")


def test_failures_and_what_is_resumed(typed, tmp_path):
    (tmp_path / "settings.py").write_text("FAILING, FACTOR = 2, 10\n")
    typed("python", status=1)
    failed = newest(tmp_path)
    text = typed("results", failed.name).stdout
    assert text.count("main: Error (exit code 3): overflow") == 1  # the message of the first of the two failed tasks
    assert "  and 1 more in the same way: 2-" in text
    rows = json.loads(typed("results", failed.name, "-o", "json").stdout)
    assert [(row["status"], row.get("log", [])[-1:]) for row in rows if row["values"]["alpha"] == 2] == [
        ("Failed", ["overflow"])
    ] * 2
    assert typed("results", failed.name, "--mean-over", "kind").stdout.splitlines() == [
        "means over kind, with standard errors",
        "alpha  n       y",
        "    1  2  10 ± 0",
        "    2  0",
        "    3  2  30 ± 0",
    ]
    table = typed("results", failed.name, "--mean-over", "kind", "-o", "csv").stdout
    assert table == "alpha,mean(y),sem(y),count(y)\n1,10.0,0.0,2\n2,,,0\n3,30.0,0.0,2\n"
    (whole,) = json.loads(
        typed("results", failed.name, "--mean-over", "kind", "--mean-over", "alpha", "-o", "json").stdout
    )
    assert (whole["outputs"]["y"]["mean"], whole["outputs"]["y"]["count"]) == (20.0, 4)
    assert "did you mean `kind`" in typed("results", failed.name, "--mean-over", "kin", status=2).stderr
    of_tasks = typed("results", failed.name, "--mean-over", "kind", "--tasks").stdout
    assert of_tasks.splitlines()[1:] == ["alpha  n       y", "    1  2  10 ± 0", "    2  0", "    3  2  30 ± 0"]
    compared = typed("results", failed.name, "--compare", "alpha", "--mean-over", "kind").stdout.splitlines()
    assert compared[0].endswith("differences to alpha=1, with intervals of 95%, for 2 comparisons together")
    assert compared[1:] == [
        "alpha  n       y  y − 1", "    1  2  10 ± 0", "    2  0", "    3  2  30 ± 0    +20",
    ]  # fmt: skip
    unrepeated = typed("results", failed.name, "--compare", "alpha", status=2).stderr
    assert "no axis of" in unrepeated
    assert "fix: name it: --mean-over AXIS" in unrepeated
    typed("results", failed.name, "--compare", "alpha=3", "--mean-over", "kind", "--to", "table.tex")
    assert r"$1$ & $2$ & $10 \pm 0$ & $-20$ \\" in (tmp_path / "table.tex").read_text()
    assert typed("results", failed.name, "-o", "md").stdout.startswith("| alpha | kind | y |")
    assert "overflow" in (failed / "report.html").read_text()
    manifest = json.loads((failed / "ro-crate-metadata.json").read_text())
    assert next(one for one in manifest["@graph"] if one["@id"] == "#run")["actionStatus"].endswith(
        "FailedActionStatus"
    )
    (tmp_path / "settings.py").write_text("FAILING, FACTOR = 0, 10\n")
    diff = typed("results", "diff", failed.name, failed.name).stdout
    assert diff == f"6 points alike, 0 differ, 0 only in {failed.name}, 0 only in {failed.name}\n"


def test_a_password_in_a_workflow_is_refused_where_it_would_be_published(typed, tmp_path):
    text = PLAIN.replace("value: hello}", "value: hello}, {name: password, value: hunter-of-tests}")
    (tmp_path / "secret.yaml").write_text(text)
    typed("run", "secret.yaml")
    said = typed("report", "@latest", "--crate", status=2).stderr
    assert "contains the secret `password` as plain text" in said
    assert "fix: take it from a Kubernetes secret" in said
    assert not any(b"hunter-of-tests" in path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file())


def test_a_workflow_of_which_nothing_is_recorded(typed, tmp_path):
    typed("run", "plain.yaml")
    (row,) = json.loads(typed("results", "@latest", "-o", "json").stdout)
    assert (row["outputs"], row["attempts"]) == ({"x": "hello"}, 1)
    assert "no points" in typed("results", "@latest", "--points", status=2).stderr
    assert "no template of" in typed("results", "@latest", "--mean-over", "nosuch", status=2).stderr
    assert "it has: main" in typed("results", "@latest", "--template", "nosuch", status=2).stderr
    typed("report", "@latest", "--crate")
    folder = newest(tmp_path)
    assert {path.name for path in folder.iterdir()} == {
        "methods.md", "report.html", "ro-crate-metadata.json", "requirements.txt", "results.csv", "workflows",
    }  # fmt: skip
    assert "no script is recorded" in typed("rerun", str(folder)).stderr
    typed("rerun", str(folder), "-p", "word=bye")
    (row,) = json.loads(typed("results", "@latest", "-o", "json").stdout)
    assert row["outputs"] == {"x": "bye"}
    pytest.importorskip("pyarrow")
    typed("results", "@latest", "--to", "results.parquet")
    assert (tmp_path / "results.parquet").read_bytes().startswith(b"PAR1")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("results", "nosuch"), "there is no run nosuch"),
        (("results", "diff", "nosuch", "other"), "there is no run nosuch"),
        (("report", "nosuch"), "there is no run nosuch"),
        (("report", "nosuch", "--zip", "-o", "-"), "--zip writes files, and --to - only prints"),
        (("rerun", "nosuch.json"), "cannot be read"),
        (("rerun", "plain.yaml"), "is not JSON"),
        (("results", "diff", "one"), "missing argument"),
        (("results", "nosuch", "--to", "x.nonsense"), "which kind of file"),
    ],
)
def test_what_cannot_be_is_a_sentence(typed, words, sentence):
    assert sentence in typed(*words, status=2).stderr


def test_what_was_deleted_is_still_told_by_its_record(typed, tmp_path):
    typed("python")
    folder = newest(tmp_path)
    typed("delete", folder.name)
    answer = typed("results", folder.name, "-o", "json")
    rows = json.loads(answer.stdout)
    assert [row["outputs"] for row in rows] == [{"y": 10 * alpha} for alpha in (1, 1, 2, 2, 3, 3)]
    assert answer.stderr == ""
    kept = (folder / "report.html").read_bytes()
    assert "a new report would say less" in typed("report", folder.name, status=2).stderr
    assert (folder / "report.html").read_bytes() == kept
    typed("report", folder.name, "--to", "other.html")


def test_a_run_that_goes_on_has_the_results_of_earlier_runs_after_their_deletion(typed, tmp_path):
    """`gc` deletes workflows after 30 days, and clusters after their own time; their points stay done and are not computed again."""
    typed("python", "--set", "alpha=1,2")
    first = newest(tmp_path)
    typed("delete", first.name)
    typed("python", "--resume")
    last = newest(tmp_path)
    assert last != first
    with open(last / "results.csv", newline="") as file:
        assert [row["y"] for row in csv.DictReader(file)] == ["10", "10", "20", "20", "30", "30"]
    typed("report", last.name, "--zip")  # it tells no less than before


def test_a_workflow_that_no_record_has_kept_is_kept_when_it_is_deleted(typed, tmp_path):
    """Of an older version, or one that nobody followed to its end."""
    typed("python")
    folder = newest(tmp_path)
    with sqlite3.connect(folder / "points.sqlite") as base:
        base.execute("delete from documents")
    typed("gc", "--older-than", "0d", "--yes")
    (row, *_) = json.loads(typed("results", folder.name, "-o", "json").stdout)
    assert row["outputs"] == {"y": 10}
    with sqlite3.connect(folder / "points.sqlite") as base:
        base.execute("delete from documents")
    assert "2 workflows of" in typed("results", folder.name).stderr


def test_a_record_keeps_no_workflow_with_a_secret(request, monkeypatch, tmp_path):
    monkeypatch.setenv("LAB_API_KEY", key := "q7Rk2ZxW9bTn4Lp")
    typed = request.getfixturevalue("typed")
    (tmp_path / "settings.py").write_text(f"FAILING, FACTOR = 0, '10 + {key}'\n")
    typed("python", "--set", "alpha=1")  # the script uses 0 for an unset variable
    with sqlite3.connect(newest(tmp_path) / "points.sqlite") as base:
        kept = [name for (name,) in base.execute("select workflow from documents")]
    assert [name.rpartition("-")[2] for name in kept] == ["gather"]
