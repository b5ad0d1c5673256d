"""Cron workflows on a real platform: what they start, when, and their status and events."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import toy_parts as toys

from hera_utils.argo.timestamps import seconds, text
from hera_utils.errors import Refused
from hera_utils.local_platform.platform import LocalPlatform
from waiting import until

Json = dict[str, Any]


@pytest.fixture
def platform(tmp_path) -> Iterator[LocalPlatform]:
    platform = LocalPlatform(tmp_path / "state", advance=toys.advance, runtime=toys.ToyRuntime)
    yield platform
    platform.close()


def cron(name: str, *command: str, **spec: Any) -> Json:
    workflow = toys.workflow(*command)["spec"]
    return {"metadata": {"name": name}, "spec": {"schedules": ["@every 1s"], "workflowSpec": workflow, **spec}}


def status(platform: LocalPlatform, name: str) -> Json:
    return json.loads(platform.get("CronWorkflow", "default", name).text).get("status") or {}


def runs(platform: LocalPlatform) -> list[Json]:
    return [json.loads(stored.text) for stored in platform.list("Workflow", "default")[0]]


def test_a_schedule_starts_workflows_and_their_ends_are_counted(platform):
    extra = {"labels": {"mine": "yes"}, "annotations": {"note": "here"}}
    platform.create("CronWorkflow", "default", cron("tick", "true", workflowMetadata=extra))
    until(lambda: status(platform, "tick").get("succeeded", 0) >= 2)
    document = json.loads(platform.get("CronWorkflow", "default", "tick").text)
    assert document["metadata"]["annotations"]["cronworkflows.argoproj.io/last-used-schedule"] == "@every 1s"
    assert document["status"]["phase"] == "Active"
    first = runs(platform)[0]["metadata"]
    scheduled = first["annotations"]["workflows.argoproj.io/scheduled-time"]
    assert first["name"] == f"tick-{int(seconds(scheduled))}"
    assert first["labels"]["workflows.argoproj.io/cron-workflow"] == "tick"
    assert (first["labels"]["mine"], first["annotations"]["note"]) == ("yes", "here")
    assert first["ownerReferences"][0]["uid"] == document["metadata"]["uid"]


def test_histories_are_short_and_go_with_the_cron_workflow(platform):
    platform.create("CronWorkflow", "default", cron("brief", "true", successfulJobsHistoryLimit=1))
    until(lambda: status(platform, "brief").get("succeeded", 0) >= 3)
    until(lambda: len([run for run in runs(platform) if run["status"].get("phase") == "Succeeded"]) <= 1)
    document = json.loads(platform.get("CronWorkflow", "default", "brief").text)
    document["spec"] |= {"successfulJobsHistoryLimit": 0, "suspend": True}
    platform.update("CronWorkflow", "default", document)
    until(lambda: not runs(platform))
    platform.delete("CronWorkflow", "default", "brief")
    until(lambda: not runs(platform))


def test_forbid_starts_nothing_beside_a_run(platform):
    platform.create("CronWorkflow", "default", cron("alone", "sleep", "30", concurrencyPolicy="Forbid"))
    until(lambda: status(platform, "alone").get("active"))
    time.sleep(2.2)
    assert len(runs(platform)) == 1
    assert len(status(platform, "alone")["active"]) == 1


def test_a_stop_strategy_stops_it_for_good(platform):
    platform.create(
        "CronWorkflow", "default", cron("once", "true", stopStrategy={"expression": "cronworkflow.succeeded >= 1"})
    )
    until(lambda: status(platform, "once").get("phase") == "Stopped")
    assert not platform.busy()
    metadata = lambda: json.loads(platform.get("CronWorkflow", "default", "once").text)["metadata"]  # noqa: E731
    until(lambda: metadata().get("labels") == {"cronworkflows.argoproj.io/completed": "true"})
    assert len(runs(platform)) == 1


def test_suspended_it_starts_nothing(platform):
    platform.create("CronWorkflow", "default", cron("asleep", "true", suspend=True))
    time.sleep(1.5)
    assert not runs(platform)
    assert not platform.busy()


def test_a_template_that_is_missing_is_a_condition_until_it_is_there_again(platform):
    template = {"metadata": {"name": "t"}, "spec": toys.workflow("true")["spec"]}
    platform.create("WorkflowTemplate", "default", template)
    document = cron("refers", "true")
    calls = [[{"name": "a", "templateRef": {"name": "t", "template": "main"}}]]
    document["spec"]["workflowSpec"]["templates"].append({"name": "caller", "steps": calls})
    platform.create("CronWorkflow", "default", document)
    until(lambda: status(platform, "refers").get("succeeded"))
    whole = cron("whole", suspend=True)
    whole["spec"]["workflowSpec"] = {"workflowTemplateRef": {"name": "t"}}
    platform.create("CronWorkflow", "default", whole)
    platform.delete("WorkflowTemplate", "default", "t")
    for name, words in (
        ("refers", "templates.caller templates.caller.steps[0].a template reference t.main not found"),
        ("whole", 'WorkflowTemplate Informer cannot find WorkflowTemplate of name "t" in namespace "default"'),
    ):
        (condition,) = until(lambda name=name: status(platform, name).get("conditions"))
        assert (condition["type"], condition["message"]) == ("SpecError", f"cannot validate Workflow: {words}")
    ended = status(platform, "refers")["succeeded"]
    platform.create("WorkflowTemplate", "default", template)
    until(lambda: status(platform, "refers")["succeeded"] > ended)
    assert not status(platform, "refers")["conditions"]


def test_what_cannot_be_submitted_is_a_condition(platform):
    platform.create("CronWorkflow", "default", cron("wrong", "true", when="{{cronworkflow.nothing}} == 1"))
    (condition,) = until(lambda: status(platform, "wrong").get("conditions"))
    assert (condition["type"], condition["status"]) == ("SubmissionError", "True")
    assert condition["message"] == "run policy error: failed to resolve {{cronworkflow.nothing}}"
    assert not runs(platform)


@pytest.mark.parametrize(("deadline", "wanted"), [(3600, 1), (0, 0)])
def test_a_time_that_was_missed_is_made_up_for_within_its_deadline(tmp_path, deadline, wanted):
    state = tmp_path / "state"
    first = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)
    first.create("Namespace", "", {"metadata": {"name": "night"}})
    document = cron("nightly", "true", schedules=["*/5 * * * *"], startingDeadlineSeconds=deadline, suspend=True)
    document["metadata"]["annotations"] = {"cronworkflows.argoproj.io/last-used-schedule": "*/5 * * * *"}
    first.create("CronWorkflow", "default", document)
    first.close()
    second = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)
    try:
        changed = json.loads(second.get("CronWorkflow", "default", "nightly").text)
        changed["spec"]["suspend"] = False
        changed["status"] = {"lastScheduledTime": text(time.time() - 1200)}
        second.update("CronWorkflow", "default", changed)
        if wanted:
            until(lambda: status(second, "nightly").get("succeeded"))
        time.sleep(0.2)
        assert len(runs(second)) == wanted
        if wanted:
            assert (
                seconds(runs(second)[0]["metadata"]["annotations"]["workflows.argoproj.io/scheduled-time"]) % 300 == 0
            )
    finally:
        second.close()


def test_a_run_goes_on_to_be_counted_by_the_next_server(tmp_path):
    state = tmp_path / "state"
    first = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)
    first.create("CronWorkflow", "default", cron("long", "sleep", "1.5", concurrencyPolicy="Forbid"))
    until(lambda: status(first, "long").get("active"))
    first.close()
    second = LocalPlatform(state, advance=toys.advance, runtime=toys.ToyRuntime)
    try:
        until(lambda: status(second, "long").get("succeeded", 0) >= 1)
    finally:
        second.close()


def test_deleting_what_is_not_there_is_refused_as_before(platform):
    with pytest.raises(Refused):
        platform.delete("CronWorkflow", "default", "nobody")
