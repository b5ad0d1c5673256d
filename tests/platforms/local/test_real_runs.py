"""The controller with the real interpreter and the real process runtime."""

from __future__ import annotations

import json

import pytest
import toy_parts as toys

from hera_utils.platforms.local.platform import LocalPlatform


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    platform = LocalPlatform(tmp_path_factory.mktemp("real") / "state")
    yield platform
    platform.close()


def test_a_workflow_runs_to_its_end(platform):
    stored = platform.submit("default", toys.workflow("sh", "-c", "echo hello; echo $((6*7)) >&2"))
    assert json.loads(stored.text)["status"]["phase"] == "Running"
    last = toys.wait(platform, "default", stored.name)
    assert (last["status"]["phase"], last["status"]["progress"]) == ("Succeeded", "1/1")
    (pod,) = platform.pods("default", stored.name)
    assert json.loads(pod.text)["status"]["phase"] == "Succeeded"
    assert [line for _, line in platform.pod_log("default", pod.name, "main")] == ["hello", "42"]


def test_a_missing_claim_fails_the_run_with_its_name_and_fix(platform, monkeypatch):
    monkeypatch.setattr(platform._launcher, "_patience", 0.3)
    document = toys.workflow("true", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "absent"}}])
    document["spec"]["templates"][0]["container"]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    stored = platform.submit("default", document)
    last = toys.wait(platform, "default", stored.name)
    assert last["status"]["phase"] in ("Failed", "Error")
    (node,) = last["status"]["nodes"].values()
    assert 'persistentvolumeclaim "absent" not found' in node["message"]
    assert "create it" in node["message"]


def test_a_pod_waits_for_its_claim_and_starts_when_it_is_there(platform):
    template = {
        "name": "main",
        "container": {
            "image": "busybox",
            "command": ["sh", "-c", "echo kept > /data/file"],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        },
    }
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "late"}}]
    document = {
        "metadata": {"generateName": "late-"},
        "spec": {"entrypoint": "main", "templates": [template], "volumes": volumes},
    }
    stored = platform.submit("default", document)
    claim = {
        "metadata": {"name": "late"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    created = json.loads(platform.create("PersistentVolumeClaim", "default", claim).text)
    assert created["status"]["phase"] == "Bound"
    assert toys.wait(platform, "default", stored.name)["status"]["phase"] == "Succeeded"
    assert (platform.state / "claims/default/late/file").read_text() == "kept\n"
