"""What users ask of a run: stop, resume, set, retry, and what is refused with Argo's message."""

from __future__ import annotations

import dataclasses

import pytest
from playbook import Play, workflow

from hera_utils.errors import Refused
from hera_utils.interpreter import events as e


@pytest.fixture(params=["live", "restored"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_global_output_that_a_user_sets_is_an_output_of_the_workflow(mode: str) -> None:
    spec = """
entrypoint: main
templates:
- name: main
  steps: [[{name: gate, template: gate}], [{name: b, template: show, arguments: {parameters: [
    {name: p, value: "{{workflow.outputs.parameters.shared}}"}]}}]]
- {name: gate, suspend: {}, outputs: {parameters: [{name: x, globalName: shared, valueFrom: {supplied: {}}}]}}
- {name: show, inputs: {parameters: [{name: p}]}, container: {image: i, command: [c]}}
"""
    play = Play(workflow(spec), mode)
    play.tell(e.SetRequested(play.at, "s", "displayName=gate", "Succeeded", "", {"x": "1"}))
    assert play.node("b")["inputs"]["parameters"][0]["value"] == "1"
    assert play.run.document["status"]["outputs"]["parameters"] == [{"name": "shared", "value": "1"}]


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (e.SetRequested(0, "s", "displayName=gate"), "currently, set only targets suspend nodes: .*displayName=gate"),
        (e.SetRequested(0, "s", "nothing", "Failed"), "invalid selector: 'nothing'; can't understand 'nothing'"),
        (e.ResumeRequested(0, "s", "nothing"), "invalid selector: 'nothing'; can't understand 'nothing'"),
        (e.ShutdownRequested(0, "s", "Stop", node_field_selector="a=b=c"), "unescaped character in value: 61"),
    ],
)
def test_what_sets_nothing_or_selects_badly_is_refused_as_an_internal_error(event: e.Event, message: str) -> None:
    play = Play(workflow("{entrypoint: gate, templates: [{name: gate, suspend: {}}]}"), "live")
    with pytest.raises(Refused, match=message) as refused:
        play.tell(dataclasses.replace(event, at=play.at))
    assert refused.value.code == 13
    assert play.phase == "Running"


def test_a_retry_takes_no_parameter_that_kubernetes_would_refuse() -> None:
    play = Play(workflow("{entrypoint: main, templates: [{name: main, container: {image: i, command: [c]}}]}"), "live")
    play.end("wf", 1)
    complaint = r'Workflow.argoproj.io "wf" is invalid: spec.arguments.parameters\[0\].name: Invalid value: ""'
    with pytest.raises(Refused, match=complaint):
        play.tell(e.RetryRequested(play.at, "s", parameters=("=1",)))
    assert play.phase == "Failed"
