"""Metrics: Prometheus' text, by Argo's names."""

from __future__ import annotations

import time

import requests
import toy_parts as toys
from serving import served

from hera_utils.platforms.local.platform import LocalPlatform
from hera_utils.platforms.local.server import argo_app
from hera_utils.platforms.local.server.metrics import _labels


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
            end = time.monotonic() + 10
            text = ""
            while 'concurrency_policy="Forbid"' not in text:
                assert time.monotonic() < end
                time.sleep(0.1)
                answer = requests.get(url + "/metrics", headers={"Authorization": "Bearer t"}, timeout=5)
                text = answer.text
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = text.splitlines()
        assert 'argo_workflows_gauge{phase="Succeeded"} 1' in lines
        assert 'argo_workflows_gauge{phase="Running"} 1' in lines
        assert 'argo_workflows_pods_gauge{phase="Succeeded"} 2' in lines
        assert 'argo_workflows_cronworkflows_triggered_total{name="busy",namespace="default"} 1' in lines
        assert any(line.startswith('argo_workflows_error_count{cause="CronWorkflowSubmissionError"}') for line in lines)
        assert "# TYPE argo_workflows_gauge gauge" in lines
    finally:
        platform.close()


def test_labels_are_escaped():
    assert _labels({"b": 'a"\\\n', "a": ""}) == '{a="",b="a\\"\\\\\\n"}'
