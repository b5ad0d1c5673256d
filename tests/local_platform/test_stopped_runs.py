"""Stop, terminate and the workflow's deadline on the real platform: the results of the ended pods are there when the run has ended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import toy_parts as toys

from hera_utils.interpreter.events import RetryRequested, ShutdownRequested
from hera_utils.local_platform.platform import LocalPlatform
from waiting import until

WRITES = "echo data > /tmp/out; echo v > /tmp/value; "
ARTIFACT = {"name": "out", "path": "/tmp/out", "globalName": "everybody", "archive": {"none": {}}}
VALUE = {"name": "value", "valueFrom": {"path": "/tmp/value"}}


def _document(command: str, **spec) -> dict:
    document = toys.workflow("sh", "-c", WRITES + command, **spec)
    document["spec"]["templates"][0]["outputs"] = {"artifacts": [ARTIFACT], "parameters": [VALUE]}
    return document


def _at_work(platform: LocalPlatform, document: dict) -> str:
    """Submit the workflow, and wait until its command has written everything. Returns its name."""
    name = platform.submit("default", document).name
    until(lambda: any("written" in line for line in _log(platform, name)))
    return name


def _log(platform: LocalPlatform, name: str) -> list[str]:
    pods = platform.pods("default", name)
    if not pods or json.loads(pods[-1].text)["status"]["phase"] != "Running":
        return []
    return [line for _, line in platform.pod_log("default", pods[-1].name, "main")]


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    platform = LocalPlatform(tmp_path_factory.mktemp("stopped") / "state")
    yield platform
    platform.close()


@pytest.mark.parametrize("strategy", ["Stop", "Terminate"])
@pytest.mark.parametrize(
    ("command", "code"),
    [("echo written; sleep 600", "143"), ("trap 'exit 3' TERM; echo written; sleep 600 & wait", "3")],
)
def test_what_a_stopped_pod_gave_is_there_when_the_run_is_over(platform, strategy, command, code):
    name = _at_work(platform, _document(command))
    platform.act("default", name, ShutdownRequested(0.0, strategy=strategy))
    last = toys.wait(platform, "default", name)
    (node,) = last["status"]["nodes"].values()
    assert (node["phase"], node["message"]) == ("Failed", f"main: Error (exit code {code})")
    assert node["outputs"]["exitCode"] == code
    assert node["outputs"]["parameters"][0]["value"] == "v"
    assert last["status"]["message"] == f"Stopped with strategy '{strategy}'"
    assert [one["name"] for one in last["status"]["outputs"]["artifacts"]] == ["everybody"]
    assert Path(platform.artifact("default", name, node["id"], "out")).read_text() == "data\n"


def test_a_program_that_ends_well_when_it_is_told_to_end_has_succeeded(platform):
    name = _at_work(platform, _document("trap 'exit 0' TERM; echo written; sleep 600 & wait"))
    platform.act("default", name, ShutdownRequested(0.0))
    last = toys.wait(platform, "default", name)
    (node,) = last["status"]["nodes"].values()
    assert (node["phase"], node["outputs"]["exitCode"], last["status"]["phase"]) == ("Succeeded", "0", "Succeeded")
    assert node["outputs"]["parameters"][0]["value"] == "v"


def test_artifacts_of_a_stopped_pod_are_collected_with_the_others(platform):
    """They are collected when the workflow has ended, thus after its pods wrote them."""
    document = _document("echo written; sleep 600", artifactGC={"strategy": "OnWorkflowCompletion"})
    artifact = {**ARTIFACT, "s3": {"key": "stopped/out"}}
    document["spec"]["templates"][0]["outputs"] = {"artifacts": [artifact]}
    name = _at_work(platform, document)
    platform.act("default", name, ShutdownRequested(0.0))
    (node,) = toys.wait(platform, "default", name)["status"]["nodes"].values()
    assert node["outputs"]["artifacts"][0]["deleted"]
    path = platform.state / "artifacts/default/stopped/out"
    until(lambda: not path.exists())


def test_at_the_deadline_of_the_workflow_outputs_count(platform):
    name = _at_work(platform, _document("echo written; sleep 600", activeDeadlineSeconds=2))
    last = toys.wait(platform, "default", name)
    (node,) = last["status"]["nodes"].values()
    assert [one["name"] for one in last["status"]["outputs"]["artifacts"]] == ["everybody"]
    assert node["outputs"]["parameters"][0]["value"] == "v"


def test_a_stopped_run_is_retried_when_its_pod_is_over(platform):
    """The new pod of a node gets nothing of the old pod's end."""
    name = _at_work(platform, _document("trap 'sleep 0.5; exit 3' TERM; echo written; sleep 600 & wait"))
    platform.act("default", name, ShutdownRequested(0.0))
    toys.wait(platform, "default", name)
    platform.act("default", name, RetryRequested(0.0))
    until(lambda: "written" in _log(platform, name))
    document = json.loads(platform.get("Workflow", "default", name).text)
    assert document["status"]["phase"] == "Running"
    platform.act("default", name, ShutdownRequested(0.0))
    (node,) = toys.wait(platform, "default", name)["status"]["nodes"].values()
    assert node["outputs"]["exitCode"] == "3"


@pytest.mark.parametrize("killed", [True, False])
def test_the_next_server_hears_the_end_of_a_stopped_pod(tmp_path, monkeypatch, killed):
    """killed: the server died after it had ended the pod; otherwise before."""
    state = tmp_path / "state"
    first = LocalPlatform(state)
    name = _at_work(first, _document("trap 'sleep 1; exit 3' TERM; echo written; sleep 600 & wait"))
    if not killed:
        monkeypatch.setattr(first._launcher, "kill", lambda *_, **__: None)
    first.act("default", name, ShutdownRequested(0.0))
    assert json.loads(first.get("Workflow", "default", name).text)["status"]["phase"] == "Running"
    first.close()
    second = LocalPlatform(state)
    try:
        (node,) = toys.wait(second, "default", name)["status"]["nodes"].values()
        assert node["outputs"]["exitCode"] == "3"
        assert node["outputs"]["artifacts"][0]["name"] == "out"
    finally:
        second.close()
