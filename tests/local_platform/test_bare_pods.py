"""Pods and Jobs without a workflow, through LocalPlatform's methods, with the real process runtime."""

from __future__ import annotations

import json

import pytest
import toy_parts as toys

from hera_utils.errors import Refused, UnsupportedError
from hera_utils.local_platform.platform import LocalPlatform
from waiting import until


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    platform = LocalPlatform(tmp_path_factory.mktemp("bare") / "state")
    yield platform
    platform.close()


def spec(script, **more):
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", script]}
    return {"containers": [container], "restartPolicy": "Never", **more}


def job(name, script, **more):
    return {"metadata": {"name": name}, "spec": {"template": {"spec": spec(script)}, **more}}


def reached(platform, kind, name, done):
    def document():
        found = json.loads(platform.get(kind, "default", name).text)
        return found if done(found["status"]) else None

    return until(document)


def over(status):
    return status.get("phase") in ("Succeeded", "Failed")


def ended(status):
    return bool(status.get("conditions"))


def gone(platform, kind, name):
    with pytest.raises(Refused, match="not found"):
        platform.get(kind, "default", name)


def test_a_pod_runs_and_its_log_is_there(platform):
    made = json.loads(
        platform.create("Pod", "default", {"metadata": {"generateName": "p-"}, "spec": spec("echo hi")}).text
    )
    assert made["status"]["phase"] == "Pending"
    name = made["metadata"]["name"]
    last = reached(platform, "Pod", name, over)
    assert (last["status"]["phase"], last["metadata"]["uid"]) == ("Succeeded", made["metadata"]["uid"])
    assert [line for _, line in platform.pod_log("default", name, "main")] == ["hi"]
    with pytest.raises(Refused, match=f'pods "{name}" already exists'):
        platform.create("Pod", "default", {"metadata": {"name": name}, "spec": spec("true")})
    platform.delete("Pod", "default", name)
    gone(platform, "Pod", name)
    until(lambda: not (platform.state / "pods" / made["metadata"]["uid"]).exists())


def test_a_pod_that_runs_is_ended_when_it_is_deleted(platform):
    platform.create("Pod", "default", {"metadata": {"name": "long"}, "spec": spec("sleep 60")})
    assert platform.busy()
    reached(platform, "Pod", "long", lambda status: status["phase"] == "Running")
    platform.delete("Pod", "default", "long")
    gone(platform, "Pod", "long")
    assert not platform.busy()
    platform.create("Pod", "default", {"metadata": {"name": "long"}, "spec": spec("exit 3")})
    last = reached(platform, "Pod", "long", over)
    assert last["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 3


def test_a_restart_policy_without_effect_is_told(platform):
    pod = platform.create(
        "Pod", "default", {"metadata": {"name": "always"}, "spec": spec("true", restartPolicy="Always")}
    )
    events = [json.loads(one.text) for one in platform.list("Event", "default")[0]]
    assert [one["reason"] for one in events if one["involvedObject"]["uid"] == pod.uid] == ["NoEffect"]


def test_a_pod_that_is_none_is_refused(platform):
    for wrong in ({}, {"spec": {}}, {"spec": {"containers": [{"name": "a"}]}}):
        with pytest.raises(Refused, match="is invalid: spec.containers"):
            platform.create("Pod", "default", {"metadata": {"name": "none"}, **wrong})


def test_a_pod_is_found_again_after_a_restart(tmp_path):
    first = LocalPlatform(tmp_path / "state")
    first.create("Pod", "default", {"metadata": {"name": "stays"}, "spec": spec("sleep 1; echo done")})
    reached(first, "Pod", "stays", lambda status: status["phase"] == "Running")
    first.close()
    second = LocalPlatform(tmp_path / "state")
    try:
        assert reached(second, "Pod", "stays", over)["status"]["phase"] == "Succeeded"
        assert [line for _, line in second.pod_log("default", "stays", "main")] == ["done"]
    finally:
        second.close()


def test_a_job_runs_its_pods_to_success(platform):
    platform.create("Job", "default", job("three", "echo $((6*7))", completions=3, parallelism=2))
    last = reached(platform, "Job", "three", ended)
    status = last["status"]
    assert (status["succeeded"], status.get("failed"), status.get("active")) == (3, None, None)
    assert [one["type"] for one in status["conditions"]] == ["SuccessCriteriaMet", "Complete"]
    pods = [json.loads(pod.text) for pod in platform.pods("default") if pod.name.startswith("three-")]
    assert len(pods) == 3
    assert {pod["metadata"]["labels"]["controller-uid"] for pod in pods} == {last["metadata"]["uid"]}
    platform.delete("Job", "default", "three")
    assert [pod for pod in platform.pods("default") if pod.name.startswith("three-")] == []


def test_a_job_that_fails_too_often_is_over(platform):
    platform.create("Job", "default", job("bad", "exit 1", backoffLimit=2))
    status = reached(platform, "Job", "bad", ended)["status"]
    assert (status["failed"], status.get("succeeded")) == (3, None)
    assert (status["conditions"][-1]["type"], status["conditions"][-1]["reason"]) == ("Failed", "BackoffLimitExceeded")


def test_a_deleted_job_ends_its_pods(platform):
    platform.create("Job", "default", job("slow", "sleep 60", parallelism=2, completions=2))
    until(lambda: sum(pod.name.startswith("slow-") for pod in platform.pods("default")) == 2)
    platform.delete("Job", "default", "slow")
    assert not [pod for pod in platform.pods("default") if pod.name.startswith("slow-")]
    until(lambda: not platform.busy())


def test_what_a_job_cannot_mean_here_is_refused(platform):
    with pytest.raises(UnsupportedError, match=r"spec\.activeDeadlineSeconds of a Job"):
        platform.create("Job", "default", job("late", "true", activeDeadlineSeconds=5))
    always = job("p", "true")
    always["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    with pytest.raises(
        Refused, match=r'Job.batch "p" is invalid: spec.template.spec.restartPolicy: Required value: valid values'
    ):
        platform.create("Job", "default", always)


def test_what_a_resource_template_made_goes_with_its_workflow(platform):
    manifest = json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mine"}, "spec": spec("sleep 60")})
    template = {"name": "main", "resource": {"action": "create", "setOwnerReference": True, "manifest": manifest}}
    document = {"metadata": {"name": "owner"}, "spec": {"entrypoint": "main", "templates": [template]}}
    platform.submit("default", document)
    assert toys.wait(platform, "default", "owner")["status"]["phase"] == "Succeeded"
    assert platform.get("Pod", "default", "mine")
    platform.delete("Workflow", "default", "owner")
    gone(platform, "Pod", "mine")


def test_a_job_whose_pods_are_refused_leaves_nothing(platform):
    wrong = job("wrong", "true")
    wrong["spec"]["template"]["metadata"] = {"labels": {"not a label": "x"}}
    with pytest.raises(Refused):
        platform.create("Job", "default", wrong)
    gone(platform, "Job", "wrong")
