"""Logs of pods that are gone are read from where Argo keeps them."""

from dataclasses import replace

import pytest

from hera_utils.errors import Refused, ResourceError, SettingsError
from hera_utils.platforms.archived_logs import LogRequest, lines_of
from hera_utils.platforms.argo_client import ArgoClient

DOCUMENT = {
    "kind": "Workflow",
    "metadata": {"generateName": "says-"},
    "spec": {
        "entrypoint": "m",
        "archiveLogs": True,
        "templates": [
            {"name": "m", "dag": {"tasks": [{"name": "each", "template": "say", "withItems": ["a", "b", "c"]}]}},
            {
                "name": "say",
                "inputs": {"parameters": [{"name": "word", "value": "{{item}}"}]},
                "container": {"image": "alpine:3", "command": ["sh", "-c", "echo one; echo two; echo \u00e9"]},
            },
        ],
    },
}


class WithoutPods:
    """A server of which only one pod is left, so that its log stream has only that pod; all else comes from the real server."""

    def __init__(self, client, left):
        self.client, self.left = client, left
        self.stream_of = client._http.stream

    def stream(self, operation, **options):
        events = self.stream_of(operation, **options)
        if operation != "WorkflowService_WorkflowLogs":
            return events
        return (event for event in events if event["podName"] == self.left)


@pytest.fixture
def run(local_platform):
    client = local_platform.client
    DOCUMENT["spec"]["templates"][1].pop("inputs", None)
    name = client.create(DOCUMENT)["metadata"]["name"]
    assert client.wait(name, timeout=60)["status"]["phase"] == "Succeeded"
    return name


def test_pods_that_are_gone_are_heard_after_the_others(local_platform, run, monkeypatch):
    straight = sorted(local_platform.client.logs(run))
    assert len(straight) == 9
    left = straight[0][0]
    with ArgoClient(replace(local_platform.connection, local=False)) as client:
        monkeypatch.setattr(client._http, "stream", WithoutPods(client, left).stream)
        told = list(client.logs(run))
        assert sorted(told) == straight
        assert {pod for pod, _ in told[:3]} == {left}
        gone = straight[-1][0]
        assert [line for _, line in client.logs(run, pod=gone)] == ["one", "two", "é"]
        assert [line for _, line in client.logs(run, pod=gone, tail=2)] == ["two", "é"]
        assert [line for _, line in client.logs(run, pod=gone, grep="o$")] == ["two"]
        assert list(client.logs(run, pod=left, container="wait")) == []


def test_an_expression_of_another_language():
    with pytest.raises(SettingsError, match="not a regular expression of Python"):
        list(lines_of([("pod", "node")], LogRequest(grep=r"\p{Greek}"), lambda node: iter([b"x"])))


RUN = "/api/v1/workflows/lyon/w"
UID = "11111111-2222-4333-8444-555555555555"


def record(*artifacts: dict, label: str = "Persisted") -> dict:
    """A workflow with one pod, as a server with an archive answers with it."""
    labels = {"workflows.argoproj.io/workflow-archiving-status": label}
    node = {"id": "w", "name": "w", "type": "Pod", "phase": "Succeeded", "finishedAt": "2026-01-01T00:00:00Z"}
    status = {"phase": "Succeeded", "nodes": {"w": {**node, "outputs": {"artifacts": list(artifacts)}}}}
    return {"metadata": {"name": "w", "namespace": "lyon", "uid": UID, "labels": labels}, "status": status}


def stored(name: str, **more: object) -> dict:
    return {"name": name, "s3": {"key": f"w/w/{name}"}, **more}


def test_of_a_deleted_workflow_logs_and_artifacts_are_read_by_the_uid_of_its_record(double, tmp_path):
    double.on("GET", f"{RUN}/log", {"code": 5, "message": 'workflows.argoproj.io "w" not found'}, 404)
    double.on("GET", RUN, record(stored("main-logs"), stored("out"), stored("gone", deleted=True)))
    for name, content in (("main-logs", b"one\ntwo\n"), ("out", b"data")):
        reply = lambda exchange, content=content: exchange.reply(content, kind="application/octet-stream")  # noqa: E731
        double.on("GET", f"/artifacts-by-uid/{UID}/w/{name}", reply)
    with ArgoClient(double.connection) as client:
        assert list(client.logs("w")) == [("w", "one"), ("w", "two")]
        (saved,) = client.download("w", tmp_path)
        assert (tmp_path / saved.path).read_bytes() == b"data"
        with pytest.raises(ResourceError, match="no output artifacts `gone`"):
            client.download("w", tmp_path, artifact="gone")


def test_of_a_deleted_workflow_without_kept_logs_there_are_none(double):
    refusal = {"code": 5, "message": 'workflows.argoproj.io "w" not found'}
    double.on("GET", f"{RUN}/log", refusal, 404)
    with ArgoClient(double.connection) as client:
        double.on("GET", RUN, record(stored("out")))
        with pytest.raises(ResourceError, match="w was deleted with its pods, and no log of theirs was kept"):
            list(client.logs("w"))
        double.on("GET", RUN, record(stored("main-logs"), label="Archived"))  # it is there again
        with pytest.raises(Refused, match="not found"):
            list(client.logs("w"))
        double.on("GET", RUN, refusal, 404)
        with pytest.raises(Refused, match="not found"):
            list(client.logs("w"))
