"""What the controller counts of runs and pods while it works, for `/metrics`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.interpreter.state import Run
from hera_utils.local_platform.controller.metrics import RUNTIME_BUCKETS, Meters
from hera_utils.local_platform.storage.records import StoredPod

Json = dict[str, Any]


@contextmanager
def of_run(meters: Meters, run: Run) -> Iterator[None]:
    """One step of a run: how long it took, and the phase that it entered, if it entered one."""
    before, began = run.phase, time.perf_counter()
    yield
    meters.observe("operation_duration_seconds", time.perf_counter() - began)
    phase = run.phase
    if phase == before or not phase:
        return
    meters.count("total_count", phase=phase, namespace=run.namespace)
    reference = (run.document.get("spec") or {}).get("workflowTemplateRef")
    if not reference:
        return
    cluster = "true" if reference.get("clusterScope") else "false"
    which = {"name": str(reference.get("name") or ""), "namespace": run.namespace, "cluster_scope": cluster}
    meters.count("workflowtemplate_triggered_total", phase=phase, **which)
    if run.finished:
        status = run.document["status"]
        took = timestamps.seconds(status.get("finishedAt")) - timestamps.seconds(status.get("startedAt"))
        meters.observe("workflowtemplate_runtime", took, RUNTIME_BUCKETS, **which)


def of_pod(meters: Meters, pod: StoredPod, status: Json) -> None:
    """A pod's next status: the phase that it enters, if it enters one."""
    phase = status.get("phase")
    if phase and json.loads(pod.status).get("phase") != phase:
        meters.count("pods_total_count", phase=phase, namespace=pod.namespace)
