"""`provision` and `release` as they are typed, on this machine: the same code as for a cluster."""

import json

import pytest

from hera_utils.cli.main import run_command_line

EXPERIMENT = """
from hera.workflows import Container, Workflow
from hera_utils import ConfigMap, Environment, ExecutionEngine, Experiment, PersistedVolume, Secret, ServiceAccount

environment = Environment(
    persisted_volume=PersistedVolume("results", mount_path="/results"),
    config_map=ConfigMap("proxies", {"HTTP_PROXY": "http://proxy:3128"}),
    secrets=(Secret("database", {"password": "DB_PASSWORD"}),),
    service_account=ServiceAccount("collector"),
)

def define(environment, inputs, layout):
    with Workflow(generate_name="p-", entrypoint="m") as w:
        Container(name="m", image="alpine", command=["true"])
    return w

experiment = Experiment(workflow=define, environment=environment)
if __name__ == "__main__":
    ExecutionEngine.from_command_line().run(experiment)
"""


@pytest.fixture
def typed(local_platform, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DB_PASSWORD", "planted-password-0b")
    monkeypatch.setenv("HERA_UTILS_STATE", str(local_platform.context.state))
    monkeypatch.setenv("ARGO_NAMESPACE", local_platform.connection.namespace)
    (tmp_path / "experiment.py").write_text(EXPERIMENT)

    def type_it(*words, status=0):
        capsys.readouterr()
        found = run_command_line(list(words))
        said = capsys.readouterr()
        assert found == status, said.out + said.err
        assert "Traceback" not in said.err
        assert "planted" not in said.out + said.err
        return said.out + said.err

    return type_it


def test_difference_provision_twice_and_release(typed, local_platform):
    dry = typed("provision", "experiment.py", "--dry-run")
    assert "+ claim results  will be created" in dry
    assert "    + data.password: (not shown)" in dry
    assert not local_platform.cluster.exists("ConfigMap", "proxies")
    made = typed("provision", "experiment.py")
    assert "+ role binding collector-executor  created" in made
    assert f"it is the folder {local_platform.context.state}/claims/" in made
    assert "0 created, 0 changed, 6 unchanged" in typed("provision", "experiment.py")
    said = json.loads(typed("provision", "experiment.py", "-o", "json"))
    assert {one["action"] for one in said["changes"]} == {"same"}
    assert "claim results  kept: it holds data" in typed("release", "experiment.py", "--dry-run")
    assert local_platform.cluster.exists("ConfigMap", "proxies")
    assert "- config map proxies  removed" in typed("release", "experiment.py")
    assert local_platform.cluster.exists("PersistentVolumeClaim", "results")
    assert "- claim results  removed: its folder is set aside" in typed("release", "experiment.py", "--with-data")
    assert not local_platform.cluster.exists("PersistentVolumeClaim", "results")


def test_what_stands_in_the_way(typed, monkeypatch, local_platform):
    monkeypatch.delenv("DB_PASSWORD")
    said = typed("provision", "experiment.py", "--dry-run", status=1)
    assert "✘ secret database  cannot be created: takes its values from variables that are not set: DB_PASSWORD" in said
    assert "fix: export DB_PASSWORD=" in typed("provision", "experiment.py", status=2)
    assert not local_platform.cluster.exists("ConfigMap", "proxies"), "nothing is made by half"


def test_a_script_without_an_experiment(typed, tmp_path):
    (tmp_path / "plain.py").write_text("x = 1\n")
    assert "describes no experiment" in typed("provision", "plain.py", status=2)
    assert "cannot be read" in typed("release", "absent.py", status=2)
