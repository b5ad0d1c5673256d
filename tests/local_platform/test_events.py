"""External events start workflows through event bindings, over both APIs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import toy_parts as toys
from serving import served

from hera_utils.expressions import cost
from hera_utils.local_platform.argo_api import argo_app
from hera_utils.local_platform.kubernetes_api.app import kubernetes_app
from hera_utils.local_platform.platform import LocalPlatform

Json = dict[str, Any]
BINDINGS = "/apis/argoproj.io/v1alpha1/namespaces/default/workfloweventbindings"
HEADERS = {"Authorization": "Bearer t"}


@pytest.fixture
def platform(tmp_path) -> Iterator[LocalPlatform]:
    platform = LocalPlatform(tmp_path / "state", advance=toys.advance, runtime=toys.ToyRuntime)
    template = toys.workflow("true")["spec"] | {"arguments": {"parameters": [{"name": "message", "value": "none"}]}}
    template["workflowMetadata"] = {"labels": {"from": "template"}}
    platform.create("WorkflowTemplate", "default", {"metadata": {"name": "hello"}, "spec": template})
    yield platform
    platform.close()


@pytest.fixture
def argo(platform) -> Iterator[str]:
    with served(argo_app(platform, "t")) as url:
        yield url


def binding(selector: str, **submit: Any) -> Json:
    reference = {"name": submit.pop("template", "hello")}
    spec = {"event": {"selector": selector}, "submit": {"workflowTemplateRef": reference, **submit}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowEventBinding",
        "metadata": {"name": "bound"},
        "spec": spec,
    }


def bind(platform: LocalPlatform, document: Json) -> None:
    with served(kubernetes_app(platform, "t")) as url:
        answer = requests.post(url + BINDINGS, json=document, headers=HEADERS, timeout=10)
        assert answer.status_code == 201, answer.text
        assert (
            requests.get(url + BINDINGS, headers=HEADERS, timeout=10).json()["items"][0]["metadata"]["name"] == "bound"
        )


def send(argo: str, payload: Any, **headers: str) -> requests.Response:
    return requests.post(
        argo + "/api/v1/events/default/my-discriminator", json=payload, headers={**HEADERS, **headers}, timeout=10
    )


def runs(platform: LocalPlatform) -> list[Json]:
    return [json.loads(stored.text) for stored in platform.list("Workflow", "default")[0]]


def test_an_event_that_is_meant_submits_the_template(platform, argo):
    selector = 'payload.message != "" && metadata["x-argo-e2e"] == ["true"] && discriminator == "my-discriminator"'
    arguments = {"parameters": [{"name": "message", "valueFrom": {"event": "payload.message"}}]}
    metadata = {"name": 'payload.message + "-world"', "annotations": {"note": '"n" + string(payload.count)'}}
    bind(platform, binding(selector, arguments=arguments, metadata=metadata))
    assert send(argo, {"message": "hello", "count": 2}).json() == {}
    assert runs(platform) == []
    assert send(argo, {"message": "hello", "count": 2}, **{"X-Argo-E2E": "true"}).json() == {}
    (run,) = runs(platform)
    assert run["metadata"]["name"] == "hello-world"
    assert run["metadata"]["annotations"]["note"] == "n2"
    labels = run["metadata"]["labels"]
    assert (labels["from"], labels["workflows.argoproj.io/workflow-event-binding"]) == ("template", "bound")
    assert labels["workflows.argoproj.io/workflow-template"] == "hello"
    assert run["spec"]["arguments"]["parameters"] == [{"name": "message", "value": "hello"}]
    listed = requests.get(argo + "/api/v1/workflow-event-bindings/default", headers=HEADERS, timeout=10).json()
    assert [one["metadata"]["name"] for one in listed["items"]] == ["bound"]


def test_any_json_value_is_a_payload(platform, argo):
    arguments = {"parameters": [{"name": "message", "valueFrom": {"event": "payload"}}]}
    bind(platform, binding("true", arguments=arguments))
    assert send(argo, [1, {"a": "b\n"}]).status_code == 200
    (run,) = runs(platform)
    assert run["metadata"]["generateName"] == "hello-"
    assert run["metadata"]["name"].startswith("hello-")
    assert run["spec"]["arguments"]["parameters"][0]["value"] == '[1,{"a":"b\\n"}]'


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            binding("true", template="absent"),
            'failed to get workflow template: workflowtemplates.argoproj.io "absent" not found',
        ),
        (binding("1 + 1"), "failed to evaluate workflow template expression: unable to cast expression result"),
        (binding("true", metadata={"name": "1"}), "workflow name expression must evaluate to a string, not a int"),
    ],
)
def test_what_goes_wrong_is_answered_and_recorded(platform, argo, document, message):
    bind(platform, document)
    answer = send(argo, {})
    assert answer.status_code == 500
    assert answer.json()["message"].startswith(f"failed to dispatch event: [{message}")
    (event,) = [json.loads(one.text) for one in platform.list("Event", "default")[0]]
    assert (event["reason"], event["involvedObject"]["name"]) == ("WorkflowEventBindingError", "bound")


def test_the_expressions_of_all_bindings_have_a_bound_together(platform, argo, monkeypatch):
    """A hundred costly expressions used to make all other submissions wait for a minute and a half."""
    monkeypatch.setattr(cost, "MOST", 30_000)
    costly = "len(map(1..100, {map(1..100, {1})})) > 0"
    with served(kubernetes_app(platform, "t")) as url:
        for number in range(20):
            document = binding(costly)
            document["metadata"]["name"] = f"bound-{number}"
            assert requests.post(url + BINDINGS, json=document, headers=HEADERS, timeout=10).status_code == 201
    answer = send(argo, {})
    assert answer.status_code == 500
    assert "evaluation takes too many steps, together with those before it" in answer.json()["message"]
    assert 1 <= len(runs(platform)) < 20
