"""The seed's diagram as objects: what the engine holds, what it depends on, and what each shows of itself."""

import pytest

import hera_utils
from hera_utils import (
    EnvironmentOfSubmission,
    ExecutionEngine,
    ExecutionPlatform,
    Experiment,
    Inputs,
    PersistedVolume,
    grid,
)
from hera_utils.errors import AccessError, SettingsError
from hera_utils.platforms.connection import Connection
from hera_utils.results.results import Results
from hera_utils.settings.sources import Surroundings, read_settings

TOKEN = "planted-token-of-a-user-5f21"


def define(environment, inputs, layout):
    from hera.workflows import Container, Workflow

    with Workflow(generate_name="held-", entrypoint="one") as w:
        Container(name="one", image="alpine:3", command=["true"])
    return w


@pytest.fixture
def experiment():
    return Experiment(
        workflow=define,
        inputs=Inputs(parameters=grid(a=[1])),
        environment=hera_utils.Environment(persisted_volume=PersistedVolume("results")),
    )


@pytest.fixture
def remote(tmp_path):
    flags = {"argo_server": "https://argo.example", "argo_token": TOKEN, "argo_namespace": "lab"}
    return read_settings(flags, around=Surroundings({}, tmp_path, tmp_path))


def test_an_engine_holds_what_the_diagram_draws(local_platform, experiment):
    engine = ExecutionEngine(local_platform.context, experiment)
    assert engine.context is local_platform.context
    assert engine.experiment is experiment
    assert engine.environment.persisted_volume.claim_name == "results"
    assert isinstance(engine.environment_of_submission, EnvironmentOfSubmission)
    assert engine.environment_of_submission.host == local_platform.connection.argo_server
    assert isinstance(engine.platform, ExecutionPlatform)
    assert engine.platform.local
    assert engine.plan().points == 1
    run = engine.run()
    assert run.succeeded
    assert repr(run.results) == f"Results({run.results.name}: 1 task)"


def test_the_experiment_of_a_call_is_held_from_then_on(local_platform, experiment):
    engine = ExecutionEngine(local_platform.context)
    with pytest.raises(SettingsError, match="the engine has no experiment") as caught:
        engine.run()
    assert "ExecutionEngine(context, experiment)" in caught.value.fix
    with pytest.raises(SettingsError, match="the engine has no experiment"):
        _ = engine.environment
    engine.plan(experiment)
    assert engine.experiment is experiment
    assert engine.environment.cluster.configmap is None


def test_a_platform_says_which_it_is(local_platform, remote):
    here, there = ExecutionPlatform(local_platform.context), ExecutionPlatform(remote)
    namespace = local_platform.connection.namespace
    assert repr(here) == f"ExecutionPlatform(local: this machine, namespace {namespace})"
    assert repr(there) == "ExecutionPlatform(remote: https://argo.example, namespace lab)"
    assert repr(ExecutionEngine(remote)) == f"ExecutionEngine({there!r})"
    here.check()
    assert repr(here.cluster) == f"Cluster(this machine, namespace {namespace})"
    assert repr(here.argo_server) == f"ArgoServer({here.connection.argo_server}, namespace {namespace})"
    assert here.argo_server.version() == "v4.1.2"
    assert here.cluster.exists("Namespace", namespace)


def test_a_platform_that_is_not_there(tmp_path):
    context = read_settings({"argo_server": "http://127.0.0.1:9"}, around=Surroundings({}, tmp_path, tmp_path))
    with pytest.raises(AccessError):
        ExecutionPlatform(context).check()


def test_what_hera_is_told_is_shown_without_the_token(remote):
    environment = ExecutionPlatform(remote).environment_of_submission
    assert (environment.host, environment.namespace, environment.service_account) == (
        "https://argo.example",
        "lab",
        None,
    )
    assert environment.token_source == "found"
    assert environment.verify_tls is True
    for shown in (str(environment), repr(environment), repr(ExecutionPlatform(remote)), repr(ExecutionEngine(remote))):
        assert TOKEN not in shown
    assert str(environment).splitlines() == [
        "host = https://argo.example",
        "namespace = lab",
        "service account = <none>",
        "token = <found>",
        "certificate = checked",
    ]


@pytest.mark.parametrize(
    ("connection", "source"),
    [
        (Connection("http://x"), "none"),
        (Connection("http://x", token="t"), "found"),
        (Connection("http://x", fresh_token=lambda: "t"), "renewed when it expires"),
    ],
)
def test_where_the_token_is_from(connection, source):
    assert EnvironmentOfSubmission(connection).token_source == source


def test_it_binds_hera_until_the_end_of_the_block():
    from hera.shared import global_config

    before = (global_config.host, global_config.namespace)
    environment = EnvironmentOfSubmission(Connection("http://127.0.0.1:9", namespace="lab"))
    with environment, environment:  # nested, so each restores the state that it found
        assert global_config.namespace == "lab"
    assert (global_config.host, global_config.namespace) == before
    with pytest.raises(ValueError, match="x"), environment:
        raise ValueError("x")
    assert (global_config.host, global_config.namespace) == before
    binding = environment.bind()
    assert global_config.namespace == "lab"
    binding.restore()
    assert (global_config.host, global_config.namespace) == before


def test_results_of_nothing():
    assert repr(Results(())) == "Results(of no run: 0 tasks)"
