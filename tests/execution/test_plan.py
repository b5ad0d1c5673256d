"""What a run will be, before anything is sent."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hera.workflows import Container, Script, Workflow

from hera_utils.errors import SettingsError, UnsupportedError
from hera_utils.execution.batches import estimate_size, limits_of
from hera_utils.execution.decisions import Decisions
from hera_utils.execution.definition import Definition, document_of, environment_of
from hera_utils.execution.plan import Plan, refuse_too_large
from hera_utils.execution.run_facts import name_of_experiment, platform_of, run_facts
from hera_utils.experiment.environment import Environment, PersistedVolume
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.inputs import Inputs, grid
from hera_utils.experiment.layout import Layout
from hera_utils.preflight import task_counts
from hera_utils.settings.sources import Surroundings, read_settings


@pytest.fixture
def context(tmp_path):
    def made(given=None, **flags):
        around = Surroundings(environ={}, directory=tmp_path, home=tmp_path)
        return read_settings(flags, program=given, around=around)

    return made


def define(environment, inputs, layout):
    with Workflow(generate_name="w-", entrypoint="main") as w:
        Container(name="main", image=f"{environment.registry}/tool", command=[layout.name("a", inputs.constants.city)])
    return w


EXPERIMENT = Experiment(
    workflow=define,
    inputs=Inputs(constants=SimpleNamespace(city="Lyon"), parameters=grid(vintages=[1, 2, 3], boroughs=["a", "b"])),
    layout=Layout,
    environment=Environment(persisted_volume=PersistedVolume("results", mount_path="/r"), registry="mine"),
)


def plan(experiment, context):
    definition = Definition(experiment, context)
    return Plan(definition, estimate_size(definition, limits_of(context)))


def test_the_plan_for_machines(context):
    said = json.loads(json.dumps(plan(EXPERIMENT, context()).as_json()))
    assert (said["points"], said["axes"], said["gather"]) == (6, {"vintages": 3, "boroughs": 2}, False)
    assert said["pods"] == {"count": 1, "exact": True}
    assert said["workflows"]["count"] == 1
    assert said["unit"], "no task of it is a point's"
    assert (said["done"], said["running"]) == (None, None)
    first = said["run"][0]
    assert (first["values"], first["why"]) == ({"vintages": 1, "boroughs": "a"}, None)
    assert len({one["id"] for one in said["run"]}) == 6


def test_the_plan_says_points_and_size(context):
    planned = plan(EXPERIMENT, context())
    assert (planned.points, planned.axes) == (6, {"vintages": 3, "boroughs": 2})
    line = planned.lines()[0]
    assert line.startswith("6 points (3 vintages × 2 boroughs) → 1 pod, 1 workflow of ")
    container = planned.document["spec"]["templates"][0]["container"]
    assert (container["image"], container["command"]) == ("mine/tool", ["a-lyon"])


def test_plan_counts_points_of_a_running_run(context):
    planned = plan(EXPERIMENT, context())
    for decisions, said in (
        (Decisions({}, in_flight={"a": {}, "b": {}}), "2 are in a run that goes on"),
        (
            Decisions({}, done={"c": "earlier"}, in_flight={"a": {}}),
            "1 point is done already, 1 is in a run that goes on",
        ),
        (Decisions({}), "no point is done already"),
    ):
        assert replace(planned, decisions=decisions).lines()[-1] == said


def test_the_plan_says_what_happens_to_each_image(context):
    images = {"python:3.11": "Python 3.11.7", "lab/solver:3": "the image itself (sha256:0123)"}
    planned = replace(plan(EXPERIMENT, context()), images=images)
    assert planned.as_json()["images"] == images
    assert planned.image_lines() == ["  python:3.11   Python 3.11.7", "  lab/solver:3  the image itself (sha256:0123)"]
    assert plan(EXPERIMENT, context()).image_lines() == []


def test_a_flag_wins_over_what_the_author_wrote_and_the_script_does_not(context):
    settings = context(k8s_volume_claim_name="lab", registry="flagged", given={"k8s_configmap_name": "weak"})
    environment = environment_of(EXPERIMENT, settings)
    assert environment.persisted_volume == PersistedVolume("lab", mount_path="/r")
    assert (environment.registry, environment.config_map) == ("flagged", None)


def test_an_environment_may_be_a_function_of_the_arguments(context):
    experiment = Experiment(workflow=define, environment=lambda args: Environment(registry=args.argo_namespace))
    assert environment_of(experiment, context()).registry == "default"
    with pytest.raises(SettingsError, match="is of the type dict"):
        environment_of(Experiment(workflow=define, environment=lambda args: {}), context())


@pytest.mark.parametrize(("given", "said"), [(None, "returned nothing"), ("w", "returned a str")])
def test_a_function_that_forgets_to_return(given, said):
    with pytest.raises(SettingsError, match=said) as caught:
        document_of(given)
    assert "return w" in caught.value.fix


def test_what_hera_refuses_when_it_builds_is_a_sentence():
    def refused(depth: int | None):
        print(depth)

    with Workflow(name="w", entrypoint="refused") as workflow:
        Script(name="refused", image="python:3.11", source=refused)
    with pytest.raises(SettingsError, match="Hera refuses the workflow when it is built: Optional parameter 'depth'"):
        document_of(workflow)


def test_a_mistake_of_the_scripts_stays_what_it_is():
    class Mine:
        def to_dict(self):
            raise ValueError("mine")

    with pytest.raises(ValueError, match="^mine$"):
        document_of(Mine())


def test_a_document_is_a_workflow_too():
    assert document_of({"kind": "Workflow"}) == {"kind": "Workflow"}


def test_what_no_cluster_takes():
    with pytest.raises(UnsupportedError, match="1024") as caught:
        refuse_too_large({"spec": {"templates": ["x" * 2**21]}})
    assert "with_items" in caught.value.fix


@pytest.mark.parametrize(
    ("tasks", "count"),
    [
        ([{"template": "leaf"}], (1, True)),
        ([{"template": "leaf", "withItems": [1, 2, 3]}, {"template": "leaf"}], (4, True)),
        ([{"template": "steps", "withSequence": {"count": "5"}}], (10, True)),
        ([{"template": "leaf", "withParam": "{{tasks.a.outputs.result}}"}], (1, False)),
        ([{"template": "leaf", "withItems": []}], (0, True)),
        ([{"template": "main"}], (1, False)),
        ([{"templateRef": {"name": "t"}}], (1, False)),
        ([{"inline": {"container": {}}}], (1, True)),
        ([{"template": "wait"}], (0, True)),
    ],
)
def test_how_many_tasks(tasks, count):
    templates = [
        {"name": "main", "dag": {"tasks": [{"name": f"t{number}", **task} for number, task in enumerate(tasks)]}},
        {"name": "steps", "steps": [[{"template": "leaf"}], [{"template": "leaf"}]]},
        {"name": "leaf", "container": {}},
        {"name": "wait", "suspend": {}},
    ]
    assert task_counts.count_tasks({"entrypoint": "main", "templates": templates}) == task_counts.Width(*count)


def test_clusters_that_a_kubeconfig_leads_to_are_told_apart(context, tmp_path):
    """Without a named Argo server, points that one cluster has computed are not done on another."""
    clusters = [{"name": name, "cluster": {"server": f"https://{name}:6443/"}} for name in ("one", "other")]
    contexts = [{"name": name, "context": {"cluster": name}} for name in ("one", "other")]
    config = {"clusters": clusters, "contexts": contexts, "current-context": "one"}
    (tmp_path / "config").write_text(json.dumps(config))
    file = str(tmp_path / "config")
    found = [
        platform_of(context(platform="remote", k8s_config_file=file, k8s_context=name))
        for name in (None, "one", "other")
    ]
    assert found == ["https://one:6443", "https://one:6443", "https://other:6443"]
    assert platform_of(context(platform="remote", argo_server="https://argo:2746")) == "https://argo:2746"


def test_a_record_holds_no_secret_constant(context):
    constants = SimpleNamespace(city="Lyon", token="word", api_token="none")
    one = Experiment(workflow=define, inputs=Inputs(constants=constants, parameters=grid(n=[1])))
    told = run_facts(one, "key", context(), "default")["inputs"]
    assert told["constants"] == {"city": "Lyon", "token": "word", "api_token": "none"}
    assert told["parameters"] == {"n": [1]}
    constants.api_token = "gh9_xK2mQ7vB4nT1zR8w"
    with pytest.raises(SettingsError, match="`api_token` is a secret"):
        run_facts(one, "key", context(), "default")


def test_an_experiment_without_a_name_is_called_after_what_tells_it_from_others():
    assert name_of_experiment("heat.py:solve", in_script=True) == "solve"
    assert name_of_experiment("heat.py:define", in_script=True) == "heat"
    # The file of a notebook's cell has a number as its name.
    assert name_of_experiment("456.py:define", in_script=False) == "define"
    assert name_of_experiment("heat", in_script=True) == "heat"


def test_many_points_with_one_reason_are_counted(context):
    """20,000 points printed 20,000 equal lines."""
    inputs = replace(EXPERIMENT.inputs, parameters=grid(n=range(40)))
    made = plan(replace(EXPERIMENT, inputs=inputs), context())
    why = {point.id: "new" if number < 3 else "code of f changed" for number, point in enumerate(made.points_to_run())}
    lines = replace(made, decisions=Decisions(why)).lines(explain=True)
    assert [line.partition(": ")[2] for line in lines[-9:-1]] == ["new"] * 3 + ["code of f changed"] * 5
    assert lines[-1] == "  and 32 more: code of f changed"
