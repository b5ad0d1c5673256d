"""Pods of a workflow that a user deletes: to Argo that is an error, `pod deleted`, and not how the program ended."""

from __future__ import annotations

import json

import pytest
import toy_parts as toys

from hera_utils.errors import Refused
from hera_utils.interpreter.events import ShutdownRequested
from hera_utils.local_platform.platform import LocalPlatform
from waiting import until

WAITS = "trap 'exit 0' TERM; echo up; while true; do sleep 0.1; done"


@pytest.fixture
def platform(running_platform):
    return running_platform


def _pods(platform, name):
    shown = [json.loads(one.text) for one in platform.list("Pod", "default")[0]]
    return [one for one in shown if one["metadata"]["labels"]["workflows.argoproj.io/workflow"] == name]


def _running(platform, name):
    """The pod of a workflow that has one, once its command is up."""
    until(lambda: any("up" in line for pod in platform.pods("default", name) for line in _log(platform, pod)))
    (pod,) = (one for one in _pods(platform, name) if one["status"]["phase"] == "Running")
    return pod["metadata"]


def _log(platform, pod):
    if json.loads(pod.text)["status"]["phase"] != "Running":
        return []
    return [line for _, line in platform.pod_log("default", pod.name, "main")]


def _submit(platform, command, **template):
    document = toys.workflow("sh", "-c", command)
    document["spec"]["templates"][0] |= template
    return platform.submit("default", document).name


@pytest.mark.parametrize("restart", [False, True])
def test_a_pod_that_a_user_deletes_is_gone_and_its_node_an_error(platform, tmp_path, restart):
    name = _submit(platform, WAITS.replace("exit 0", "sleep 1; exit 0") if restart else WAITS)
    platform.delete("Pod", "default", _running(platform, name)["name"])
    if restart:
        platform.close()
        platform = LocalPlatform(tmp_path / "state")
    last = toys.wait(platform, "default", name)
    if restart:
        platform.close()
    (node,) = last["status"]["nodes"].values()
    assert (node["phase"], node["message"], node.get("outputs")) == ("Error", "pod deleted", None)
    assert (last["status"]["phase"], last["status"]["message"]) == ("Error", "pod deleted")
    if not restart:
        assert _pods(platform, name) == []
        assert next(platform.pod_log("default", name, "main"))[1] == "up"


@pytest.mark.parametrize(("policy", "attempts"), [("OnFailure", 1), ("OnError", 2), ("Always", 2)])
def test_it_is_tried_again_where_errors_are(platform, policy, attempts):
    command = "[ {{retries}} = 0 ] || exit 0; " + WAITS
    name = _submit(platform, command, retryStrategy={"limit": 1, "retryPolicy": policy})
    platform.delete("Pod", "default", _running(platform, name)["name"])
    last = toys.wait(platform, "default", name)
    nodes = [node for node in last["status"]["nodes"].values() if node["type"] == "Pod"]
    assert [node["phase"] for node in nodes] == ["Error", "Succeeded"][:attempts]
    assert last["status"]["phase"] == nodes[-1]["phase"]


def test_a_pod_that_had_not_begun_is_created_again(platform):
    """As by Argo's controller, which finds no pod for a node that is Pending."""
    variable = {"name": "WORD", "valueFrom": {"configMapKeyRef": {"name": "words", "key": "word"}}}
    document = toys.workflow("sh", "-c", "echo $WORD")
    document["spec"]["templates"][0]["container"]["env"] = [variable]
    name = platform.submit("default", document).name
    until(lambda: _pods(platform, name))
    before = _pods(platform, name)[0]["metadata"]["uid"]
    platform.delete("Pod", "default", name)
    until(lambda: [one["metadata"]["uid"] for one in _pods(platform, name)] not in ([], [before]))
    platform.create("ConfigMap", "default", {"metadata": {"name": "words"}, "data": {"word": "again"}})
    assert toys.wait(platform, "default", name)["status"]["phase"] == "Succeeded"
    assert [line for _, line in platform.pod_log("default", name, "main")] == ["again"]


def test_a_stop_ends_a_pod_that_was_deleted_before_it_began(platform):
    document = toys.workflow("true")
    document["spec"]["templates"][0]["container"]["envFrom"] = [{"configMapRef": {"name": "none"}}]
    name = platform.submit("default", document).name
    until(lambda: _pods(platform, name))
    platform.delete("Pod", "default", name)
    platform.act("default", name, ShutdownRequested(0.0))
    assert toys.wait(platform, "default", name)["status"]["phase"] == "Failed"


def test_a_second_deletion_finds_nothing(platform):
    name = _submit(platform, WAITS)
    pod = _running(platform, name)["name"]
    platform.delete("Pod", "default", pod)
    toys.wait(platform, "default", name)
    with pytest.raises(Refused, match="not found"):
        platform.delete("Pod", "default", pod)


def test_of_a_container_set_every_container_is_deleted(platform):
    containers = [
        {"name": "first", "image": "busybox", "command": ["sh", "-c", "echo up"]},
        {"name": "main", "image": "busybox", "command": ["sh", "-c", WAITS], "dependencies": ["first"]},
    ]
    template = {"name": "both", "containerSet": {"containers": containers}}
    document = {"metadata": {"generateName": "both-"}, "spec": {"entrypoint": "both", "templates": [template]}}
    name = platform.submit("default", document).name
    platform.delete("Pod", "default", _running(platform, name)["name"])
    nodes = toys.wait(platform, "default", name)["status"]["nodes"].values()
    assert {(node["type"], node["phase"], node["message"]) for node in nodes} == {
        ("Pod", "Error", "pod deleted"),
        ("Container", "Error", "container deleted"),
    }
