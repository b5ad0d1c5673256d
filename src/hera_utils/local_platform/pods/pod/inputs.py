"""Fetches input artifacts into the pod's folder before any container starts (in Argo the init container does this)."""

from __future__ import annotations

import os
import tarfile
import zlib
from typing import Any

from . import archives, artifact_transfer, disk_room, file_trees, git, open_beneath
from .artifact_keys import KEYED, key_of, kind_of, partial_name, path_of
from .errors import LeadsOut, PodFault

Json = dict[str, Any]


def stage(job: Json, folder: str, overlapping: dict[str, tuple[str, str]]) -> None:
    """Fetch every input artifact to `folder/<name>`, and move it from there into a volume if its path is in one.

    overlapping: artifacts whose path is in a volume, name → (the volume's folder on this machine, path below it).
    """
    file_trees.remove(folder)  # an earlier attempt may have left it
    for artifact in (job["template"].get("inputs") or {}).get("artifacts") or []:
        target = f"{folder}/{artifact['name']}"
        _stage_one(job, artifact, target)
        if artifact["name"] in overlapping and os.path.lexists(target):
            _move(job, artifact, target, *overlapping[artifact["name"]])


def _move(job: Json, artifact: Json, source: str, volume: str, path: str) -> None:
    """Move an artifact into a volume. Raises PodFault if a link in the volume, which a task may have made, leads out of it."""
    if not path:
        raise PodFault(f"artifact {artifact['name']} failed to load: {artifact['path']} is where a volume is mounted")
    try:
        with open_beneath.at(volume, os.path.dirname(path), make=True) as parent:
            name = os.path.basename(path)
            if os.stat(source, follow_symlinks=False).st_dev != os.stat(parent).st_dev:
                source = _move_to_disk(source, parent, partial_name(job["pod"]["metadata"]["uid"]))
            file_trees.remove(f"{parent}/{name}")
            os.rename(source, f"{parent}/{name}")
    except LeadsOut:
        raise PodFault(
            f"artifact {artifact['name']} failed to load: a symbolic link in {artifact['path']} leads out of the volume"
        ) from None
    except OSError as error:
        raise _failure(artifact["name"], error) from error


def _failure(name: str, error: Exception) -> Exception:
    """The error for an artifact that cannot be fetched. The error of a full disk is returned unchanged, so that the pod waits."""
    return error if disk_room.is_full(error) else PodFault(f"artifact {name} failed to load: {error}")


def _copy(source: str, folder: str, name: str) -> None:
    top = os.open(source, os.O_PATH | os.O_NOFOLLOW)
    try:
        file_trees.copy(top, source, folder, name)
    finally:
        os.close(top)


def _move_to_disk(source: str, folder: str, name: str) -> str:
    """Move a file or folder to another file system, completely or not at all. Gives its new path."""
    target = f"{folder}/{name}"
    file_trees.remove(target)
    try:
        _copy(source, folder, name)
    except BaseException:
        file_trees.remove(target)
        raise
    file_trees.remove(source)
    return target


def _stage_one(job: Json, artifact: Json, target: str) -> None:
    name = artifact["name"]
    kind = kind_of(artifact)
    if kind is None or (kind in KEYED and not key_of(artifact)):
        if artifact.get("optional"):
            return
        raise PodFault(f"required artifact '{name}' not supplied")
    os.makedirs(os.path.dirname(target), exist_ok=True)
    fetched = target + ".fetched"
    try:
        _fetch(job, artifact, kind, fetched)
    except FileNotFoundError as error:
        if artifact.get("optional"):
            os.makedirs(target, exist_ok=True)  # a kubelet creates a folder as the mount point of a missing file
            return
        raise PodFault(f"artifact {name} failed to load: {error.strerror}") from error
    except (OSError, PodFault) as error:
        raise _failure(name, error) from error
    try:
        _unpack(artifact, fetched, target)
    except (OSError, PodFault, tarfile.TarError, EOFError, zlib.error) as error:
        raise _failure(name, error) from error
    if (mode := artifact.get("mode")) is not None:
        _change_mode(target, int(mode), bool(artifact.get("recurseMode")))


def _fetch(job: Json, artifact: Json, kind: str, target: str) -> None:
    place = (job.get("places") or {}).get("inputs", {}).get(artifact["name"])
    if place is None and kind == "http":
        place = {"kind": "http", "at": artifact["http"]}
    if place is not None:
        artifact_transfer.fetch(job["python"], place, target)
    elif kind == "raw":
        with open(target, "wb") as file:
            file.write(str(artifact["raw"].get("data") or "").encode())
    elif kind == "git":
        sees_machine = not any(settings.get("layers") for settings in (job.get("images") or {}).values())
        git.clone(artifact["git"], target, local=sees_machine, state=job["state"])
    else:
        key = str(key_of(artifact))
        source = path_of(job["store"], key)
        if not os.path.exists(source):
            raise FileNotFoundError(2, "The specified key does not exist.", key)
        _copy(source, *os.path.split(target))


def _unpack(artifact: Json, fetched: str, target: str) -> None:
    archive = artifact.get("archive") or {}
    if archive.get("none") is not None:
        kind = ""
    elif archive.get("tar") is not None:
        kind = "tar"
    elif archive.get("zip") is not None:
        kind = "zip"
    else:
        kind = "tar" if archives.is_tar(fetched) else ""
    if kind:
        archives.unpack(fetched, target, kind)
        os.unlink(fetched)
    else:
        file_trees.remove(target)
        os.rename(fetched, target)


def _change_mode(path: str, mode: int, recurse: bool) -> None:
    if not os.path.islink(path):
        os.chmod(path, mode)
    if recurse:
        for folder, folders, files in os.walk(path):
            for path in (os.path.join(folder, name) for name in (*folders, *files)):
                if not os.path.islink(path):  # a link's target does not belong to the artifact
                    os.chmod(path, mode)
