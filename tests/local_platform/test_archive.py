"""The workflow archive over Argo's API: it has every workflow that ended, and keeps it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import toy_parts as toys

from hera_utils.local_platform.platform import LocalPlatform

Json = dict[str, Any]
ARCHIVE = "/api/v1/archived-workflows"


@pytest.fixture
def platform(running_platform: LocalPlatform) -> LocalPlatform:
    return running_platform


def ended(platform: LocalPlatform, *command: str, **labels: str) -> Json:
    document = toys.workflow(*command)
    document["metadata"]["labels"] = labels
    return toys.wait(platform, "default", platform.submit("default", document).name)


def test_a_run_that_ended_is_archived_and_stays_when_it_is_deleted(platform, argo):
    run = ended(platform, "true", colour="blue")
    name, uid = run["metadata"]["name"], run["metadata"]["uid"]
    (listed,) = argo("GET", f"{ARCHIVE}?namespace=default").json()["items"]
    assert (listed["metadata"]["uid"], listed["status"]["phase"]) == (uid, "Succeeded")
    assert "nodes" not in listed["status"]
    before = argo("GET", f"{ARCHIVE}/{uid}").json()
    platform.delete("Workflow", "default", name)
    assert argo("GET", f"{ARCHIVE}/{uid}").json() == before
    assert argo("GET", f"{ARCHIVE}/?namespace=default&name={name}").json() == before
    assert before["status"]["nodes"]
    assert before["metadata"]["labels"]["workflows.argoproj.io/workflow-archiving-status"] == "Persisted"
    assert "colour" in argo("GET", ARCHIVE + "-label-keys").json()["items"]
    assert argo("GET", ARCHIVE + "-label-values?listOptions.labelSelector=colour").json() == {"items": ["blue"]}
    again = argo("PUT", f"{ARCHIVE}/{uid}/resubmit", {"uid": uid, "namespace": "default"}).json()
    assert toys.wait(platform, "default", again["metadata"]["name"])["status"]["phase"] == "Succeeded"
    assert argo("DELETE", f"{ARCHIVE}/{uid}").json() == {}
    assert argo("GET", f"{ARCHIVE}/{uid}").json() == {"code": 5, "message": "not found"}


def test_a_record_can_go_while_its_run_is_there(platform, argo):
    run = ended(platform, "true")
    uid = run["metadata"]["uid"]
    argo("DELETE", f"{ARCHIVE}/{uid}")
    assert argo("GET", f"{ARCHIVE}/{uid}").status_code == 404
    assert argo("GET", ARCHIVE).json()["items"] is None
    assert platform.get("Workflow", "default", run["metadata"]["name"])
    platform.delete("Workflow", "default", run["metadata"]["name"])
    assert argo("GET", f"{ARCHIVE}/{uid}").status_code == 404
    assert platform._read_model.rows("archived", "", "") == []


def test_a_deleted_run_is_retried_from_the_archive(platform, argo, tmp_path):
    run = ended(platform, "sh", "-c", f"test -e {tmp_path}/there")
    name, uid = run["metadata"]["name"], run["metadata"]["uid"]
    assert run["status"]["phase"] == "Failed"
    refused = argo("PUT", f"{ARCHIVE}/{uid}/retry", {"uid": uid})
    assert refused.json()["message"] == "Workflow already exists on cluster, use argo retry {name} instead"
    platform.delete("Workflow", "default", name)
    wrong = argo("PUT", f"{ARCHIVE}/{uid}/retry", {"uid": uid, "namespace": "default", "parameters": ["x"]})
    assert (wrong.status_code, wrong.json()["message"]) == (
        500,
        "expected parameter of the form: NAME=VALUE. Received: x",
    )
    assert argo("GET", f"/api/v1/workflows/default/{name}").status_code == 404
    retried = argo("PUT", f"{ARCHIVE}/{uid}/retry", {"uid": uid, "namespace": "default"})
    assert retried.status_code == 200, retried.text
    assert retried.json()["metadata"]["uid"] != uid
    last = toys.wait(platform, "default", name)
    assert last["status"]["phase"] == "Failed"
    assert json.loads(platform.get("Workflow", "default", name).text)["status"]["nodes"]


def test_pages_and_selectors(platform, argo):
    runs = [ended(platform, "true", number=str(number)) for number in range(3)]
    names = {run["metadata"]["name"] for run in runs}
    first = argo("GET", ARCHIVE + "?listOptions.limit=2").json()
    second = argo("GET", ARCHIVE + f"?listOptions.limit=2&listOptions.continue={first['metadata']['continue']}").json()
    assert {one["metadata"]["name"] for one in first["items"] + second["items"]} == names
    chosen = argo("GET", ARCHIVE + "?listOptions.labelSelector=number%3D1").json()["items"]
    assert [one["metadata"]["name"] for one in chosen] == [runs[1]["metadata"]["name"]]


def outputs(*artifacts: Json, **spec: Any) -> Json:
    """A workflow with artifacts of one pod; their names are what is in them."""
    names = [one["name"] for one in artifacts]
    document = toys.workflow("sh", "-c", "; ".join(f"echo {name} > /tmp/{name}" for name in names))
    document["spec"]["templates"][0]["outputs"] = {
        "artifacts": [{"path": f"/tmp/{one['name']}", "archive": {"none": {}}, **one} for one in artifacts]
    }
    document["spec"] |= spec
    return document


def test_an_artifact_that_stays_is_there_by_the_uid_of_its_deleted_workflow(platform, argo):
    kept = {"name": "kept", "artifactGC": {"strategy": "Never"}}
    document = outputs(kept, {"name": "other"}, artifactGC={"strategy": "OnWorkflowDeletion"})
    run = toys.wait(platform, "default", platform.submit("default", document).name)
    uid, name = run["metadata"]["uid"], run["metadata"]["name"]
    platform.delete("Workflow", "default", name)
    for path in (f"/artifacts-by-uid/{uid}/{name}", f"/artifact-files/default/archived-workflows/{uid}/{name}/outputs"):
        answer = argo("GET", f"{path}/kept")
        assert (answer.status_code, answer.text) == (200, "kept\n")
        assert argo("GET", f"{path}/other").status_code == 404
        assert argo("GET", f"{path}/none").status_code == 500
    assert argo("GET", f"/artifacts/default/{name}/{name}/kept").status_code == 404


def test_a_collected_artifact_is_not_found_and_marked_in_the_node_of_its_pod_alone(platform, argo):
    document = outputs({"name": "one"}, artifactGC={"strategy": "OnWorkflowCompletion"})
    document["spec"]["templates"][0]["retryStrategy"] = {"limit": 1}
    run = toys.wait(platform, "default", platform.submit("default", document).name)
    nodes = run["status"]["nodes"]
    assert {node["type"]: node["outputs"]["artifacts"][0].get("deleted") for node in nodes.values()} == {
        "Pod": True,
        "Retry": None,
    }
    (pod,) = (node["id"] for node in nodes.values() if node["type"] == "Pod")
    assert argo("GET", f"/artifacts/default/{run['metadata']['name']}/{pod}/one").status_code == 404


def test_the_archive_reads_of_field_selectors_what_argo_reads(platform, argo):
    """Measured on Argo 4.1.2 with a database."""
    names = sorted(ended(platform, "true")["metadata"]["name"] for _ in range(3))
    first = names[0]

    def listed(fields: str, **more: str) -> Any:
        query = "&".join(f"{key}={value}" for key, value in {"listOptions.fieldSelector": fields, **more}.items())
        answer = argo("GET", f"{ARCHIVE}?{query}").json()
        return sorted(one["metadata"]["name"] for one in answer["items"] or []) if "metadata" in answer else answer

    by_name = f"metadata.name%3D{first}"
    assert listed(by_name) == listed(f"metadata.name%3D%3D{first}") == [first]
    assert listed(f"metadata.name!%3D{first}") == listed(by_name, nameFilter="NotEquals") == names[1:]
    assert listed("metadata.name%3Doy-", nameFilter="Contains") == names
    assert listed("metadata.name%3Dtoy", nameFilter="Prefix") == names
    assert listed(by_name, nameFilter="Bogus") == names
    assert listed("spec.startedAt%3E2020-01-01T00:00:00Z") == names
    assert listed("spec.startedAt%3C2020-01-01T00:00:00Z") == []
    assert listed("metadata.namespace%3Dother") == listed("metadata.namespace!%3Ddefault") == []
    assert listed("status.phase%3DFailed") == {"code": 3, "message": "unsupported requirement status.phase=Failed"}
    assert "contradict each other" in listed("metadata.namespace%3Dother", namespace="default")["message"]
    page = {"listOptions.limit": "1", "listOptions.continue": "1"}
    count = "listOptions.fieldSelector=ext.showRemainingItemCount%3Dtrue"
    counted = argo("GET", f"{ARCHIVE}?{count}&listOptions.limit=1&listOptions.continue=1").json()
    assert (counted["metadata"], len(counted["items"])) == ({"continue": "2", "remainingItemCount": 1}, 1)
    assert listed("", **page | {"listOptions.continue": "x"})["message"] == "listOptions.continue must be int"
    assert listed("", **page | {"listOptions.continue": "-1"})["message"] == "listOptions.continue must >= 0"


def test_a_record_is_asked_for_by_its_uid_or_by_its_name(platform, argo):
    run = ended(platform, "true")
    uid, name = run["metadata"]["uid"], run["metadata"]["name"]
    assert argo("GET", f"{ARCHIVE}/{uid}?name=other&namespace=default").json()["metadata"]["name"] == name
    assert argo("GET", f"{ARCHIVE}/x?name={name}&namespace=default").status_code == 404
    incomplete = {"code": 3, "message": "both name and namespace are required if uid is not specified"}
    assert argo("DELETE", f"{ARCHIVE}/{uid}?name={name}").json() == incomplete
    assert argo("DELETE", f"{ARCHIVE}/x?name={name}&namespace=default").json() == {}


def test_the_values_of_one_label_are_asked_for(argo):
    def complaint(selector: str) -> str:
        return argo("GET", f"{ARCHIVE}-label-values?listOptions.labelSelector={selector}").json()["message"]

    assert complaint("a,b") == "only allow 1 labelRequirement, found 2"
    assert complaint("a%3D1") == "operation = is not supported"
    assert complaint("a%20b").startswith("unable to parse requirement: found 'b', expected: ")
