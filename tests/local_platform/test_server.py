"""Argo's REST API over a platform that only stores objects: statuses, bodies and headers as recorded from Argo 4.1.2."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests
from memory_platform import MemoryPlatform
from serving import TOKEN, Api, served

from hera_utils.interpreter.events import RetryRequested, SetRequested, ShutdownRequested
from hera_utils.local_platform.argo_api import argo_app

WORKFLOW = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Workflow",
    "metadata": {"generateName": "hello-"},
    "spec": {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "busybox"}}]},
}


@pytest.fixture
def argo(platform: MemoryPlatform) -> Iterator[Api]:
    with served(argo_app(platform, TOKEN)) as url:
        yield Api(url)


def create(argo: Api, **metadata: object) -> dict:
    answer = argo("POST", "/api/v1/workflows/argo", {"workflow": {**WORKFLOW, "metadata": metadata or {"name": "one"}}})
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- workflows


def test_a_workflow_is_created_read_and_deleted(argo):
    made = argo("POST", "/api/v1/workflows/argo", {"workflow": WORKFLOW})
    assert made.status_code == 200
    assert set(made.json()) == {"metadata", "spec", "status"}  # no apiVersion, no kind
    assert made.json()["spec"]["arguments"] == {}
    assert made.headers["content-type"] == "application/json"
    assert made.headers["grpc-metadata-argo-version"] == "v4.1.2"
    assert made.headers["x-ratelimit-limit"] == "1000"
    name = made.json()["metadata"]["name"]
    assert argo("GET", f"/api/v1/workflows/argo/{name}").json() == made.json()
    assert argo("GET", "/api/v1/workflows/argo/@latest").json() == made.json()
    assert argo("DELETE", f"/api/v1/workflows/argo/{name}?").text == "{}"
    gone = argo("GET", f"/api/v1/workflows/argo/{name}")
    assert gone.status_code == 404
    assert gone.text == json.dumps(
        {"code": 5, "message": f'workflows.argoproj.io "{name}" not found'}, separators=(",", ":")
    )


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        (b"{}", 400, 3, "workflow body not specified"),
        (b"{bad", 400, 3, "invalid character 'b' looking for beginning of object key string"),
        (b"{", 400, 3, "unexpected EOF"),
        (b'{"a": tru}', 400, 3, "invalid character '}' in literal true (expecting 'e')"),
        (b'{"a": [1 2]}', 400, 3, "invalid character '2' after array element"),
        (b'{"a": 1e400}', 400, 3, "json: cannot unmarshal number 1e400 into Go value of type float64"),
        (
            b'{"a": ' + b"9" * 5000 + b"}",
            400,
            3,
            f"json: cannot unmarshal number {'9' * 5000} into Go value of type float64",
        ),
        (b'{"workflow": 3}', 400, 3, "json: cannot unmarshal number"),
        (
            b'{"workflow":{"spec":{"templates":[{"container":{"command":"x"}}]}}}',
            400,
            3,
            "json: cannot unmarshal string into Go struct field Container.workflow.spec.templates.container.command of type []string",
        ),
        (b'{"workflow":{"spec":{"entrypoint":"nope"}}}', 400, 3, "template name 'nope' undefined"),
        (
            b'{"workflow":{"metadata":{"namespace":"other"}}}',
            400,
            3,
            "the namespace of the provided object does not match",
        ),
    ],
)
def test_what_is_wrong_with_a_workflow(argo, body, status, code, message):
    answer = argo("POST", "/api/v1/workflows/argo", data=body)
    assert answer.status_code == status
    assert answer.json()["code"] == code
    assert answer.json()["message"].startswith(message)


@pytest.mark.parametrize(
    ("verb", "body", "status", "code", "message"),
    [
        ("stop", b'{"nodeFieldSelector": 1}', 400, 3, "json: cannot unmarshal number into Go struct field "
         "WorkflowStopRequest.nodeFieldSelector of type string"),
        ("retry", b'{"restartSuccessful": 1}', 400, 3, "json: cannot unmarshal number into Go struct field "
         "WorkflowRetryRequest.restartSuccessful of type bool"),
        ("retry", b"[]", 400, 3, "json: cannot unmarshal array into Go value of type workflow.WorkflowRetryRequest"),
        ("set", b"null", 500, 13, "'set' currently only targets suspend nodes, use a node field selector to target them"),
        ("set", b"", 500, 13, "'set' currently only targets suspend nodes, use a node field selector to target them"),
        ("set", b'{"phase": "Omitted"}', 400, 3, "Omitted is an invalid phase to set to"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_request_of_a_verb(argo, verb, body, status, code, message):
    create(argo, name="one")
    answer = argo("PUT", f"/api/v1/workflows/argo/one/{verb}", data=body)
    assert (answer.status_code, answer.json()) == (status, {"code": code, "message": message})


@pytest.mark.parametrize(
    ("path", "field", "kind"),
    [
        ("workflows/argo", "WorkflowCreateRequest.workflow", "v1alpha1.Workflow"),
        ("workflows/argo/submit", "WorkflowSubmitRequest.submitOptions", "v1alpha1.SubmitOpts"),
        ("workflow-templates/argo", "WorkflowTemplateCreateRequest.template", "v1alpha1.WorkflowTemplate"),
        (
            "cluster-workflow-templates",
            "ClusterWorkflowTemplateCreateRequest.template",
            "v1alpha1.ClusterWorkflowTemplate",
        ),
    ],
)
def test_what_must_be_an_object_is_named_as_go_names_it(argo, path, field, kind):
    answer = argo("POST", f"/api/v1/{path}", {field.partition(".")[2]: []}).json()
    assert answer["message"] == f"json: cannot unmarshal array into Go struct field {field} of type {kind}"


def test_the_run_of_a_verb_is_looked_for_before_its_request_is_judged(argo):
    answer = argo("PUT", "/api/v1/workflows/argo/nobody/set", {"phase": "Omitted"})
    assert (answer.status_code, answer.json()["message"]) == (404, 'workflows.argoproj.io "nobody" not found')


def test_lint_of_a_bad_workflow_is_500(argo):
    bad = argo("POST", "/api/v1/workflows/argo/lint", {"workflow": {"spec": {"entrypoint": "nope"}}})
    assert (bad.status_code, bad.json()) == (500, {"code": 2, "message": "template name 'nope' undefined"})
    good = argo("POST", "/api/v1/workflows/argo/lint", {"namespace": "argo", "workflow": WORKFLOW})
    assert good.json()["spec"]["templates"][0]["container"]["resources"] == {}


def test_a_name_that_is_taken(argo):
    create(argo, name="one")
    again = argo("POST", "/api/v1/workflows/argo", {"workflow": {**WORKFLOW, "metadata": {"name": "one"}}})
    assert (again.status_code, again.json()["code"]) == (409, 6)


def test_fields_and_lists(argo):
    empty = argo("GET", "/api/v1/workflows/argo").json()
    assert empty["items"] is None
    assert empty["metadata"]["resourceVersion"]
    create(argo, name="one", labels={"team": "a"})
    create(argo, name="two", labels={"team": "b"})
    few = argo("GET", "/api/v1/workflows/argo/one?fields=status.phase,metadata.name").json()
    assert few == {
        "metadata": {"name": "one"},
        "spec": {"arguments": {}},
        "status": {"phase": "Running", "startedAt": None, "finishedAt": None},
    }
    assert _names(argo, "listOptions.labelSelector=team=a") == ["one"]
    assert _names(argo, "listOptions.labelSelector=team!=a,workflows.argoproj.io/phase in (Running)") == ["two"]
    assert _names(argo, "listOptions.fieldSelector=metadata.name=two") == ["two"]
    assert _names(argo, "listOptions.fieldSelector=metadata.name=tw&nameFilter=Prefix") == ["two"]
    assert sorted(_names(argo, "listOptions.fieldSelector=metadata.name=o&nameFilter=Contains")) == ["one", "two"]
    assert argo("GET", "/api/v1/workflows/argo?listOptions.labelSelector=a+b").status_code == 400
    assert (
        argo("GET", "/api/v1/workflows/argo?listOptions.fieldSelector=spec.x=1").json()["message"]
        == "unsupported requirement spec.x=1"
    )
    page = argo("GET", "/api/v1/workflows/argo?listOptions.limit=1").json()
    assert len(page["items"]) == 1
    rest = argo(
        "GET", f"/api/v1/workflows/argo?listOptions.limit=1&listOptions.continue={page['metadata']['continue']}"
    )
    assert len(rest.json()["items"]) == 1
    assert "continue" not in rest.json()["metadata"]
    assert rest.json()["items"] != page["items"]
    assert len(argo("GET", "/api/v1/workflows/").json()["items"]) == 2
    filtered = argo("GET", "/api/v1/workflows/argo?fields=metadata,items.metadata.name").json()
    assert filtered["items"][0]["spec"] == {"arguments": {}}


def _names(argo: Api, query: str) -> list[str]:
    answer = argo("GET", f"/api/v1/workflows/argo?{query}")
    assert answer.status_code == 200, answer.text
    return [item["metadata"]["name"] for item in answer.json()["items"] or []]


def test_what_a_user_does_to_a_run_becomes_one_event(argo, platform):
    create(argo, name="one")
    path = "/api/v1/workflows/argo/one"
    assert argo("PUT", f"{path}/stop?", {"name": "one", "namespace": "argo", "message": "enough"}).status_code == 200
    assert argo("PUT", f"{path}/terminate", {}).status_code == 200
    assert argo("PUT", f"{path}/suspend").status_code == 200
    assert argo("PUT", f"{path}/resume", {}).status_code == 200
    argo(
        "PUT", f"{path}/retry", {"restartSuccessful": True, "nodeFieldSelector": "displayName=a", "parameters": ["p=1"]}
    )
    argo(
        "PUT",
        f"{path}/set",
        {"nodeFieldSelector": "displayName=a", "outputParameters": '{"x": "1"}', "phase": "Succeeded"},
    )
    events = [event for _, event in platform.acted]
    assert events[0] == ShutdownRequested(0.0, strategy="Stop", message="enough")
    assert events[1] == ShutdownRequested(0.0, strategy="Terminate")
    assert [type(event).__name__ for event in events[2:4]] == ["SuspendRequested", "ResumeRequested"]
    assert events[4] == RetryRequested(
        0.0, restart_successful=True, node_field_selector="displayName=a", parameters=("p=1",)
    )
    assert events[5] == SetRequested(
        0.0, node_field_selector="displayName=a", phase="Succeeded", output_parameters={"x": "1"}
    )
    wrong = argo("PUT", f"{path}/set", {"phase": "Running"})
    assert (wrong.status_code, wrong.json()["message"]) == (400, "Running is an invalid phase to set to")
    assert argo("PUT", f"{path}/set", {"outputParameters": "{"}).status_code == 400
    assert argo("PUT", f"{path}/resubmit", {}).json()["metadata"]["name"].startswith("again-")
    memoized = argo("PUT", f"{path}/resubmit", {"memoized": True})
    assert memoized.json()["message"] == "workflow must be Failed/Error to resubmit in memoized mode"
    assert argo("PUT", "/api/v1/workflows/argo/nobody/stop", {}).status_code == 404


# --- templates, cron workflows, submission


TEMPLATE = {
    "metadata": {"name": "tmpl", "labels": {"l": "1"}},
    "spec": {"entrypoint": "main", "templates": [{"name": "main", "container": {"image": "busybox"}}]},
}


@pytest.mark.parametrize(
    ("path", "key", "spec"),
    [
        ("/api/v1/workflow-templates/argo", "template", TEMPLATE["spec"]),
        ("/api/v1/cluster-workflow-templates", "template", TEMPLATE["spec"]),
        ("/api/v1/cron-workflows/argo", "cronWorkflow", {"schedules": ["* * * * *"], "workflowSpec": TEMPLATE["spec"]}),
    ],
)
def test_stored_kinds(argo, path, key, spec):
    document = {**TEMPLATE, "spec": spec}
    assert argo("GET", path).json()["items"] is None
    assert argo("POST", f"{path}/lint", {key: document}).status_code == 200
    made = argo("POST", path, {key: document})
    assert made.status_code == 200, made.text
    assert "kind" not in made.json()
    assert argo("POST", path, {key: document}).status_code == 409
    assert argo("GET", f"{path}/tmpl").json() == made.json()
    assert [item["metadata"]["name"] for item in argo("GET", path).json()["items"]] == ["tmpl"]
    assert argo("GET", f"{path}?listOptions.labelSelector=l=2").json()["items"] is None
    changed = {**made.json(), "metadata": {**made.json()["metadata"], "labels": {"l": "2"}}}
    updated = argo("PUT", f"{path}/?", {key: changed})  # the argo CLI leaves the name in the path empty
    assert updated.status_code == 200, updated.text
    assert updated.json()["metadata"]["labels"] == {"l": "2"}
    stale = argo("PUT", f"{path}/tmpl", {key: changed})
    assert (stale.status_code, stale.json()["code"]) == (409, 6)
    assert argo("POST", path, {}).json()["message"].endswith("was not found in the request body")
    if key == "cronWorkflow":
        assert argo("PUT", f"{path}/tmpl/suspend", {}).json()["spec"]["suspend"] is True
        assert argo("PUT", f"{path}/tmpl/resume", {}).json()["spec"].get("suspend") is None
    assert argo("DELETE", f"{path}/tmpl").json() == {}
    assert argo("GET", f"{path}/tmpl").status_code == 404


@pytest.mark.parametrize("kind", ["WorkflowTemplate", "workflowtemplate", "wftmpl"])
def test_submit_from_a_template(argo, kind):
    argo("POST", "/api/v1/workflow-templates/argo", {"template": TEMPLATE})
    options = {"generateName": "g-", "labels": "a=b,c=d", "parameters": ["p=7", "q=x=y"], "entryPoint": "main"}
    made = argo(
        "POST",
        "/api/v1/workflows/argo/submit",
        {"resourceKind": kind, "resourceName": "tmpl", "submitOptions": options},
    )
    assert made.status_code == 200, made.text
    metadata, spec = made.json()["metadata"], made.json()["spec"]
    assert metadata["name"].startswith("g-")
    assert metadata["labels"]["workflows.argoproj.io/workflow-template"] == "tmpl"
    assert metadata["labels"]["a"] == "b"
    assert spec["workflowTemplateRef"] == {"name": "tmpl"}
    assert spec["arguments"]["parameters"] == [{"name": "p", "value": "7"}, {"name": "q", "value": "x=y"}]


def test_submit_from_a_cron_workflow_and_from_nothing(argo):
    cron = {"metadata": {"name": "c"}, "spec": {"schedules": ["* * * * *"], "workflowSpec": TEMPLATE["spec"]}}
    argo("POST", "/api/v1/cron-workflows/argo", {"cronWorkflow": cron})
    made = argo("POST", "/api/v1/workflows/argo/submit?", {"resourceKind": "cronwf", "resourceName": "c"}).json()
    assert made["metadata"]["labels"]["workflows.argoproj.io/cron-workflow"] == "c"
    assert "workflows.argoproj.io/scheduled-time" in made["metadata"]["annotations"]
    assert made["spec"]["entrypoint"] == "main"
    wrong = argo("POST", "/api/v1/workflows/argo/submit", {"resourceKind": "pod", "resourceName": "c"})
    assert (wrong.status_code, wrong.json()["message"]) == (400, "Resource kind 'pod' is not supported for submitting")
    nameless = argo("POST", "/api/v1/workflows/argo/submit", {"resourceKind": "cronwf"})
    assert (nameless.status_code, nameless.json()["message"]) == (500, "resource name may not be empty")
    bad = {"resourceKind": "cronwf", "resourceName": "c", "submitOptions": {"parameters": ["novalue"]}}
    assert "NAME=VALUE" in argo("POST", "/api/v1/workflows/argo/submit", bad).json()["message"]


# --- the rest


def test_version_info_and_the_small_calls(argo):
    assert argo("GET", "/api/v1/version").json()["version"] == "v4.1.2"
    assert set(argo("GET", "/api/v1/info").json()["modals"]) == {"feedback", "firstTimeUser", "newVersion"}
    assert argo("GET", "/api/v1/userinfo").text == "{}"
    assert argo("POST", "/api/v1/tracking/event", {"name": "x"}).text == "{}"
    assert argo("POST", "/api/v1/events/argo/anything", {"a": 1}).text == "{}"
    assert argo("GET", "/api/v1/archived-workflows?namespace=argo").json() == {"metadata": {}, "items": None}
    assert argo("GET", "/api/v1/archived-workflows/uid").json() == {"code": 5, "message": "not found"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/nothing"), ("PATCH", "/api/v1/workflows/argo/x"), ("GET", "/api/v1/sensors/argo")],
)
def test_what_is_not_there_is_501(argo, method, path):
    answer = argo(method, path)
    assert (answer.status_code, answer.text) == (501, '{"code":12,"message":"Not Implemented"}')


def test_limits_of_semaphores(argo):
    path = "/api/v1/sync/argo"
    body = {"cmName": "limits", "key": "workflow", "limit": 2}
    assert argo("POST", path, {**body, "limit": 0}).json()["message"] == "limit must be greater than zero"
    assert argo("POST", path, body).json() == {"cmName": "limits", "namespace": "argo", "key": "workflow", "limit": 2}
    assert argo("POST", path, body).status_code == 409
    assert argo("PUT", f"{path}/workflow", {**body, "limit": 3}).json()["limit"] == 3
    assert argo("GET", f"{path}/workflow?cmName=limits").json()["limit"] == 3
    assert argo("DELETE", f"{path}/workflow?cmName=limits").json() == {}
    assert argo("GET", f"{path}/workflow?cmName=limits").status_code == 404


def test_a_failure_of_ours_is_an_answer(argo, platform, monkeypatch):
    monkeypatch.setattr(platform, "get", lambda *_, **__: 1 / 0)
    answer = argo("GET", "/api/v1/workflows/argo/x")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text


# --- artifacts


def test_artifacts(argo, platform, tmp_path):
    made = create(argo, name="one")
    folder = tmp_path / "results"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "a.txt").write_text("deep")
    (folder / "secret").symlink_to("/etc/passwd")
    (tmp_path / "table.csv").write_text("x,y\n")
    artifacts = [
        {"name": "table", "s3": {"key": "one/one/table.csv"}},
        {"name": "folder", "s3": {"key": "one/one/folder.tgz"}},
    ]
    made["status"]["nodes"] = {
        "n-1": {"id": "n-1", "outputs": {"artifacts": artifacts}, "inputs": {"artifacts": artifacts}}
    }
    platform.put("Workflow", made)
    platform.artifacts = {("one", "n-1", "table"): tmp_path / "table.csv", ("one", "n-1", "folder"): folder}
    uid = made["metadata"]["uid"]
    for path in (
        "/artifacts/argo/one/n-1/table",
        f"/artifacts-by-uid/{uid}/n-1/table",
        "/input-artifacts/argo/one/n-1/table",
    ):
        answer = argo("GET", path)
        assert answer.text == "x,y\n"
        assert answer.headers["content-disposition"] == 'filename="table.csv"'
        assert answer.headers["content-type"].startswith("text/csv")
        assert "sandbox" in answer.headers["content-security-policy"]
    import io
    import tarfile

    packed = argo("GET", "/artifacts/argo/one/n-1/folder")
    with tarfile.open(fileobj=io.BytesIO(packed.content)) as archive:
        assert "folder/sub/a.txt" in archive.getnames()
        assert archive.getmember("folder/secret").issym()
    files = "/artifact-files/argo/workflows/one/n-1/outputs/folder"
    assert argo("GET", f"{files}/sub/a.txt").text == "deep"
    assert 'href="./sub/"' in argo("GET", f"{files}/").text
    assert argo("GET", files).text == argo("GET", f"{files}/").text  # redirected
    for escape in ("/secret", "/../table.csv", "/%2e%2e/table.csv", "/sub/..%2f..%2ftable.csv"):
        answer = argo("GET", files + escape)
        assert answer.status_code in (404, 501, 400, 500), escape
        assert "x,y" not in answer.text
    missing = argo("GET", "/artifacts/argo/one/n-1/nothing")
    assert (missing.status_code, missing.text) == (500, "Internal Server Error\n")
    assert argo("GET", "/artifacts/argo/nobody/n-1/table").status_code == 404
    no_token = requests.get(argo.url + "/artifacts/argo/one/n-1/table", timeout=5)
    assert (no_token.status_code, no_token.text) == (401, "Unauthorized\n")


def test_the_servers_sockets_say_that_they_are_tcp():
    """Otherwise asyncio leaves Nagle's algorithm on, and every answer on a kept-alive connection takes 40 ms."""
    import socket

    from hera_utils.local_platform import server as real

    with real._bind(0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
