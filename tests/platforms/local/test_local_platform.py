"""The local platform through its own door: runs, objects, restarts."""

from __future__ import annotations

import json

import pytest
import toy_parts as toys

from hera_utils.errors import Refused
from hera_utils.platforms.local.platform import LocalPlatform


@pytest.fixture
def platform(tmp_path):
    platform = LocalPlatform(tmp_path / "state", advance=toys.advance, runtime=toys.ToyRuntime)
    yield platform
    platform.close()


def test_a_workflow_is_submitted_runs_and_succeeds(platform):
    stored = platform.submit("default", toys.workflow("echo", "hello"))
    first = json.loads(stored.text)
    assert first["status"]["phase"] == "Running"
    assert first["metadata"]["name"].startswith("toy-")
    assert set(first) == {"metadata", "spec", "status"}
    last = toys.wait(platform, "default", stored.name)
    assert last["status"]["phase"] == "Succeeded"
    assert [node["phase"] for node in last["status"]["nodes"].values()] == ["Succeeded"]
    (pod,) = platform.pods("default", stored.name)
    status = json.loads(pod.text)["status"]
    assert (status["phase"], status["containerStatuses"][0]["state"]["terminated"]["exitCode"]) == ("Succeeded", 0)
    assert list(platform.pod_log("default", pod.name, "main")) == [(0.0, "hello")]


def test_a_failed_command_fails_the_run(platform):
    stored = platform.submit("default", toys.workflow("sh", "-c", "exit 3"))
    last = toys.wait(platform, "default", stored.name)
    assert last["status"]["phase"] == "Failed"
    assert int(last["metadata"]["resourceVersion"]) > stored.resource_version


def test_after_a_restart_everything_is_there(tmp_path):
    state = tmp_path / "state"
    first = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)
    done = first.submit("default", toys.workflow("true"))
    before = toys.wait(first, "default", done.name)
    going = first.submit("default", toys.workflow("sh", "-c", "sleep 0.5", count=3))
    first.close()
    second = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)
    try:
        assert json.loads(second.get("Workflow", "default", done.name).text) == before
        after = toys.wait(second, "default", going.name)
        assert after["status"]["phase"] == "Succeeded"
        assert len(list((state / "pods").iterdir())) == 4  # nothing was launched twice
    finally:
        second.close()


def test_an_unknown_namespace_or_name_is_not_found(platform):
    with pytest.raises(Refused, match='namespaces "nowhere" not found') as refused:
        platform.submit("nowhere", toys.workflow("true"))
    assert (refused.value.code, refused.value.reason) == (5, "NotFound")
    with pytest.raises(Refused, match='workflows.argoproj.io "nothing" not found'):
        platform.get("Workflow", "default", "nothing")
