"""Users' requests to workflows over Argo's API, with a platform that executes them; each answer is that of a real Argo 4.1.2."""

from __future__ import annotations

import json
from typing import Any

import pytest
import toy_parts as toys

from hera_utils.local_platform.platform import LocalPlatform

Json = dict[str, Any]
WORKFLOWS = "/api/v1/workflows/default"


@pytest.fixture
def platform(running_platform: LocalPlatform) -> LocalPlatform:
    return running_platform


def test_what_would_be_submitted_has_no_namespace_yet(platform, argo):
    platform.create(
        "WorkflowTemplate", "default", {"metadata": {"name": "mine"}, "spec": toys.workflow("true")["spec"]}
    )
    wanted = {"resourceKind": "WorkflowTemplate", "resourceName": "mine"}
    told = argo("POST", f"{WORKFLOWS}/submit", {**wanted, "submitOptions": {"dryRun": True}}).json()
    assert told["metadata"] == {"generateName": "mine-", "labels": {"workflows.argoproj.io/workflow-template": "mine"}}
    told = argo("POST", f"{WORKFLOWS}/submit", {**wanted, "submitOptions": {"serverDryRun": True}}).json()
    assert (told["metadata"]["namespace"], platform.list("Workflow")[0]) == ("default", [])
    assert "resourceVersion" not in told["metadata"]


def test_the_answer_to_a_lint_has_no_namespace_that_was_not_sent(argo):
    sent = {**toys.workflow("true"), "metadata": {"name": "a"}}
    assert argo("POST", f"{WORKFLOWS}/lint", {"workflow": sent}).json()["metadata"] == {"name": "a"}
    template = {"metadata": {"name": "a"}, "spec": sent["spec"]}
    answer = argo("POST", "/api/v1/workflow-templates/default/lint", {"template": template}).json()
    assert answer["metadata"] == {"name": "a"}
    sent["metadata"]["namespace"] = "default"
    assert argo("POST", f"{WORKFLOWS}/lint", {"workflow": sent}).json()["metadata"]["namespace"] == "default"


def test_the_answer_to_a_memoized_resubmission_has_the_nodes_that_it_takes_over(platform, argo):
    tasks = [{"name": "a", "template": "ok"}, {"name": "b", "template": "bad", "depends": "a"}]
    document = toys.workflow("true")
    document["metadata"] = {"name": "again"}
    document["spec"]["templates"] = [
        {"name": "main", "dag": {"tasks": tasks}},
        {"name": "ok", "container": {"image": "busybox", "command": ["true"]}},
        {"name": "bad", "container": {"image": "busybox", "command": ["false"]}},
    ]
    assert "nodes" not in argo("POST", WORKFLOWS, {"workflow": document}).json()["status"]
    toys.wait(platform, "default", "again")
    nodes = argo("PUT", f"{WORKFLOWS}/again/resubmit", {"memoized": True}).json()["status"]["nodes"]
    assert ("a", "Skipped") in {(node["displayName"], node["phase"]) for node in nodes.values()}


def test_a_dry_run_refuses_what_a_submission_refuses(platform, argo):
    """`lint` allows a parameter without a value, as that of a template."""
    document = toys.workflow("true")
    document["spec"]["arguments"] = {"parameters": [{"name": "p"}]}
    answer = argo("POST", WORKFLOWS, {"workflow": document, "createOptions": {"dryRun": ["All"]}})
    told = "spec.arguments.p.value or spec.arguments.p.valueFrom is required"
    assert (answer.status_code, answer.json()["message"]) == (400, told)


def test_a_workflow_that_refers_to_a_template_and_begins_suspended_is_resumed(platform, argo):
    """It used to hang: the run's copy of the template's spec was still suspended."""
    platform.create(
        "WorkflowTemplate", "default", {"metadata": {"name": "mine"}, "spec": toys.workflow("true")["spec"]}
    )
    spec = {"workflowTemplateRef": {"name": "mine"}, "suspend": True}
    created = argo("POST", WORKFLOWS, {"workflow": {"metadata": {"name": "held"}, "spec": spec}}).json()
    assert created["spec"]["suspend"] is True
    assert "nodes" not in argo("GET", f"{WORKFLOWS}/held").json()["status"]
    argo("PUT", f"{WORKFLOWS}/held/resume", {})
    assert toys.wait(platform, "default", "held")["status"]["phase"] == "Succeeded"


def test_labels_say_that_a_workflow_has_ended_by_an_edit_of_its_spec(platform, argo):
    """The edit used to put back the labels that it had read."""
    document = toys.workflow("true")
    document["metadata"] = {"name": "held", "labels": {"gone": "x", "stays": "y"}}
    document["spec"]["templates"] = [{"name": "main", "suspend": {}}]
    argo("POST", WORKFLOWS, {"workflow": document})
    edited = json.loads(platform.get("Workflow", "default", "held").text)
    edited["spec"]["shutdown"] = "Terminate"
    edited["metadata"]["labels"] |= {"new": "z"}
    del edited["metadata"]["labels"]["gone"]
    platform.update("Workflow", "default", edited)
    prefix = "workflows.argoproj.io"
    wanted = {f"{prefix}/completed": "true", f"{prefix}/phase": "Failed", "new": "z", "stays": "y"}
    assert toys.wait(platform, "default", "held")["metadata"]["labels"] == wanted


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nothing?deleteOptions.gracePeriodSeconds=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("nothing?deleteOptions.gracePeriodSeconds=", 'strconv.ParseInt: parsing "": invalid syntax'),
        ("nothing?deleteOptions.gracePeriodSeconds=1.5", 'strconv.ParseInt: parsing "1.5": invalid syntax'),
        (f"nothing?deleteOptions.gracePeriodSeconds={'9' * 20}",
         f'strconv.ParseInt: parsing "{"9" * 20}": value out of range'),
        ("nothing?deleteOptions.orphanDependents=x", 'strconv.ParseBool: parsing "x": invalid syntax'),
        ("nothing?force=x", 'strconv.ParseBool: parsing "x": invalid syntax'),
        ("?listOptions.timeoutSeconds=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("?listOptions.watch=x", 'strconv.ParseBool: parsing "x": invalid syntax'),
        ("nothing/log?logOptions.tailLines=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("nothing/log?logOptions.sinceTime=x", "field type *v1.Time is not supported in query parameters"),
    ],
)  # fmt: skip
def test_a_wrong_value_in_a_query_is_refused_whether_it_matters_or_not(platform, argo, path, message):
    method = "GET" if path.startswith("?") or "/log" in path else "DELETE"
    answer = argo(method, f"{WORKFLOWS}{'' if path.startswith('?') else '/'}{path}")
    assert (answer.status_code, answer.json()) == (400, {"code": 3, "message": message})


def test_other_values_of_a_query_are_taken(platform, argo):
    for query in (
        "deleteOptions.gracePeriodSeconds=0",
        "force=True",
        "deleteOptions.nope=x",
        "deleteOptions.dryRun=All",
    ):
        assert argo("DELETE", f"{WORKFLOWS}/nothing?{query}").status_code == 404


def test_a_retry_whose_template_is_gone_says_so_in_kubernetes_words(platform, argo):
    stored = {"templates": [{**toys.workflow("false")["spec"]["templates"][0], "name": "f"}]}
    platform.create("WorkflowTemplate", "default", {"metadata": {"name": "mine"}, "spec": stored})
    steps = [[{"name": "a", "templateRef": {"name": "mine", "template": "f"}}]]
    name = platform.submit(
        "default",
        {"metadata": {"name": "one"}, "spec": {"entrypoint": "main", "templates": [{"name": "main", "steps": steps}]}},
    ).name
    assert toys.wait(platform, "default", name)["status"]["phase"] == "Failed"
    platform.delete("WorkflowTemplate", "default", "mine")
    assert argo("PUT", f"{WORKFLOWS}/one/retry", {}).status_code == 200
    assert toys.wait(platform, "default", name)["status"]["message"] == (
        'invalid spec: templates.main.steps[0].a workflowtemplates.argoproj.io "mine" not found'
    )
