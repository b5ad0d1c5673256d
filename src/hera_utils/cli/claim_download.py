"""Downloads files of a cluster's claim: a workflow makes an artifact of them, which Argo's server then gives.

It needs no other permissions than any run, while `kubectl cp` needs the one to execute commands in pods.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.argo.names import generated_name
from hera_utils.cli import options
from hera_utils.cli.terminal import print_note, progress_console
from hera_utils.errors import HeraUtilsError, Refused, ResourceError, UnsupportedError
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.platforms.volumes import ClaimPath, CopyResult, copy_downloaded, place
from hera_utils.runs.outcome import outcome

if TYPE_CHECKING:
    from hera_utils.platforms.connection import Connection

_MOUNTED_AT = "/claim"
_KEPT_SECONDS = 24 * 3600
"""Until the cluster removes a workflow that its client could not delete."""


def fetch_workflow(claim: str, path: str, image: str) -> dict[str, Any]:
    """The workflow whose only task has the path of the claim as an output artifact. Pure."""
    mount = {"name": "claim", "mountPath": _MOUNTED_AT, "readOnly": True}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {},
        "spec": {
            "entrypoint": "cp",
            "ttlStrategy": {"secondsAfterCompletion": _KEPT_SECONDS},
            "volumes": [{"name": "claim", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}],
            "templates": [
                {
                    "name": "cp",
                    "container": {"image": image, "command": ["true"], "volumeMounts": [mount]},
                    "outputs": {"artifacts": [{"name": "files", "path": f"{_MOUNTED_AT}/{path}".rstrip("/")}]},
                }
            ],
        },
    }


def download(connection: Connection, source: str, target: str, image: str) -> CopyResult:
    """Copy a file or folder of a claim to this machine. image: of the task that mounts the claim; it needs the program `true`.

    Raises UnsupportedError for another direction, ResourceError when the task fails or the target cannot be written.
    """
    origin = place(source)
    if not isinstance(origin, ClaimPath) or isinstance(place(target), ClaimPath):
        raise UnsupportedError(
            "files cannot be copied to a claim in a cluster: Argo's API does not reach into claims",
            fix="let a task write them; or use kubectl cp with a pod that mounts the claim (docs/cluster.md, Files of a claim)",
        )
    origin.check()
    with ArgoClient(connection) as client, _fetching(client, fetch_workflow(origin.claim, origin.path, image)) as name:
        workflow = _follow(client, name, source)
        with tempfile.TemporaryDirectory(prefix="hera-utils-cp-") as folder:
            unpacked = _unpacked_artifact(connection, workflow, Path(folder), source)
            unpacked.rename(unpacked.with_name(origin.name))
            return copy_downloaded(unpacked.parent, origin.name, target)


@contextmanager
def _fetching(client: ArgoClient, document: dict[str, Any]) -> Iterator[str]:
    """Within, the workflow runs; it is deleted in any case, as it is of no use to anybody else."""
    # The name is chosen here, so that an interruption while the workflow is created leaves none either.
    name = generated_name("cp-", secrets.token_hex(8))
    document["metadata"]["name"] = name
    try:
        client.create(document)
        yield name
    finally:
        try:
            client.delete(name)
        except HeraUtilsError as error:
            if not (isinstance(error, Refused) and error.reason == "NotFound"):
                print_note(f"hera-utils: {name} could not be deleted ({error}); the cluster removes it in a day")


def _follow(client: ArgoClient, name: str, source: str) -> dict[str, Any]:
    """Show the workflow to its end; raises ResourceError when it fails."""
    from hera_utils.preflight.ready import not_taken_up_on
    from hera_utils.watch.display import display_for
    from hera_utils.watch.follow import follow

    not_taken_up = not_taken_up_on(client.connection)
    display = display_for(progress_console())
    workflow = follow(client, name, display, deadline=options.deadline(), not_taken_up=not_taken_up)
    ended = outcome(workflow)
    if "no such file or directory" in ended.why:  # of Argo's executor, which looks for the artifact
        raise ResourceError(f"there is no `{source}`", fix="the path is relative to the claim")
    if not ended.succeeded:
        raise ResourceError(
            f"nothing was copied: {ended.why or ended.phase}",
            fix="check the path, and that the cluster has an artifact repository; --image names an image that the cluster can pull",
        )
    return workflow


def _unpacked_artifact(connection: Connection, workflow: dict[str, Any], folder: Path, source: str) -> Path:
    from hera_utils.platforms import artifact_downloads

    artifacts = [artifact for artifact in artifact_downloads.artifacts_of(workflow) if artifact.name == "files"]
    name = str(workflow["metadata"]["name"])
    (saved,) = artifact_downloads.download(connection, name, artifacts, folder)
    file = folder / saved.path
    if file.suffix != ".tgz":
        return file
    try:
        return artifact_downloads.unpack_tgz(file)
    except ResourceError as error:
        raise ResourceError(
            f"`{source}` {str(error).removeprefix(f'{file} ')}", fix="copy a part of it; no link may lead out of that"
        ) from None
