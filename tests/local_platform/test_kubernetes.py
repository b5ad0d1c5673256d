"""The subset of Kubernetes' API over the real local platform, with a toy interpreter and runtime."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import toy_parts
from serving import TOKEN, Api, served

from hera_utils.local_platform.kubernetes_api import request
from hera_utils.local_platform.kubernetes_api.app import kubernetes_app
from hera_utils.local_platform.platform import LocalPlatform
from waiting import until

CORE = "/api/v1/namespaces/default"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[LocalPlatform]:
    platform = LocalPlatform(tmp_path / "state", advance=toy_parts.advance, runtime=toy_parts.ToyRuntime)
    yield platform
    platform.close()


@pytest.fixture
def api(platform: LocalPlatform) -> Iterator[Api]:
    with served(kubernetes_app(platform, TOKEN)) as url:
        yield Api(url)


def config_map(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"l": name}}, "data": data}


def test_yaml_is_read_while_others_are_answered(api, monkeypatch):
    """60 kB of YAML take half a second: thirty such requests used to make everybody wait for five seconds."""
    parse, may_end, two, lock = request.yaml_limits.parse, threading.Event(), threading.Semaphore(0), threading.Lock()
    running = most = 0

    def slow(data: bytes) -> object:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        two.release()
        may_end.wait(60)
        with lock:
            running -= 1
        return parse(data)

    monkeypatch.setattr(request.yaml_limits, "parse", slow)
    api("POST", f"{CORE}/configmaps", config_map("one"))
    headers = {"Content-Type": "application/apply-patch+yaml", "Authorization": f"Bearer {TOKEN}"}
    answers: list[int] = []

    def apply(number: int) -> None:
        text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c{number}}}\ndata: {{a: {'b' * 5000}}}\n"
        url = f"{api.url}{CORE}/configmaps/c{number}?fieldManager=m"
        answers.append(requests.patch(url, text, headers=headers, timeout=120).status_code)

    threads = [threading.Thread(target=apply, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    try:
        assert two.acquire(timeout=60)
        assert two.acquire(timeout=60)
        assert api("GET", f"{CORE}/configmaps/one").status_code == 200
    finally:
        may_end.set()
    for thread in threads:
        thread.join(60)
    assert answers == [201] * 5
    assert most == 2


def test_an_object_is_created_read_changed_and_deleted(api):
    made = api("POST", f"{CORE}/configmaps", config_map("one", a="1"))
    assert made.status_code == 201, made.text
    assert made.json()["kind"] == "ConfigMap"
    assert made.json()["metadata"]["uid"]
    again = api("POST", f"{CORE}/configmaps", config_map("one"))
    assert (again.status_code, again.json()["reason"]) == (409, "AlreadyExists")
    assert again.json()["details"] == {"name": "one", "kind": "configmaps"} or "details" in again.json()
    assert api("GET", f"{CORE}/configmaps/one").json() == made.json()
    changed = {**made.json(), "data": {"b": "2"}}
    updated = api("PUT", f"{CORE}/configmaps/one", changed).json()
    assert updated["data"] == {"b": "2"}
    stale = api("PUT", f"{CORE}/configmaps/one", changed)
    assert (stale.status_code, stale.json()["reason"]) == (409, "Conflict")
    gone = api("DELETE", f"{CORE}/configmaps/one").json()
    assert gone["status"] == "Success"
    assert gone["details"]["name"] == "one"
    missing = api("GET", f"{CORE}/configmaps/one")
    assert missing.status_code == 404
    assert missing.json() == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": 'configmaps "one" not found', "reason": "NotFound",
        "details": {"name": "one", "kind": "configmaps"}, "code": 404,
    }  # fmt: skip


def test_dry_runs_leave_nothing(api):
    assert api("POST", f"{CORE}/configmaps?dryRun=All", config_map("one")).status_code == 201
    assert api("GET", f"{CORE}/configmaps/one").status_code == 404
    api("POST", f"{CORE}/configmaps", config_map("one", a="1"))
    changed = api("PATCH", f"{CORE}/configmaps/one?dryRun=All", {"data": {"a": "2"}}, headers=MERGE).json()
    assert changed["data"] == {"a": "2"}
    assert api("DELETE", f"{CORE}/configmaps/one?dryRun=All").status_code == 200
    assert api("GET", f"{CORE}/configmaps/one").json()["data"] == {"a": "1"}
    assert api("POST", f"{CORE}/configmaps?dryRun=Some", config_map("two")).status_code == 400


MERGE = {"Content-Type": "application/merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}


def test_patches(api):
    api("POST", f"{CORE}/configmaps", config_map("one", a="1", b="2"))
    path = f"{CORE}/configmaps/one"
    assert api("PATCH", path, {"data": {"a": None, "c": "3"}}, headers=MERGE).json()["data"] == {"b": "2", "c": "3"}
    operations = [{"op": "test", "path": "/data/b", "value": "2"}, {"op": "remove", "path": "/data/b"}]
    answer = api("PATCH", path, operations, headers={"Content-Type": "application/json-patch+json"})
    assert answer.json()["data"] == {"c": "3"}
    failed = api("PATCH", path, operations, headers={"Content-Type": "application/json-patch+json"})
    assert (failed.status_code, failed.json()["reason"]) == (422, "Invalid")
    strategic = {"data": {"d": "4"}, "$setElementOrder/x": []}
    answer = api("PATCH", path, strategic, headers={"Content-Type": "application/strategic-merge-patch+json"})
    assert answer.json()["data"] == {"c": "3", "d": "4"}
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fresh}\ndata: {day: 2026-11-23}\n"
    applied = api("PATCH", f"{CORE}/configmaps/fresh?fieldManager=t", data=text, headers=APPLY)
    assert applied.json()["data"] == {"day": "2026-11-23"}
    again = api("PATCH", f"{CORE}/configmaps/fresh?fieldManager=t", data=text, headers=APPLY)
    assert again.json()["metadata"]["resourceVersion"] == applied.json()["metadata"]["resourceVersion"]
    assert api("PATCH", path, {}, headers={"Content-Type": "text/plain"}).status_code == 415
    assert api("PATCH", f"{CORE}/configmaps/none", {}, headers=MERGE).status_code == 404


def test_secrets_claims_namespaces_accounts(api):
    secret = {"metadata": {"name": "s"}, "stringData": {"k": "value"}}
    made = api("POST", f"{CORE}/secrets", secret).json()
    assert base64.b64decode(made["data"]["k"]) == b"value"
    assert made["type"] == "Opaque"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = api("POST", f"{CORE}/persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": spec}).json()
    assert claim["status"]["phase"] == "Bound"
    assert api("GET", "/api/v1/namespaces/default").json()["status"]["phase"] == "Active"
    assert api("POST", "/api/v1/namespaces", {"metadata": {"name": "lab"}}).status_code == 201
    assert api("GET", "/api/v1/namespaces/lab/serviceaccounts/default").status_code == 200
    assert api("DELETE", "/api/v1/namespaces/default").json()["reason"] == "Forbidden"
    unknown = api("POST", "/api/v1/namespaces/nowhere/configmaps", config_map("x"))
    assert (unknown.status_code, unknown.json()["message"]) == (404, 'namespaces "nowhere" not found')
    wrong = api("POST", f"{CORE}/configmaps", {"kind": "Secret", "metadata": {"name": "x"}})
    assert wrong.status_code == 400


def test_lists_selectors_and_pages(api):
    for name in ("a", "b", "c"):
        api("POST", f"{CORE}/configmaps", config_map(name))
    listed = api("GET", f"{CORE}/configmaps").json()
    assert listed["kind"] == "ConfigMapList"
    assert [item["metadata"]["name"] for item in listed["items"]] == ["a", "b", "c"]
    assert _names(api, f"{CORE}/configmaps?labelSelector=l!%3Da") == ["b", "c"]
    assert _names(api, "/api/v1/configmaps?fieldSelector=metadata.name%3Db") == ["b"]
    first = api("GET", f"{CORE}/configmaps?limit=2").json()
    assert first["metadata"]["remainingItemCount"] == 1
    assert _names(api, f"{CORE}/configmaps?limit=2&continue={first['metadata']['continue']}") == ["c"]
    assert api("GET", f"{CORE}/configmaps?continue=%%%").status_code == 400
    table = api("GET", f"{CORE}/configmaps", headers={"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}).json()
    assert table["kind"] == "Table"
    assert [row["cells"][0] for row in table["rows"]] == ["a", "b", "c"]
    assert api("DELETE", f"{CORE}/configmaps?labelSelector=l+in+(a,b)").json()["status"] == "Success"
    assert _names(api, f"{CORE}/configmaps") == ["c"]


def _names(api: Api, path: str) -> list[str]:
    return [item["metadata"]["name"] for item in api("GET", path).json()["items"]]


def test_watches(api):
    api("POST", f"{CORE}/configmaps", config_map("a"))
    api("POST", f"{CORE}/configmaps", config_map("b"))
    version = api("GET", f"{CORE}/configmaps").json()["metadata"]["resourceVersion"]
    events = _watch(api, f"{CORE}/configmaps?watch=true&timeoutSeconds=1")
    assert [(e["type"], e["object"]["metadata"]["name"]) for e in events] == [("ADDED", "a"), ("ADDED", "b")]
    assert events[0]["object"]["kind"] == "ConfigMap"
    api("DELETE", f"{CORE}/configmaps/a")
    api("PATCH", f"{CORE}/configmaps/b", {"data": {"x": "y"}}, headers=MERGE)
    events = _watch(api, f"{CORE}/configmaps?watch=1&timeoutSeconds=1&resourceVersion={version}")
    assert {(e["type"], e["object"]["metadata"]["name"]) for e in events} == {("DELETED", "a"), ("MODIFIED", "b")}
    initial = _watch(
        api, f"{CORE}/configmaps?watch=1&timeoutSeconds=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    )
    assert [e["type"] for e in initial] == ["ADDED", "BOOKMARK"]
    assert initial[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    old = api("GET", f"{CORE}/configmaps?watch=1&resourceVersion=999999")
    assert (old.status_code, old.json()["reason"]) == (410, "Expired")


def _watch(api: Api, path: str) -> list[dict]:
    return [json.loads(line) for line in api("GET", path).text.splitlines()]


def test_tokens_for_service_accounts(api):
    path = f"{CORE}/serviceaccounts/default/token"
    made = api("POST", path, {"spec": {"expirationSeconds": 600}})
    assert made.status_code == 201, made.text
    token = made.json()["status"]["token"]
    assert made.json()["status"]["expirationTimestamp"].endswith("Z")
    answer = requests.get(api.url + f"{CORE}/configmaps", headers={"Authorization": f"Bearer {token}"}, timeout=5)
    assert answer.status_code == 200
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    answer = requests.get(api.url + f"{CORE}/configmaps", headers={"Authorization": f"Bearer {forged}"}, timeout=5)
    assert (answer.status_code, answer.json()["reason"]) == (401, "Unauthorized")
    assert api("POST", path, {"spec": {"expirationSeconds": 5}}).status_code == 422
    assert api("POST", f"{CORE}/serviceaccounts/nobody/token", {}).status_code == 404


def test_questions_and_discovery(api):
    assert api("GET", "/version").json()["gitVersion"].startswith("v1.")
    assert api("GET", "/readyz").text == "ok"
    assert api("GET", "/api").json()["versions"] == ["v1"]
    assert "argoproj.io" in {group["name"] for group in api("GET", "/apis").json()["groups"]}
    served_here = {one["name"] for one in api("GET", "/api/v1").json()["resources"]}
    assert {"configmaps", "secrets", "pods", "pods/log", "serviceaccounts/token"} <= served_here
    assert "fieldValidation" in api("GET", "/openapi/v3/apis/argoproj.io/v1alpha1").text

    def may(**attributes: str) -> bool:
        body = {"spec": {"resourceAttributes": attributes}}
        return api("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body).json()["status"]["allowed"]

    assert may(verb="create", resource="workflows", group="argoproj.io", namespace="default")
    assert not may(verb="create", resource="daemonsets", group="apps", namespace="default")
    for path in ("/apis/apps/v1/namespaces/default/daemonsets", "/api/v1/nothing", f"{CORE}/pods/p/exec"):
        assert api("GET", path).status_code == 404
    assert api("DELETE", "/api/v1/namespaces").json()["reason"] == "MethodNotAllowed"
    assert requests.get(api.url + "/version", timeout=5).status_code == 401


WORKFLOW = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "hello-"},
    "spec": {
        "entrypoint": "main",
        "templates": [{"name": "main", "container": {"image": "busybox", "command": ["echo", "hello"]}}],
    },
}


def test_workflows_and_templates_are_the_same_objects_here(api, platform):
    root = "/apis/argoproj.io/v1alpha1/namespaces/default"
    made = api("POST", f"{root}/workflows", WORKFLOW)
    assert made.status_code == 201, made.text
    name = made.json()["metadata"]["name"]
    until(lambda: api("GET", f"{root}/workflows/{name}").json()["status"].get("phase") == "Succeeded")
    seen = api("GET", f"{root}/workflows/{name}").json()
    assert (seen["apiVersion"], seen["kind"]) == ("argoproj.io/v1alpha1", "Workflow")
    assert _names(api, f"{root}/workflows") == [name]
    pods = api("GET", f"{CORE}/pods").json()["items"]
    assert pods[0]["kind"] == "Pod"
    bad = api("POST", f"{root}/workflows", {**WORKFLOW, "spec": {"entrypoint": "nope", "templates": []}})
    assert bad.status_code == 400
    template = {**WORKFLOW, "kind": "WorkflowTemplate", "metadata": {"name": "t"}}
    assert api("POST", f"{root}/workflowtemplates", template).status_code == 201
    patch = {"metadata": {"labels": {"x": "y"}}}
    assert api("PATCH", f"{root}/workflowtemplates/t", patch, headers=MERGE).json()["metadata"]["labels"] == {"x": "y"}
    refused = api("PATCH", f"{root}/workflows/{name}", {"spec": {"entrypoint": "x"}}, headers=MERGE)
    assert refused.status_code == 422
    assert api("DELETE", f"{root}/workflows/{name}").status_code == 200
    assert api("GET", f"{root}/workflows/{name}").status_code == 404
