"""`--timeout`: whoever waits stops waiting, the run goes on, and the last line says how to come back."""

import pytest

from hera_utils.errors import SettingsError, WaitTimeout
from hera_utils.execution.execution_engine import ExecutionEngine
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.inputs import Inputs
from hera_utils.experiment.sweeps import grid

SLOW = """
from hera.workflows import Container, Workflow
with Workflow(generate_name="slow-", entrypoint="c") as w:
    Container(name="c", image="alpine:3", command=["sh", "-c"], args=["echo begun; sleep 300"])
"""
WAITS = SLOW + "\nw.create(wait=True, poll_interval=1)\n"


@pytest.fixture
def slow(user):
    user.file("slow.py", SLOW)
    name = next(line for line in user.type("run", "slow.py", "--detach").splitlines() if line.startswith("slow-"))
    yield name
    user.type("terminate", name)


@pytest.mark.parametrize("words", [("watch",), ("logs", "--follow"), ("resume", "--watch")], ids=" ".join)
def test_every_wait_has_a_limit(user, slow, words):
    verb, *flags = words
    last = user.type(verb, slow, *flags, "--timeout", "1s", status=124).strip().splitlines()[-1]
    assert last.startswith("hera-utils: the limit of 1s is reached: the run continues; come back with: ")
    assert f"hera-utils {'logs' if verb == 'logs' else 'watch'} {slow}" in last
    assert "Running" in user.type("get", slow)


@pytest.mark.parametrize("text", [SLOW, WAITS], ids=["we wait", "the script waits"])
def test_a_script_whose_run_takes_longer(user, text):
    user.file("script.py", text)
    last = user.type("run", "script.py", "--timeout", "2s", status=124).strip().splitlines()[-1]
    assert "the run continues; come back with: hera-utils watch slow-" in last
    user.type("terminate", "@latest")


@pytest.mark.parametrize("time", ["0", "-3", "soon", "1x"])
def test_invalid_timeouts(user, time):
    assert "is not a duration" in user.type("watch", "@latest", "--timeout", time, status=2)


@pytest.mark.parametrize("words", [("logs", "x"), ("stop", "x"), ("run", "x.py", "--detach")], ids=" ".join)
def test_timeout_without_a_wait(user, words):
    assert "the command does not wait" in user.type(*words, "--timeout", "5s", status=2)


def experiment():
    def define(environment, inputs, layout):
        from hera.workflows import DAG, Container, Parameter, Task, Workflow

        with Workflow(generate_name="late-", entrypoint="dag") as w:
            wait = Container(
                name="wait",
                image="alpine:3",
                command=["sh", "-c"],
                inputs=[Parameter(name="n")],
                args=["sleep 3; echo {{inputs.parameters.n}}"],
            )
            with DAG(name="dag"):
                Task(name="wait", template=wait, arguments={"n": "{{item}}"}, with_items=inputs.parameters.n)
        return w

    return Experiment(workflow=define, inputs=Inputs(parameters=grid(n=[1, 2])))


def test_an_engine_leaves_its_run_and_takes_it_up_again(local_platform):
    engine = ExecutionEngine(local_platform.context, experiment())
    with pytest.raises(WaitTimeout, match="the run continues; come back with: ") as late:
        engine.run(timeout=0.5)
    (name,) = [one["metadata"]["name"] for one in local_platform.client.list(fields="metadata.name")]
    assert name in str(late.value)
    run = engine.follow(timeout="5m")
    assert (run.name, run.phase, run.undone) == (name, "Succeeded", 0)
    assert len(local_platform.client.list(fields="metadata.name")) == 1


def test_an_engine_refuses_nonsense_before_it_sends(local_platform):
    with pytest.raises(SettingsError, match="is not a duration"):
        ExecutionEngine(local_platform.context).run(experiment(), timeout="soon")
    assert local_platform.client.list() == []


def test_the_fixture_waits_no_longer_than_it_is_told(local_platform):
    from hera.workflows import Container, Workflow

    with Workflow(generate_name="slow-", entrypoint="c") as workflow:
        Container(name="c", image="alpine:3", command=["sh", "-c"], args=["sleep 300"])
    for what in (workflow, experiment()):
        with pytest.raises(WaitTimeout, match="continues"):
            local_platform.run(what, timeout=0.5)
