"""From nothing to a run on a real API server: what the experiment describes is made, then it runs; nothing secret is told."""

import os
import subprocess
import sys

import pytest

PASSWORD = "planted-password-77e1"
EXPERIMENT = """
from hera.workflows import DAG, Container, SecretEnv, Task, Workflow
from hera.workflows.models import PersistentVolumeClaimVolumeSource, Volume, VolumeMount
from hera_utils import (ConfigMap, Environment, ExecutionEngine, Experiment, Inputs, PersistedVolume, Secret, ServiceAccount,
                        grid)

environment = Environment(
    persisted_volume=PersistedVolume("results", size="1Gi", mount_path="/results", storage_class=""),
    config_map=ConfigMap("proxies", {"HTTP_PROXY": "http://proxy:3128"}),
    secrets=(Secret("database", {"password": "DB_PASSWORD"}),),
    service_account=ServiceAccount("collector"),
)

def define(environment, inputs, layout):
    claim = PersistentVolumeClaimVolumeSource(claim_name=environment.persisted_volume.claim_name)
    with Workflow(generate_name="provisioned-", entrypoint="dag", volumes=[Volume(name="v", persistent_volume_claim=claim)]) as w:
        one = Container(name="one", image="busybox", command=["sh", "-c"], args=['test -n "$P" && echo done > /results/file'],
                        env=[SecretEnv(name="P", secret_name="database", secret_key="password")],
                        volume_mounts=[VolumeMount(name="v", mount_path="/results")])
        with DAG(name="dag"):
            for point in inputs.points:
                Task(name=point.name, template=one)
    return w

experiment = Experiment(workflow=define, inputs=Inputs(parameters=grid(vintages=[2009, 2012])), environment=environment)
if __name__ == "__main__":
    ExecutionEngine.from_command_line().run(experiment)
"""


@pytest.fixture
def volume(place):
    """A volume that waits for the claim that the experiment will make."""
    folder = place.bed.folder / "volumes" / place.name / "results"
    folder.mkdir(parents=True)
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "claimRef": {"namespace": place.name, "name": "results"},
        "hostPath": {"path": str(folder)},
    }
    place.bed.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"{place.name}-results"}, "spec": spec}
    )
    return folder


def test_from_nothing_to_a_run(place, volume, tmp_path):
    (tmp_path / "experiment.py").write_text(EXPERIMENT)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ARGO", "KUBE", "HERA"))}
    environ |= {
        "HOME": str(tmp_path),
        "HERA_UTILS_STATE": str(tmp_path / "state"),
        "DB_PASSWORD": PASSWORD,
        "ARGO_SERVER": place.bed.argo_server,
        "ARGO_NAMESPACE": place.name,
        "ARGO_TOKEN": place.token("owner"),
        "KUBECONFIG": str(place.kubeconfig("owner")),
    }

    def script(*flags, status=0):
        command = [sys.executable, "experiment.py", f"--ca_file={place.bed.authority}", *flags]
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=200
        )
        assert done.returncode == status, done.stdout + done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        assert environ["ARGO_TOKEN"] not in done.stdout + done.stderr
        return done.stdout + done.stderr

    lacking = script(status=2)
    for what in ('claim "results"', 'config map "proxies"', 'secret "database"', 'service account "collector"'):
        assert f"✘ {what} does not exist" in lacking
    assert lacking.count("add --provision, or: ") == 4
    assert "+ claim results  will be created" in script("--provision", "--dry_run")
    assert "✔" in script("--provision")
    assert (volume / "file").read_text() == "done\n"
    assert "0 made, 0 changed" not in script("--doctor")
    again = script("--provision", "--dry_run")
    assert all(line.startswith("=") for line in again.splitlines() if line[:1] in "+~=✘")
