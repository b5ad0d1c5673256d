"""The local artifact store: a folder. A key is a path below it; what stands there is the file or folder itself, never an archive.

Argo with a default repository reports `{"name", "path", "s3": {"key": …}}` for what a task left behind; ours has the same shape, so
that every client can read it; the key leads into this folder. Keys follow Argo's default format: workflow, pod, artifact.
Used by the server and, without it, by the supervisors of pods: standard library only.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import uuid
from pathlib import Path
from typing import Any

from hera_utils.errors import PlatformError

Json = dict[str, Any]
STORES = ("s3", "gcs", "oss", "azure", "hdfs", "artifactory", "plugin")
"""Where Argo would keep an artifact elsewhere; on this machine they are one store, told apart by key alone."""


def default_key(workflow: str, pod: str, artifact: str) -> str:
    """Argo's default: `{{workflow.name}}/{{pod.name}}/<artifact>`; without Argo's `.tgz`, because nothing is packed here."""
    return f"{workflow}/{pod}/{artifact}"


def key_of(artifact: Json) -> str:
    """The key of an artifact that lives in a store, else ""."""
    for store in STORES:
        place = artifact.get(store)
        if isinstance(place, dict):
            return str(place.get("key") or place.get("blob") or place.get("path") or place.get("url") or "")
    return ""


def with_location(artifact: Json, key: str) -> Json:
    """The artifact as a task's outputs report it: with its key in the store that it named (s3 when none)."""
    for store, field in (("gcs", "key"), ("oss", "key"), ("azure", "blob"), ("hdfs", "path"), ("artifactory", "url")):
        if isinstance(artifact.get(store), dict):
            return {**artifact, store: {**artifact[store], field: key}}
    return {**artifact, "s3": {**(artifact.get("s3") or {}), "key": key}}


class ArtifactStore:
    """root: `artifacts/<namespace>` of the state folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, key: str) -> Path:
        """Where a key leads; a key that would leave the store is refused (PlatformError)."""
        parts = [part for part in key.split("/") if part not in ("", ".")]
        if not parts or ".." in parts or "\0" in key:
            raise PlatformError(f"the artifact key {key!r} is not a path inside the artifact store")
        return self.root.joinpath(*parts)

    def save(self, source: Path, key: str) -> Path:
        """Copy a file or a folder into the store, all of it or nothing; what the key held before is replaced."""
        target = self.path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{uuid.uuid4().hex}.part")
        try:
            copy(source, fresh)
            _replace(fresh, target)
        finally:
            remove(fresh)
        return target

    def fetch(self, key: str, target: Path) -> None:
        """Copy what a key holds to `target`: a copy, because a task may change its inputs. FileNotFoundError: nothing is there."""
        source = self.path(key)
        if not source.exists():
            raise FileNotFoundError(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        copy(source, target)


def copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder with its links as links."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def _replace(fresh: Path, target: Path) -> None:
    if target.is_dir() or (fresh.is_dir() and target.exists()):
        remove(target)
    os.replace(fresh, target)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def unpack(archive: Path, target: Path) -> None:
    """Unpack a tar archive (any compression); members that would leave `target` are refused (tarfile's data filter)."""
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(target, filter="data")
            return
        for member in tar.getmembers():  # Python without PEP 706: plain files and folders only
            parts = Path(member.name).parts
            if member.isdir() or member.isfile() and not Path(member.name).is_absolute() and ".." not in parts:
                tar.extract(member, target)
