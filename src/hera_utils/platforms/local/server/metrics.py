"""Metrics for Prometheus at `/metrics`: those of Argo's controller that mean something on one machine, by their documented names.

Gauges are counted when they are asked for; counters begin anew with the server, as a controller's do. Source: docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hera_utils.platforms.local.platform import LocalPlatform
from hera_utils.platforms.local.server.answers import VERSION

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PHASES = ("Error", "Failed", "Pending", "Running", "Succeeded")
_POD_PHASES = ("Pending", "Running", "Succeeded", "Failed")

Sample = tuple[Mapping[str, str], float]


def exposition(platform: LocalPlatform) -> str:
    """All metrics in Prometheus' text format."""
    runs, pods, cron = platform.phases("Workflow"), platform.phases("Pod"), platform.cron_counts()
    families = (
        _family("gauge", "gauge", "number of Workflows currently accessible by the controller by status",
                (({"phase": phase}, runs.get(phase, 0)) for phase in _PHASES)),
        _family("pods_gauge", "gauge", "A gauge of the number of workflow created pods currently in the cluster in each phase",
                (({"phase": phase}, pods.get(phase, 0)) for phase in _POD_PHASES)),
        _family("cronworkflows_triggered_total", "counter", "Total number of cron workflows triggered",
                (({"name": name, "namespace": place}, count) for (place, name), count in sorted(cron.triggered.items()))),
        _family("cronworkflows_concurrencypolicy_triggered", "counter",
                "Total number of times CronWorkflow concurrencyPolicy has triggered",
                (({"name": name, "namespace": place, "concurrency_policy": policy}, count)
                 for (place, name, policy), count in sorted(cron.limited.items()))),
        _family("error_count", "counter", "Number of errors encountered by the controller by cause",
                (({"cause": cause}, count) for cause, count in sorted(cron.errors.items()))),
        _family("is_leader", "gauge", "Emits 1 if leader, 0 otherwise. Always 1 if leader election is disabled.", [({}, 1)]),
        _family("version", "gauge", "Build metadata for this Controller",
                [({"version": VERSION, "git_tag": VERSION, "git_commit": "hera-utils"}, 1)]),
    )  # fmt: skip
    return "".join(families)


def _family(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> str:
    full = f"argo_workflows_{name}"
    lines = [f"{full}{_labels(labels)} {value:g}\n" for labels, value in samples]
    return f"# HELP {full} {help_text}\n# TYPE {full} {kind}\n{''.join(lines)}" if lines else ""


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))
    return f"{{{pairs}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
