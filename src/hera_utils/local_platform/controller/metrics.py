"""The metrics that the platform keeps for `/metrics`: its own counters, and metrics that workflows define.

All start at zero with the server, as a controller's do. A custom metric is identified by its name and labels; one that contradicts an
earlier metric of the name is refused with Argo's message. Source: workflow/metrics/metrics_custom.go, docs/metrics.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.interpreter.commands import EmitMetric
from hera_utils.interpreter.state import Run

Json = dict[str, Any]

Labels = tuple[tuple[str, str], ...]
OWN = {
    "gauge": "number of Workflows currently accessible by the controller by status",
    "pods_gauge": "A gauge of the number of workflow created pods currently in the cluster in each phase",
    "cronworkflows_triggered_total": "Total number of cron workflows triggered",
    "cronworkflows_concurrencypolicy_triggered": "Total number of times CronWorkflow concurrencyPolicy has triggered",
    "error_count": "Number of errors encountered by the controller by cause",
    "is_leader": "Emits 1 if leader, 0 otherwise. Always 1 if leader election is disabled.",
    "version": "Build metadata for this Controller",
    "total_count": "Total number of Workflows that have entered each phase",
    "pods_total_count": "Total number of pods that have entered each phase",
    "operation_duration_seconds": "Histogram of durations of operations",
    "locks_held": "Number of synchronization locks currently held",
    "locks_pending": "Number of pending synchronization lock requests",
    "workflowtemplate_triggered_total": "Total number of workflow templates triggered by workflowTemplateRef",
    "workflowtemplate_runtime": "Duration of workflow template runs run through workflowTemplateRefs",
    "workflow_condition": "Workflow condition",
}
"""Those of the controller's own metrics that make sense here: name → help."""
BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0)
RUNTIME_BUCKETS = (0.0, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 180.0)


@dataclass
class MetricSeries:
    """The values of one set of labels. counts: for a histogram, how many values were at most each bucket. since: when set, the value is the
    time since then, a realtime metric of the run `run`.
    """

    value: float = 0.0
    counts: list[int] = field(default_factory=list)
    observed: int = 0
    since: float | None = None
    until: float | None = None
    run: str = ""

    def value_at(self, now: float) -> float:
        if self.since is None:
            return self.value
        return max(0.0, (now if self.until is None else self.until) - self.since)


@dataclass
class MetricFamily:
    kind: str
    help: str
    buckets: tuple[float, ...] = ()
    series: dict[Labels, MetricSeries] = field(default_factory=dict)

    def observe(self, labels: Labels, value: float) -> None:
        series = self.series.setdefault(labels, MetricSeries(counts=[0] * len(self.buckets)))
        series.value += value
        series.observed += 1
        for index, limit in enumerate(self.buckets):
            series.counts[index] += value <= limit


class Metrics:
    """All metric families. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._families: dict[str, MetricFamily] = {}

    def count(self, name: str, /, **labels: str) -> None:
        """Add one to a counter of the platform's own."""
        with self._lock:
            family = self._families.setdefault(name, MetricFamily("counter", OWN[name]))
            family.series.setdefault(_key(labels), MetricSeries()).value += 1

    def observe(self, name: str, value: float, /, buckets: tuple[float, ...] = BUCKETS, **labels: str) -> None:
        """Add a value to a histogram of the platform's own."""
        with self._lock:
            self._families.setdefault(name, MetricFamily("histogram", OWN[name], buckets)).observe(_key(labels), value)

    def emit(self, run: str, metric: EmitMetric) -> str:
        """Apply a metric that a workflow emits. Gives Argo's error message, "" for none."""
        with self._lock:
            problem = self._mismatch(metric)
            if problem:
                return f"could not construct metric '{metric.name}': {problem}"
            family = self._families.setdefault(metric.name, MetricFamily(metric.kind, metric.help, metric.buckets))
            labels = _key(metric.labels)
            if metric.kind == "histogram":
                family.observe(labels, metric.value)
                return ""
            series = family.series.setdefault(labels, MetricSeries())
            if metric.since is not None:
                series.since, series.until, series.run = metric.since, metric.until, run
            elif metric.kind == "counter" or metric.operation == "Add":
                series.value += metric.value
            elif metric.operation == "Sub":
                series.value -= metric.value
            else:
                series.value, series.since = metric.value, None
            return ""

    def _mismatch(self, metric: EmitMetric) -> str:
        family = self._families.get(metric.name)
        help_text = family.help if family is not None else OWN.get(metric.name)
        if help_text is not None and help_text != metric.help:
            return f"help for metric {metric.name} is already set to {help_text}, it cannot be changed"
        if family is not None and family.kind != metric.kind:
            return f"found existing {family.kind} for custom metric {metric.name} of type {metric.kind.capitalize()}"
        return ""

    def forget(self, run: str) -> None:
        """Remove the realtime metrics of a deleted run."""
        with self._lock:
            for family in self._families.values():
                for labels in [labels for labels, series in family.series.items() if series.run == run]:
                    del family.series[labels]

    def each(self, show: Callable[[str, MetricFamily], None]) -> None:
        """Show every family, in the order of names, while nothing changes."""
        with self._lock:
            for name in sorted(self._families):
                show(name, self._families[name])


def _key(labels: Mapping[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


# --- metrics of the controller's own work ------------------------------------------------------------


@contextmanager
def measure_step(metrics: Metrics, run: Run) -> Iterator[None]:
    """Measure one step of a run: how long it took, and whether the run entered another phase."""
    before, began = run.phase, time.perf_counter()
    yield
    metrics.observe("operation_duration_seconds", time.perf_counter() - began)
    phase = run.phase
    if phase == before or not phase:
        return
    metrics.count("total_count", phase=phase, namespace=run.namespace)
    reference = (run.document.get("spec") or {}).get("workflowTemplateRef")
    if not reference:
        return
    cluster = "true" if reference.get("clusterScope") else "false"
    which = {"name": str(reference.get("name") or ""), "namespace": run.namespace, "cluster_scope": cluster}
    metrics.count("workflowtemplate_triggered_total", phase=phase, **which)
    if run.finished:
        status = run.document["status"]
        took = timestamps.seconds(status.get("finishedAt")) - timestamps.seconds(status.get("startedAt"))
        metrics.observe("workflowtemplate_runtime", took, RUNTIME_BUCKETS, **which)


def count_pod_phases(metrics: Metrics, namespace: str, before: Json, status: Json, *, ran: bool) -> None:
    """Count the phase of a pod's next status, if it is another one. ran: the pod was Running in between, without a status of its own."""
    phase = status.get("phase")
    if ran:
        metrics.count("pods_total_count", phase="Running", namespace=namespace)
    if phase and before.get("phase") != phase:
        metrics.count("pods_total_count", phase=phase, namespace=namespace)
