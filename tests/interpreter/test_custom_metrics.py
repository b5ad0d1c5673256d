"""Custom metrics: which values a workflow tells, and when. The numbers are Argo's by its source (computeMetrics)."""

from __future__ import annotations

from typing import Any

import pytest
from playbook import START, Play, workflow

from hera_utils.interpreter import commands as c


def told(play: Play) -> list[c.EmitMetric]:
    return [one for one in play.commands if isinstance(one, c.EmitMetric)]


def metric(**fields: Any) -> dict[str, Any]:
    return {"name": "m", "help": "what it is", **fields}


def pod(*metrics: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "name": "main",
        "container": {"image": "i", "command": ["c"]},
        "metrics": {"prometheus": list(metrics)},
        **fields,
    }


def spec(template: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"entrypoint": "main", "templates": [template], **fields}


def conditions(play: Play) -> list[str]:
    return [one["message"] for one in play.run.document["status"]["conditions"] if one["type"] == "MetricsError"]


@pytest.mark.parametrize("mode", ["live", "restored", "naive"])
def test_a_node_that_ends_tells_its_metrics_once(mode: str) -> None:
    counter = metric(counter={"value": "1"}, labels=[{"key": "status", "value": "{{status}}"}])
    gauge = metric(name="g", gauge={"value": "{{duration}}", "operation": "Add"})
    histogram = metric(name="h", histogram={"value": "{{outputs.parameters.x}}", "buckets": [2, 1.5]})
    declared = {"outputs": {"parameters": [{"name": "x", "valueFrom": {"path": "/x"}}]}}
    play = Play(workflow(spec(pod(counter, gauge, histogram, **declared))), mode)
    assert told(play) == []
    play.start("wf")
    assert told(play) == []
    play.end("wf", outputs={"parameters": {"x": "1.7"}})
    assert told(play) == [
        c.EmitMetric("m", "what it is", "counter", {"status": "Succeeded"}, 1.0),
        c.EmitMetric("g", "what it is", "gauge", {}, 2.0, "Add"),
        c.EmitMetric("h", "what it is", "histogram", {}, 1.7, buckets=(1.5, 2.0)),
    ]


def test_when_decides_and_sees_status_and_exit_code() -> None:
    failed = metric(
        counter={"value": "1"}, when="{{status}} == Failed", labels=[{"key": "code", "value": "{{exitCode}}"}]
    )
    succeeded = metric(name="s", counter={"value": "1"}, when="{{status}} == Succeeded")
    play = Play(workflow(spec(pod(failed, succeeded))))
    play.start("wf")
    play.end("wf", 3)
    assert told(play) == [c.EmitMetric("m", "what it is", "counter", {"code": "3"}, 1.0)]


def test_a_clock_begins_with_its_node_and_stops_with_it() -> None:
    clock = metric(gauge={"value": "{{duration}}", "realtime": True})
    play = Play(workflow(spec(pod(clock))))
    assert [(one.since, one.until) for one in told(play)] == [(START, None)]
    play.start("wf")
    play.end("wf")
    assert [(one.since, one.until) for one in told(play)] == [(START, START + 2)]


def test_the_workflow_has_metrics_of_its_own() -> None:
    clock = metric(gauge={"value": "{{workflow.duration}}", "realtime": True})
    count = metric(name="n", counter={"value": "1"}, labels=[{"key": "status", "value": "{{workflow.status}}"}])
    play = Play(workflow(spec(pod(), metrics={"prometheus": [clock, count]})))
    assert [(one.name, one.since, one.until) for one in told(play)] == [("m", START, None)]
    play.start("wf")
    play.end("wf", 1)
    assert [(one.name, one.since, one.until, one.labels) for one in told(play)] == [
        ("m", START, START + 2, {}), ("n", None, None, {"status": "Failed"})
    ]  # fmt: skip


def test_every_attempt_that_is_retried_tells_and_so_does_the_retry_node() -> None:
    count = metric(
        counter={"value": "1"}, labels=[{"key": "status", "value": "{{status}}"}, {"key": "n", "value": "{{retries}}"}]
    )
    count["labels"].pop()
    play = Play(workflow(spec(pod(count, retryStrategy={"limit": "2"}))))
    seen = []
    for attempt, code in enumerate((1, 1, 0)):
        play.start(f"wf({attempt})")
        play.end(f"wf({attempt})", code)
        seen.append([one.labels["status"] for one in told(play)])
    assert seen == [["Failed"], ["Failed"], ["Succeeded"]]


def test_metrics_of_steps_and_of_what_they_call() -> None:
    leaf = pod(metric(name="leaf", counter={"value": "{{inputs.parameters.x}}"}))
    leaf.update(name="leaf", inputs={"parameters": [{"name": "x"}]})
    step = {
        "name": "s",
        "template": "leaf",
        "withItems": [1, 2],
        "arguments": {"parameters": [{"name": "x", "value": "{{item}}"}]},
    }
    main = {"name": "main", "steps": [[step]], "metrics": {"prometheus": [metric(counter={"value": "10"})]}}
    play = Play(workflow({"entrypoint": "main", "templates": [main, leaf]}))
    values = []
    for name in ("s(0:1)", "s(1:2)"):
        play.start(name)
        play.end(name)
        values += [(one.name, one.value) for one in told(play)]
    assert values == [("leaf", 1.0), ("leaf", 2.0), ("m", 10.0)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (metric(counter={"value": "{{outputs.result}}"}), "unable to substitute parameters for metric 'm': "),
        (
            metric(counter={"value": "many"}),
            "could not construct metric 'm': strconv.ParseFloat: parsing \"many\": invalid syntax",
        ),
        (metric(counter={"value": "1"}, when="a ~~ b"), "unable to compute 'when' clause for metric 'wf': "),
        (metric(gauge={"value": "1", "realtime": True}), "real time metrics can only be used with metric variables"),
        (metric(gauge={"value": "{{status}}", "realtime": True}), "'status' is not available as a real time metric"),
    ],
)
def test_what_is_wrong_with_a_metric_is_a_condition_and_no_failure(wrong: dict[str, Any], said: str) -> None:
    play = Play(workflow(spec(pod(wrong))))
    play.start("wf")
    play.end("wf")
    assert play.phase == "Succeeded"
    assert told(play) == []
    assert conditions(play)[0].startswith(said)
