"""The runs that a platform has, and the workflows of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hera_utils.runs.record import RUN_LABEL, label_of, run_of
from hera_utils.runs.whole_run import submission_order

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]


def runs_of_platform(client: ArgoClient) -> list[str]:
    """The names of the platform's runs, the newest first."""
    workflows = client.list(fields="metadata.name,metadata.labels,metadata.creationTimestamp,metadata.resourceVersion")
    newest_first = sorted((workflow["metadata"] for workflow in workflows), key=_sort_key_of_metadata, reverse=True)
    return list(dict.fromkeys(map(run_of, newest_first)))


def workflows_of(client: ArgoClient, run: str) -> list[str]:
    """The workflows of a run, the oldest first; the name itself if it is that of a single workflow."""
    fields = "metadata.name,metadata.creationTimestamp"
    workflows = client.list(selector=f"{RUN_LABEL}={label_of(run)}", fields=fields)
    return [str(workflow["metadata"]["name"]) for workflow in sorted(workflows, key=submission_order)] or [run]


def sort_key_by_age(workflow: Json) -> tuple[str, int]:
    """A key that sorts runs, the oldest first. Kubernetes gives whole seconds; within a second the last written is the newest."""
    return _sort_key_of_metadata(workflow["metadata"])


def _sort_key_of_metadata(metadata: Json) -> tuple[str, int]:
    version = str(metadata.get("resourceVersion") or "")
    return metadata.get("creationTimestamp") or "", int(version) if version.isdecimal() else 0
