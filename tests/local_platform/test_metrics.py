"""Metrics: Prometheus' text, by Argo's names."""

from __future__ import annotations

import requests
import toy_parts as toys
from serving import served

from hera_utils.local_platform.argo_api import argo_app
from hera_utils.local_platform.argo_api.metrics import _labels, exposition
from hera_utils.local_platform.platform import LocalPlatform
from waiting import until


def test_workflows_pods_and_cron_workflows_are_counted(tmp_path):
    platform = LocalPlatform(tmp_path / "state", advance=toys.advance, runtime=toys.ToyRuntime)
    try:
        stored = platform.submit("default", toys.workflow("true", count=2))
        toys.wait(platform, "default", stored.name)
        spec = {"schedules": ["@every 1s"], "when": "{{no}} == 1", "workflowSpec": toys.workflow("true")["spec"]}
        platform.create("CronWorkflow", "default", {"metadata": {"name": "never"}, "spec": spec})
        spec = {
            "schedules": ["@every 1s"],
            "concurrencyPolicy": "Forbid",
            "workflowSpec": toys.workflow("sleep", "9")["spec"],
        }
        platform.create("CronWorkflow", "default", {"metadata": {"name": "busy"}, "spec": spec})
        with served(argo_app(platform, "t")) as url:
            assert requests.get(url + "/metrics", timeout=5).status_code == 401

            def told():
                answer = requests.get(url + "/metrics", headers={"Authorization": "Bearer t"}, timeout=5)
                return answer if 'concurrency_policy="Forbid"' in answer.text else None

            answer = until(told)
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = answer.text.splitlines()
        assert 'argo_workflows_gauge{phase="Succeeded"} 1' in lines
        assert 'argo_workflows_gauge{phase="Running"} 1' in lines
        assert 'argo_workflows_pods_gauge{phase="Succeeded"} 2' in lines
        assert 'argo_workflows_cronworkflows_triggered_total{name="busy",namespace="default"} 1' in lines
        assert any(line.startswith('argo_workflows_error_count{cause="CronWorkflowSubmissionError"}') for line in lines)
        assert "# TYPE argo_workflows_gauge gauge" in lines
    finally:
        platform.close()


def exposed(platform, start):
    return [line for line in exposition(platform).splitlines() if line.startswith(start)]


def test_what_workflows_define_is_exposed(tmp_path):
    platform = LocalPlatform(tmp_path / "state")
    try:
        metrics = [
            {
                "name": "runs",
                "help": "How many\nran",
                "counter": {"value": "2"},
                "labels": [{"key": "how", "value": "{{status}}"}],
            },
            {"name": "size", "help": "size", "histogram": {"value": "{{outputs.parameters.n}}", "buckets": [1, 10]}},
            {"name": "age", "help": "age", "gauge": {"value": "{{duration}}", "realtime": True}},
        ]
        document = toys.workflow("sh", "-c", "echo 7 > /tmp/n")
        template = document["spec"]["templates"][0]
        template["metrics"] = {"prometheus": metrics}
        template["outputs"] = {"parameters": [{"name": "n", "valueFrom": {"path": "/tmp/n"}}]}
        for _ in range(2):
            stored = platform.submit("default", document)
            assert toys.wait(platform, "default", stored.name)["status"]["phase"] == "Succeeded"
        text = exposition(platform)
        assert "# HELP argo_workflows_runs How many\\nran\n# TYPE argo_workflows_runs counter\n" in text
        assert exposed(platform, "argo_workflows_runs{") == ['argo_workflows_runs{how="Succeeded"} 4']
        assert exposed(platform, "argo_workflows_size") == [
            'argo_workflows_size_bucket{le="1"} 0', 'argo_workflows_size_bucket{le="10"} 2',
            'argo_workflows_size_bucket{le="+Inf"} 2', "argo_workflows_size_sum 14", "argo_workflows_size_count 2",
        ]  # fmt: skip
        (age,) = exposed(platform, "argo_workflows_age ")
        assert 0 <= float(age.partition(" ")[2]) < 60
        assert 'argo_workflows_total_count{namespace="default",phase="Succeeded"} 2' in text
        assert 'argo_workflows_pods_total_count{namespace="default",phase="Succeeded"} 2' in text
        assert "argo_workflows_operation_duration_seconds_count" in text

        changed = toys.workflow("true")
        changed["spec"]["templates"][0]["metrics"] = {
            "prometheus": [{"name": "runs", "help": "new", "counter": {"value": "1"}}]
        }
        stored = platform.submit("default", changed)
        conditions = toys.wait(platform, "default", stored.name)["status"]["conditions"]
        assert [one["message"] for one in conditions if one["type"] == "MetricsError"] == [
            "could not construct metric 'runs': help for metric runs is already set to How many\nran, it cannot be changed"
        ]
    finally:
        platform.close()


def test_the_clocks_of_a_deleted_run_are_gone(tmp_path):
    platform = LocalPlatform(tmp_path / "state")
    try:
        document = toys.workflow("true")
        clock = {"name": "clock", "help": "h", "gauge": {"value": "{{workflow.duration}}", "realtime": True}}
        document["spec"]["metrics"] = {"prometheus": [clock]}
        stored = platform.submit("default", document)
        toys.wait(platform, "default", stored.name)
        assert exposed(platform, "argo_workflows_clock ")
        platform.delete("Workflow", "default", stored.name)
        assert not exposed(platform, "argo_workflows_clock ")
    finally:
        platform.close()


def test_locks_are_counted(tmp_path):
    platform = LocalPlatform(tmp_path / "state")
    try:
        document = toys.workflow("sleep", "30", synchronization={"mutexes": [{"name": "door"}]})
        first, second = (platform.submit("default", document) for _ in range(2))
        lock = '{lock_name="door",namespace="default",storage="configmap",type="mutex"} 1'
        both = [f"argo_workflows_locks_held{lock}", f"argo_workflows_locks_pending{lock}"]
        until(lambda: exposed(platform, "argo_workflows_locks_") == both)
        for stored in (second, first):
            platform.delete("Workflow", "default", stored.name)
    finally:
        platform.close()


def test_labels_are_escaped():
    assert _labels({"b": 'a"\\\n', "a": ""}) == '{a="",b="a\\"\\\\\\n"}'
