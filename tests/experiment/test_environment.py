import pytest

from hera_utils.errors import LayoutError, SettingsError
from hera_utils.experiment.environment import ConfigMap, Environment, PersistedVolume, Secret
from hera_utils.experiment.experiment import Experiment
from hera_utils.experiment.inputs import Inputs
from hera_utils.experiment.layout import Layout

TOUR = Environment(
    persisted_volume=PersistedVolume("results", size="10Gi", mount_path="/results"),
    config_map="proxies",
    registry="registry.example.org/lab",
)


def test_attributes_of_the_first_version():
    assert TOUR.persisted_volume.mount_path == "/results"
    assert TOUR.persisted_volume.claim_name == "results"
    assert TOUR.cluster.configmap == TOUR.config_map == "proxies"
    assert TOUR.cluster.docker_registry == TOUR.registry == "registry.example.org/lab"
    assert Environment().cluster.configmap is None
    assert Environment(config_map=ConfigMap("proxies", {"A": "b"})).cluster.configmap == "proxies"


def test_settings_override_claim_config_map_and_registry():
    adapted = TOUR.adapted(claim_name="lab-results", config_map="lab-proxies", registry="other")
    assert (adapted.persisted_volume.claim_name, adapted.persisted_volume.mount_path) == ("lab-results", "/results")
    assert (adapted.cluster.configmap, adapted.registry) == ("lab-proxies", "other")
    assert TOUR.adapted() == TOUR
    assert Environment().adapted(claim_name="x").persisted_volume == PersistedVolume("x")
    data = Environment(config_map=ConfigMap("a", {"K": "v"})).adapted(config_map="b").config_maps
    assert data == (ConfigMap("b", {"K": "v"}),)


def test_a_claims_name_alone_is_taken():
    assert Environment(persisted_volume="results").persisted_volume == PersistedVolume("results")


@pytest.mark.parametrize(
    "make",
    [
        lambda: PersistedVolume("Results"),
        lambda: PersistedVolume("results", mount_path="results"),
        lambda: PersistedVolume("results", mount_path="/"),
        lambda: PersistedVolume("results", mount_path="/a/../.."),
        lambda: Environment(config_map="a b"),
        lambda: ConfigMap(""),
        lambda: Secret("x" * 300),
    ],
)
def test_illegal_names_and_paths_are_refused_where_they_are_written(make):
    with pytest.raises(LayoutError) as caught:
        make()
    assert caught.value.fix


def test_an_experiment_makes_its_layout_from_the_constants():
    experiment = Experiment(workflow=lambda environment, inputs, layout: None, inputs=Inputs(constants="c"))
    assert experiment.made_layout().constants == "c"
    made = Layout("mine")
    assert Experiment(workflow=len, layout=made).made_layout() is made
    with pytest.raises(SettingsError, match="not a function"):
        Experiment(workflow="workflow")


@pytest.mark.parametrize("field", ["name", "license", "layout"])
def test_a_number_is_no_part_of_an_experiment(field):
    with pytest.raises(SettingsError, match=f"the experiment's {field} is 3"):
        Experiment(workflow=len, **{field: 3})


def test_a_function_of_other_arguments_is_refused():
    def define(inputs): ...

    with pytest.raises(SettingsError, match=r"define\(inputs\) cannot take") as error:
        Experiment(workflow=define)
    assert error.value.fix == "define it as define(environment, inputs, layout)"
    Experiment(workflow=lambda *parts: None, gather=lambda environment, inputs, layout, extra=1: None)


def test_a_sweep_alone_is_inputs():
    from hera_utils import grid

    for given in (grid(x=[1, 2]), {"x": [1, 2]}):
        experiment = Experiment(workflow=len, inputs=given)
        assert [point.arguments for point in experiment.inputs.points] == [{"x": 1}, {"x": 2}]
        assert experiment.inputs.constants is None
    with pytest.raises(SettingsError, match="inputs are a list"):
        Experiment(workflow=len, inputs=[1, 2])
    with pytest.raises(SettingsError, match="environment is of the type str"):
        Experiment(workflow=len, environment="lab")
