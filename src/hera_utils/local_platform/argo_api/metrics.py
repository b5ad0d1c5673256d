"""Metrics for Prometheus at `/metrics`: those metrics of Argo's controller that make sense on one machine, under their documented names,
and metrics that workflows define (metrics.prometheus).

Gauges are counted at each request; counters start at zero with the server, as a controller's do. Argo's controller serves its metrics
on another port without a token; here the one server asks for its token. Source: docs/metrics.md.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping

from hera_utils.local_platform.argo_api.answers import VERSION
from hera_utils.local_platform.controller.metrics import OWN, MetricFamily
from hera_utils.local_platform.platform import LocalPlatform

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PHASES = ("Error", "Failed", "Pending", "Running", "Succeeded")
_POD_PHASES = ("Pending", "Running", "Succeeded", "Failed")

Sample = tuple[Mapping[str, str], float]


def exposition(platform: LocalPlatform) -> str:
    """All metrics in Prometheus' text format."""
    runs, pods, cron = platform.phases("Workflow"), platform.phases("Pod"), platform.cron_counts()
    held, pending = platform.lock_counts()
    families = [
        _family("gauge", "gauge", (({"phase": phase}, runs.get(phase, 0)) for phase in _PHASES)),
        _family("pods_gauge", "gauge", (({"phase": phase}, pods.get(phase, 0)) for phase in _POD_PHASES)),
        _family("cronworkflows_triggered_total", "counter",
                (({"name": name, "namespace": place}, count) for (place, name), count in sorted(cron.triggered.items()))),
        _family("cronworkflows_concurrencypolicy_triggered", "counter",
                (({"name": name, "namespace": place, "concurrency_policy": policy}, count)
                 for (place, name, policy), count in sorted(cron.limited.items()))),
        _family("error_count", "counter", (({"cause": cause}, count) for cause, count in sorted(cron.errors.items()))),
        _family("locks_held", "gauge", ((_lock(name), count) for name, count in sorted(held.items()))),
        _family("locks_pending", "gauge", ((_lock(name), count) for name, count in sorted(pending.items()))),
        _family("is_leader", "gauge", [({}, 1)]),
        _family("version", "gauge", [({"version": VERSION, "git_tag": VERSION, "git_commit": "hera-utils"}, 1)]),
    ]  # fmt: skip
    now = time.time()
    platform.metrics.each(lambda name, family: families.append(_stored_family(name, family, now)))
    return "".join(families)


def _lock(name: str) -> dict[str, str]:
    """The labels of a lock from its name: `namespace/Mutex/name` or `namespace/ConfigMap/name/key`."""
    namespace, kind, rest = (name.split("/", 2) + ["", ""])[:3]
    type_ = "mutex" if kind == "Mutex" else "semaphore"
    return {"type": type_, "storage": "configmap", "lock_name": rest, "namespace": namespace}


def _family(name: str, kind: str, samples: Iterable[Sample]) -> str:
    lines = [_line(name, labels, value) for labels, value in samples]
    return _head(name, kind, OWN[name]) + "".join(lines) if lines else ""


def _stored_family(name: str, family: MetricFamily, now: float) -> str:
    if not family.series:
        return ""
    lines = [_head(name, family.kind, family.help)]
    for labels, series in sorted(family.series.items()):
        pairs = dict(labels)
        if family.kind != "histogram":
            lines.append(_line(name, pairs, series.value_at(now)))
            continue
        for limit, count in zip((*family.buckets, math.inf), (*series.counts, series.observed), strict=True):
            lines.append(_line(f"{name}_bucket", {**pairs, "le": _number(limit)}, count))
        lines += [_line(f"{name}_sum", pairs, series.value), _line(f"{name}_count", pairs, series.observed)]
    return "".join(lines)


def _head(name: str, kind: str, help_text: str) -> str:
    full = f"argo_workflows_{name}"
    return f"# HELP {full} {_in_one_line(help_text)}\n# TYPE {full} {kind}\n"


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    return f"argo_workflows_{name}{_labels(labels)} {_number(value)}\n"


def _number(value: float) -> str:
    """A number as Go prints it: without `.0`, the shortest text of the value."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escape(value)}"' for name, value in sorted(labels.items()))
    return f"{{{pairs}}}"


def _escape(text: str) -> str:
    return _in_one_line(text).replace('"', '\\"')


def _in_one_line(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
