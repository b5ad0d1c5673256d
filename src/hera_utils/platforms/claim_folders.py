"""The folders that the claims of the local platform stand for, for its clients."""

from __future__ import annotations

import os
from pathlib import Path

from hera_utils.argo import claim_folders
from hera_utils.errors import ResourceError
from hera_utils.platforms.cluster import Cluster
from hera_utils.settings.resolve import CLIContext
from hera_utils.wording import system_reason


def claim_folder(cluster: Cluster, name: str, state: str) -> Path:
    """The folder of an existing claim. state: the state folder. Raises Refused (NotFound) if there is no such claim."""
    return Path(claim_folders.folder_of_claim(cluster.get("PersistentVolumeClaim", name), state))


def claim_folder_by_settings(context: CLIContext, name: str) -> Path | None:
    """The folder of a claim by the settings, without asking a server; None if it does not exist, and on a cluster."""
    if context.platform != "local":
        return None
    folder = Path(
        context.volumes.get(name) or claim_folders.default_folder(context.state, context.argo_namespace, name)
    )
    return folder if folder.is_dir() else None


def make_folder(folder: Path, claim: str) -> None:
    """Create a claim's folder. Raises ResourceError if it cannot be created or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        usable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        raise _unusable_folder(folder, claim, system_reason(error)) from None
    if not usable:
        raise _unusable_folder(folder, claim, "it cannot be written")


def _unusable_folder(folder: Path, claim: str, why: str) -> ResourceError:
    return ResourceError(
        f"the folder {folder} of the claim `{claim}` cannot be used ({why})",
        fix="name another in the settings' volumes",
    )
