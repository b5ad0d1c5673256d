"""The output artifacts of a whole run, with those of its gather and of the points that an earlier run computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hera_utils.errors import ResourceError
from hera_utils.platforms import artifact_downloads
from hera_utils.results.results import Results
from hera_utils.runs.whole_run import WholeRun

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient
    from hera_utils.platforms.artifact_downloads import Artifact, SavedArtifact


def artifacts_of_run(run: WholeRun) -> list[Artifact]:
    """Each artifact once, under TASK/NAME. If a task ran again in a later workflow of the run, the later artifacts count."""
    tasks_of_points = {(row.workflow, row.task) for row in Results.of_run(run) if row.point} if run.earlier else set()
    by_name: dict[tuple[str, str], Artifact] = {}
    there = (document for document in run.documents if document["metadata"]["name"] not in run.deleted)
    documents = sorted(there, key=lambda document: document["metadata"]["name"] not in run.earlier)
    for document in documents:
        for artifact in artifact_downloads.artifacts_of(document):
            if artifact.workflow not in run.earlier or (artifact.workflow, artifact.task) in tasks_of_points:
                by_name[artifact.task, artifact.name] = artifact
    return list(by_name.values())


def missing_artifact(run: str, there: Sequence[Artifact], rest: str = "") -> ResourceError:
    """The error for a run that has no artifact `rest` (TASK or TASK/NAME), or none at all."""
    names = ", ".join(list(dict.fromkeys(f"{artifact.task}/{artifact.name}" for artifact in there))[:10])
    what = f"no output artifact `{rest}`" if rest else "no output artifacts"
    return ResourceError(f"{run} has {what}", fix=f"it has: {names}" if names else None)


def download_run(client: ArgoClient, run: WholeRun, folder: Path, *, task: str, artifact: str) -> list[SavedArtifact]:
    """Download the artifacts of a run (all, a task's, or one) into a folder, as TASK/NAME. Raises ResourceError if there is none."""
    there = artifacts_of_run(run)
    artifacts = artifact_downloads.choose_artifacts(there, task, artifact)
    if not artifacts:
        raise missing_artifact(run.name, there, "/".join(filter(None, (task, artifact))))
    return artifact_downloads.download(
        replace(client.connection, namespace=client.namespace), run.name, artifacts, folder
    )
