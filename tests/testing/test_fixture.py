"""The fixture for people's own tests: what it runs, what it gives, what tests do not share."""

import pytest
from hera.workflows import DAG, Container, ExistingVolume, Script, Workflow, script

from hera_utils import Environment, Experiment, Inputs, PersistedVolume, grid
from hera_utils.errors import InvalidWorkflow, Refused


@script(image="python:3.11")
def double(n: int):
    print(2 * n)


@script(image="python:3.11")
def total(numbers: list):
    with open("/tmp/total", "w") as file:
        file.write(str(sum(int(n) for n in numbers)))


def sweep(environment, inputs, layout):
    from hera.workflows import Parameter
    from hera.workflows.models import ValueFrom

    with Workflow(generate_name="sweep-", entrypoint="dag") as w, DAG(name="dag"):
        doubled = double(name="double", arguments={"n": "{{item}}"}, with_items=inputs.parameters.numbers)
        gathered = total(name="total", arguments={"numbers": doubled.result})
        doubled >> gathered
    for template in w.templates:
        if template.name == "total":
            template.outputs = [Parameter(name="total", value_from=ValueFrom(path="/tmp/total"))]
    return w


def test_an_experiment(local_platform):
    run = local_platform.run(Experiment(workflow=sweep, inputs=Inputs(parameters=grid(numbers=[1, 2, 3]))))
    assert run.succeeded
    assert run["total"].outputs["total"] == "12"
    assert sorted(task.outputs["result"] for task in run.tasks("double")) == ["2", "4", "6"]


def test_a_workflow_that_fails(local_platform, capsys):
    """Nothing said why, and with the test session its log was gone."""
    with Workflow(generate_name="fails-", entrypoint="c") as w:
        Container(name="c", image="busybox", command=["sh", "-c", "echo why; exit 3"])
    run = local_platform.run(w)
    assert (run.succeeded, run.phase) == (False, "Failed")
    assert run.outcome.failures[0].exit_code == 3
    assert capsys.readouterr().out.splitlines() == [f"✘ {run.name}: main: Error (exit code 3): why", "    why"]
    assert local_platform.logs(run) == ["why"]


def test_a_document(local_platform):
    template = {"name": "a", "container": {"image": "busybox", "command": ["true"]}}
    assert local_platform.run(
        {"metadata": {"name": "plain"}, "spec": {"entrypoint": "a", "templates": [template]}}
    ).succeeded


def test_a_workflow_that_is_wrong(local_platform):
    with pytest.raises((InvalidWorkflow, Refused), match="nope"):
        local_platform.run({"metadata": {"name": "wrong"}, "spec": {"entrypoint": "nope", "templates": []}})


def touch():
    with open("/data/seen", "x") as file:
        file.write("once")


@pytest.mark.parametrize("time", ["first", "second"])
def test_tests_share_no_claims(local_platform, time):
    def define(environment, inputs, layout):
        volume = ExistingVolume(name="data", claim_name="data", mount_path="/data")
        with Workflow(generate_name="touch-", entrypoint="touch") as w:
            Script(name="touch", image="python:3.11", source=touch, volumes=[volume])
        return w

    environment = Environment(persisted_volume=PersistedVolume("data", mount_path="/data"))
    run = local_platform.run(Experiment(workflow=define, environment=environment))
    assert run.succeeded, run.outcome
    assert (local_platform.claim("data") / "seen").read_text() == "once"
    assert [one["metadata"]["name"] for one in local_platform.client.list()] == [run.name]
