"""The workflow archive over Argo's API: it has every workflow that ended, and keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import toy_parts as toys

from hera_utils.local_platform.platform import LocalPlatform

Json = dict[str, Any]
ARCHIVE = "/api/v1/archived-workflows"


@pytest.fixture
def platform(tmp_path) -> Iterator[LocalPlatform]:
    platform = LocalPlatform(tmp_path / "state")
    yield platform
    platform.close()


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
