"""What users ask of workflows over Argo's API, with a platform that executes them; each answer is that of a real Argo 4.1.2."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import toy_parts as toys

from hera_utils.local_platform.platform import LocalPlatform

Json = dict[str, Any]
WORKFLOWS = "/api/v1/workflows/default"


@pytest.fixture
def platform(tmp_path) -> Iterator[LocalPlatform]:
    platform = LocalPlatform(tmp_path / "state")
    yield platform
    platform.close()


def test_what_would_be_submitted_has_no_namespace_yet(platform, argo):
    platform.create(
        "WorkflowTemplate", "default", {"metadata": {"name": "mine"}, "spec": toys.workflow("true")["spec"]}
    )
    wanted = {"resourceKind": "WorkflowTemplate", "resourceName": "mine"}
    told = argo("POST", f"{WORKFLOWS}/submit", {**wanted, "submitOptions": {"dryRun": True}}).json()
    assert told["metadata"] == {"generateName": "mine-", "labels": {"workflows.argoproj.io/workflow-template": "mine"}}
    told = argo("POST", f"{WORKFLOWS}/submit", {**wanted, "submitOptions": {"serverDryRun": True}}).json()
    assert (told["metadata"]["namespace"], platform.list("Workflow")[0]) == ("default", [])


def test_a_workflow_that_refers_to_a_template_and_begins_suspended_is_resumed(platform, argo):
    """It hung: the copy of the template's spec that the run keeps was still suspended."""
    platform.create(
        "WorkflowTemplate", "default", {"metadata": {"name": "mine"}, "spec": toys.workflow("true")["spec"]}
    )
    spec = {"workflowTemplateRef": {"name": "mine"}, "suspend": True}
    created = argo("POST", WORKFLOWS, {"workflow": {"metadata": {"name": "held"}, "spec": spec}}).json()
    assert created["spec"]["suspend"] is True
    assert "nodes" not in argo("GET", f"{WORKFLOWS}/held").json()["status"]
    argo("PUT", f"{WORKFLOWS}/held/resume", {})
    assert toys.wait(platform, "default", "held")["status"]["phase"] == "Succeeded"
