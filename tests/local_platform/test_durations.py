"""A workflow of a stored template says how long the last one of that template took that succeeded."""

from __future__ import annotations

import json

import pytest
import toy_parts as toys

from hera_utils.local_platform.controller.durations import expected_durations

LABEL = "workflows.argoproj.io/workflow-template"


@pytest.fixture
def platform(running_platform):
    return running_platform


def test_a_workflow_and_its_nodes_take_as_long_as_the_last_one_that_succeeded(platform):
    spec = toys.workflow("sh", "-c", "sleep 1.1; exit {{workflow.parameters.code}}")["spec"]
    spec |= {"arguments": {"parameters": [{"name": "code", "value": "0"}]}}
    platform.create("WorkflowTemplate", "default", {"metadata": {"name": "wait"}, "spec": spec})
    begun = []
    for code in "010":
        arguments = {"parameters": [{"name": "code", "value": code}]}
        document = {
            "metadata": {"generateName": "w-"},
            "spec": {"workflowTemplateRef": {"name": "wait"}, "arguments": arguments},
        }
        stored = platform.submit("default", document)
        begun.append(toys.wait(platform, "default", stored.name)["status"])
    first, failed, last = begun
    assert "estimatedDuration" not in json.dumps(first)
    for status in (failed, last):
        (node,) = status["nodes"].values()
        assert status["estimatedDuration"] >= 1
        assert node["estimatedDuration"] >= 1


class Unread:
    def rows(self, *_):
        raise AssertionError("asked")


def test_a_workflow_without_an_origin_asks_nothing():
    assert expected_durations(Unread(), "default", {"metadata": {"labels": {"mine": "1"}}, "spec": {}}) == {}
