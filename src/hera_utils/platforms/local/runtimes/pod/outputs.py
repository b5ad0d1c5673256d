"""Output parameters and artifacts, read in the container's own view after its command ended (Argo: emissary and wait)."""

from __future__ import annotations

import os
import shutil
from typing import Any

from . import archives, store
from .fault import PodFault

Json = dict[str, Any]


class Collected:
    """What was found: parameters and artifacts as Argo reports them, and what could not be done."""

    def __init__(self) -> None:
        self.parameters: list[Json] = []
        self.artifacts: list[Json] = []
        self.errors: list[str] = []


def collect(job: Json, store_folder: str, mount_paths: list[str]) -> Collected:
    """store_folder: the artifact store as this process reaches it. mount_paths: where the template mounts volumes."""
    found = Collected()
    outputs = job["template"].get("outputs") or {}
    _parameters(outputs.get("parameters") or [], mount_paths, found)
    problems = ""
    for artifact in outputs.get("artifacts") or []:
        if not artifact.get("path"):
            continue
        try:
            saved = _save(job, artifact, store_folder, mount_paths)
        except (OSError, PodFault) as error:
            problems += f"{_text(error)}; "
            continue
        if saved is not None:
            found.artifacts.append(saved)
    if problems:
        found.errors.append(problems)
    return found


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"open {error.filename}: {(error.strerror or '').lower()}"
    return str(error)


def _parameters(parameters: list[Json], mount_paths: list[str], found: Collected) -> None:
    """Argo stops at the first one that is missing and has no default."""
    for parameter in parameters:
        source = parameter.get("valueFrom") or {}
        path = source.get("path")
        if not path:
            continue
        try:
            with open(path, "rb") as file:
                value = file.read().decode(errors="replace")
        except OSError as error:
            if source.get("default") is None:
                place = (
                    f"/mainctrfs{path}"
                    if _covered(path, mount_paths)
                    else os.path.normpath(f"/var/run/argo/outputs/parameters/{path}")
                )
                found.errors.append(f"open {place}: {(error.strerror or '').lower()}")
                return
            value = str(source["default"])
        found.parameters.append({"name": parameter["name"], "value": value[:-1] if value.endswith("\n") else value})


def _covered(path: str, mount_paths: list[str]) -> bool:
    return any(path == m or path.startswith(m.rstrip("/") + "/") for m in mount_paths)


def _save(job: Json, artifact: Json, store_folder: str, mount_paths: list[str]) -> Json | None:
    """The artifact with its key, None when it is optional and not there."""
    path = os.path.normpath(artifact["path"])
    archive = artifact.get("archive") or {}
    kind = next((k for k in ("none", "zip", "tar") if archive.get(k) is not None), "tar")
    if not os.path.exists(path):
        if artifact.get("optional"):
            return None
        if _covered(path, mount_paths):
            raise PodFault(
                f"{path} no such file or directory"
                if kind == "none"
                else f"stat /mainctrfs{path}: no such file or directory"
            )
        raise PodFault(f"open /var/run/argo/outputs/artifacts{path.rstrip('/')}.tgz: no such file or directory")
    name = {"none": os.path.basename(path), "zip": f"{artifact['name']}.zip", "tar": f"{artifact['name']}.tgz"}[kind]
    key = store.key_of(artifact) or store.default_key(job, name)
    target = store.path_of(store_folder, key)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    partial = f"{target}.{os.getpid()}.partial"
    if kind == "tar":
        level = (archive.get("tar") or {}).get("compressionLevel")
        archives.pack_tar(path, partial, 6 if level is None or int(level) < 0 else min(int(level), 9))
    elif kind == "zip":
        archives.pack_zip(path, partial)
    elif os.path.isdir(path):
        shutil.copytree(path, partial, symlinks=True)
    else:
        shutil.copyfile(path, partial)
    _replace(partial, target)
    return store.with_key(artifact, key)


def _replace(partial: str, target: str) -> None:
    if os.path.isdir(target) and not os.path.islink(target):
        shutil.rmtree(target)
    elif os.path.isdir(partial) and os.path.lexists(target):
        os.unlink(target)
    os.rename(partial, target)
