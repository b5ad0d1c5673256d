"""What a run gave is found by the run's name: of its gather, and of the points that an earlier run computed."""

import json

import pytest
from hera.workflows import DAG, Artifact, Workflow, script

from hera_utils import ExecutionEngine, Experiment, Inputs, ResourceError, grid


@script(image="python:3.11", outputs=[Artifact(name="model", path="/tmp/model")])
def fit(a):
    print(f"fitted {a}")
    open("/tmp/model", "w").write(str(a))  # noqa: SIM115


@script(image="python:3.11", outputs=[Artifact(name="table", path="/tmp/table")])
def plot():
    open("/tmp/table", "w").write("a table")  # noqa: SIM115


def define(environment, inputs, layout):
    with Workflow(generate_name="fits-", entrypoint="main") as w, DAG(name="main"):
        for point in inputs.points:
            fit(name=f"fit-{point.name}", arguments=point.arguments)
    return w


def gather(environment, inputs, layout):
    with Workflow(generate_name="fits-", entrypoint="main") as w, DAG(name="main"):
        plot(name="plot")
    return w


def experiment(*values):
    return Experiment(workflow=define, gather=gather, inputs=Inputs(parameters=grid(a=list(values))))


@pytest.fixture
def typed(typed, local_platform):
    """Each command knows where the records are."""

    def type_(*words, status=0):
        return typed(*words, "--runs", local_platform.context.runs, status=status)

    return type_


def test_by_the_name_of_the_run(local_platform, typed, tmp_path):
    local_platform.run(experiment(1, 2))
    run = ExecutionEngine(local_platform.context).run(experiment(1, 2, 3), resume=True)
    names = sorted(path for point in run.results.points for path in point.artifacts)
    assert len(names) == 3
    for number, path in enumerate([*names, "plot/table"]):
        typed("cp", f"artifact:{run.name}/{path}", f"one-{number}", "--unpack")
        assert (tmp_path / f"one-{number}").read_text() == (path[4] if number < 3 else "a table")
    assert "4 artifacts" in typed("cp", f"artifact:{run.name}", "all")
    assert "4 artifacts" in typed("cp", "artifact:@latest", "latest")
    assert json.loads((tmp_path / "all" / "artifacts.json").read_text())["run"] == run.name
    assert len(run.download(tmp_path / "python")) == 4
    with pytest.raises(ResourceError, match="has no best point: its sweep is not a search"):
        run.best  # noqa: B018  asked for
    assert "1 artifact" in typed("cp", f"artifact:{run.name}-gather", "last")
    first = names[0].partition("/")[0]
    for name in (run.name, "@latest"):
        assert typed("logs", name, first, "--no-prefix") == f"fitted {first[4]}\n"
    assert "it has: fit-" in typed("cp", f"artifact:{run.name}/nothing", "x", status=2)
    header, *lines = typed("results", run.name, "-o", "csv").splitlines()
    assert "workflow" in header
    assert sum(f"{run.name}," in line for line in lines) == 1
    assert "has no task `nobody`" in typed("logs", run.name, "nobody", status=2)
