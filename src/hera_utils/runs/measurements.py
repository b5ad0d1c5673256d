"""Measurements of tasks by the local platform (the field argo.annotations.RAN; explained in docs/resources.md), as columns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hera_utils.argo.annotations import RAN

Json = dict[str, Any]

_FIELDS = {
    "cpu_seconds": "cpuSeconds",
    "peak_memory": "peakMemory",
    "read_bytes": "readBytes",
    "written_bytes": "writtenBytes",
    "disk_read_bytes": "diskReadBytes",
    "disk_written_bytes": "diskWrittenBytes",
    "start_delay": "startDelay",
    "requested_cpu": "requestedCpu",
    "requested_memory": "requestedMemory",
}
COLUMNS = tuple(_FIELDS)
"""In seconds, bytes, and cores (requested_cpu)."""
_SUMMED = ("cpu_seconds", "read_bytes", "written_bytes", "disk_read_bytes", "disk_written_bytes")


def measurements_of(node: Json) -> dict[str, float]:
    """The measurements of a pod's node, by column; {} if there are none."""
    ran = node.get(RAN) or {}
    return {column: ran[name] for column, name in _FIELDS.items() if isinstance(ran.get(name), int | float)}


def sum_measurements(tasks: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The measurements of a point with these tasks: sums, and for memory the maximum."""
    measured_tasks = [task for task in tasks if task]
    together = {
        name: round(sum(measured.get(name, 0) for measured in measured_tasks), 4) for name in _SUMMED if measured_tasks
    }
    peaks = [measured["peak_memory"] for measured in measured_tasks if "peak_memory" in measured]
    return {**together, **({"peak_memory": max(peaks)} if peaks else {})}
