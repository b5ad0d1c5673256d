"""Deletes workflows. The record of their run stores them first, so that the results of this run and of later runs stay complete."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.errors import ResourceError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]


def keep_and_delete(client: ArgoClient, workflow: str) -> None:
    """Store a workflow in the record of its run, then delete it.

    Raises Refused if there is no such workflow, ResourceError if its record cannot be written.
    """
    from hera_utils.argo.phases import COMPLETED, phase_of
    from hera_utils.cli.run_names import record_folders

    folders = record_folders()
    if any(folder.is_dir() for folder in folders):
        document = client.get(workflow)
        if phase_of(document) in COMPLETED:
            _keep_document(document, folders, [client.connection.token, *_secrets()])
    client.delete(workflow)


def _secrets() -> list[Any]:
    from hera_utils.cli import options
    from hera_utils.results.secrecy import secrets_of

    return [*options.context().secrets(), *secrets_of(os.environ)]


def _keep_document(document: Json, folders: Sequence[Path], secrets: list[Any]) -> None:
    """Store the workflow in the record of its run, if there is one. An older version in the record is replaced, as retries change it."""
    from hera_utils.results.secrecy import holds_secret
    from hera_utils.runs.record import RUN_LABEL, RunRecord
    from hera_utils.runs.whole_run import record_folder

    metadata = document["metadata"]
    folder = record_folder(str((metadata.get("labels") or {}).get(RUN_LABEL) or metadata["name"]), folders)
    if folder is None or holds_secret(document, secrets):
        return
    try:
        record = RunRecord.open(folder)
    except (ResourceError, SettingsError):  # a damaged record does not prevent the deletion
        return
    with record:
        if any(row.name == metadata["name"] for row in record.workflows()):
            record.keep_document(metadata["name"], document)
