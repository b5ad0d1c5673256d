"""Logs of pods that are gone are read from where Argo keeps them."""

from dataclasses import replace

import pytest

from hera_utils.errors import SettingsError
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
    """A server whose pods are gone but one: its log stream tells of that one alone, all else is the real one's."""

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
