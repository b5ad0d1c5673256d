"""Results with the last lines of the logs of failed tasks, which the Argo server gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hera_utils.results.results import Results
from hera_utils.runs.failure_summary import last_lines
from hera_utils.runs.script_places import ScriptPlaces

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]
MOST_LOGS = 20


def add_last_lines(client: ArgoClient, results: Results, documents: Iterable[Json]) -> Results:
    """The results with the last lines of the first failed tasks. documents: the workflows of the run."""
    return results.with_logs(dict(_last_lines(client, results, ScriptPlaces(documents))))


def _last_lines(client: ArgoClient, results: Results, places: ScriptPlaces) -> Iterator[tuple[str, list[str]]]:
    """(node id, last lines) of the first failed tasks that ran in a pod."""
    failed = [row for row in results.failures if row.pod]
    for row in failed[:MOST_LOGS]:
        lines = last_lines(client, row.workflow, row.pod)
        if lines is not None:  # a failure without a log is still reported
            yield row.node_id, places.add_places(lines, row.template, row.inputs)
