"""Output parameters and artifacts, read in the container's own view after its command ended (Argo: emissary and wait)."""

from __future__ import annotations

import os
import shutil
from typing import Any

from . import archives, remote, store
from .fault import PodFault
from .logs import plain

Json = dict[str, Any]


class Collected:
    """What was found: parameters and artifacts as Argo reports them, and what could not be done."""

    def __init__(self) -> None:
        self.parameters: list[Json] = []
        self.artifacts: list[Json] = []
        self.errors: list[str] = []
        self.parcels: list[tuple[Json, str]] = []
        self.problems = ""


def collect(job: Json, folders: tuple[str, str], mount_paths: list[str]) -> Collected:
    """Seen from within the container. folders: the artifact store, and where parcels for other stores wait, as this process reaches
    them. mount_paths: where the template mounts volumes. What belongs elsewhere is only packed: `deliver` sends it.
    """
    found = Collected()
    outputs = job["template"].get("outputs") or {}
    _parameters(outputs.get("parameters") or [], mount_paths, found)
    for artifact in outputs.get("artifacts") or []:
        if not artifact.get("path"):
            continue
        try:
            _save(job, artifact, folders, mount_paths, found)
        except (OSError, PodFault) as error:
            found.problems += f"{_text(error)}; "
    return found


def deliver(job: Json, found: Collected, waiting: str) -> None:
    """Seen from the machine again: send the parcels off. waiting: the folder where they wait."""
    places = (job.get("places") or {}).get("outputs", {})
    sent = [(places[one["name"]], key, f"{waiting}/{one['name']}", str(one["path"])) for one, key in found.parcels]
    for (artifact, key), problem in zip(found.parcels, _send(job, sent), strict=True):
        if problem:
            found.problems += f"{problem}; "
        else:
            found.artifacts.append(_reported(job, artifact, key))
    if found.problems:
        found.errors.append(found.problems)


def _send(job: Json, parcels: list[tuple[Json, str, str, str]]) -> list[str]:
    """(place, key, source, what the source is called) each; what was wrong with each, "" for nothing."""
    stored = [(number, one) for number, one in enumerate(parcels) if one[0]["kind"] not in ("http", "artifactory")]
    problems = [""] * len(parcels)
    if stored:
        answers = remote.save(job, [({**place, "key": key}, source) for _, (place, key, source, _) in stored])
        for (number, _), problem in zip(stored, answers, strict=True):
            problems[number] = problem
    for number, (place, key, source, shown) in enumerate(parcels):
        if place["kind"] in ("http", "artifactory"):
            problems[number] = _put(place, key, source, shown)
    return problems


def _put(place: Json, key: str, source: str, shown: str) -> str:
    from . import web  # not at the top: a fork of a bigger process takes longer

    if os.path.isdir(source):
        return f"read {shown}: is a directory"
    at = {**place["at"], "url": key} if place["kind"] == "artifactory" else place["at"]
    try:
        web.upload({**place, "at": at}, source, shown)
    except (OSError, PodFault) as error:
        return _text(error)
    return ""


def save_logs(job: Json, found: Collected, folder: str, names: list[str]) -> None:
    """archiveLogs: what each container wrote becomes the artifact `<container>-logs`. folder: the pod's."""
    for name in names:
        lines = f"{folder}/logs/{name}.log"
        if not os.path.exists(lines):
            continue
        key = store.default_key(job, f"{name}.log")
        place = (job.get("places") or {}).get("logs")
        text = f"{folder}/logs/{name}.txt"
        try:
            plain(lines, text)
            if place is None:
                target = store.path_of(job["store"], key)
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(text, target)
            else:
                (problem,) = _send(job, [(place, key, text, text)])
                if problem:
                    raise PodFault(problem)
            found.artifacts.append(_reported(job, {"name": f"{name}-logs"}, key))
        except (OSError, PodFault) as error:
            found.errors.append(_text(error))
        finally:
            if os.path.exists(text):
                os.unlink(text)


def _reported(job: Json, artifact: Json, key: str) -> Json:
    return store.with_key(artifact, key, job["template"].get("archiveLocation") or {})


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


def _save(job: Json, artifact: Json, folders: tuple[str, str], mount_paths: list[str], found: Collected) -> None:
    """Keep the artifact in the local store, or pack it for another one; nothing when it is optional and not there."""
    path = os.path.normpath(artifact["path"])
    archive = artifact.get("archive") or {}
    kind = next((k for k in ("none", "zip", "tar") if archive.get(k) is not None), "tar")
    if not os.path.exists(path):
        if artifact.get("optional"):
            return
        if _covered(path, mount_paths):
            raise PodFault(
                f"{path} no such file or directory"
                if kind == "none"
                else f"stat /mainctrfs{path}: no such file or directory"
            )
        raise PodFault(f"open /var/run/argo/outputs/artifacts{path.rstrip('/')}.tgz: no such file or directory")
    name = {"none": os.path.basename(path), "zip": f"{artifact['name']}.zip", "tar": f"{artifact['name']}.tgz"}[kind]
    key = store.key_of(artifact) or store.default_key(job, name)
    elsewhere = artifact["name"] in (job.get("places") or {}).get("outputs", {})
    if elsewhere:
        target = f"{folders[1]}/{artifact['name']}"
    else:
        target = store.path_of(folders[0], key)
        os.makedirs(os.path.dirname(target), exist_ok=True)
    _pack(path, target, kind, (archive.get("tar") or {}).get("compressionLevel"))
    if elsewhere:
        found.parcels.append((artifact, key))
    else:
        found.artifacts.append(_reported(job, artifact, key))


def _pack(path: str, target: str, kind: str, level: Any) -> None:
    partial = f"{target}.{os.getpid()}.partial"
    if kind == "tar":
        archives.pack_tar(path, partial, 6 if level is None or int(level) < 0 else min(int(level), 9))
    elif kind == "zip":
        archives.pack_zip(path, partial)
    elif os.path.isdir(path):
        shutil.copytree(path, partial, symlinks=True)
    else:
        shutil.copyfile(path, partial)
    _replace(partial, target)


def _replace(partial: str, target: str) -> None:
    if os.path.isdir(target) and not os.path.islink(target):
        shutil.rmtree(target)
    elif os.path.isdir(partial) and os.path.lexists(target):
        os.unlink(target)
    os.rename(partial, target)
