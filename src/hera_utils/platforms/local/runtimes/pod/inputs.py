"""Input artifacts: fetched into the pod's folder before anything starts (Argo: the init container)."""

from __future__ import annotations

import os
import shutil
from typing import Any

from . import archives, remote
from .fault import PodFault
from .store import KEYED, key_of, located, path_of

Json = dict[str, Any]


def stage(job: Json, folder: str, overlapping: dict[str, str]) -> None:
    """Fetch every input artifact to `folder/<name>`, or to its path in a volume (`overlapping`: name → path of this machine)."""
    for artifact in (job["template"].get("inputs") or {}).get("artifacts") or []:
        _stage_one(job, artifact, overlapping.get(artifact["name"]) or f"{folder}/{artifact['name']}")


def _stage_one(job: Json, artifact: Json, target: str) -> None:
    name = artifact["name"]
    kind = located(artifact)
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
            return
        raise PodFault(f"artifact {name} failed to load: {error.strerror}: {error.filename}") from error
    except (OSError, PodFault) as error:
        raise PodFault(f"artifact {name} failed to load: {error}") from error
    _unpack(artifact, fetched, target)
    if (mode := artifact.get("mode")) is not None:
        _change_mode(target, int(mode), bool(artifact.get("recurseMode")))


def _fetch(job: Json, artifact: Json, kind: str, target: str) -> None:
    place = (job.get("places") or {}).get("inputs", {}).get(artifact["name"])
    if place is not None and place["kind"] not in ("http", "artifactory"):
        remote.fetch(job, place, target)
    elif kind == "raw":
        with open(target, "wb") as file:
            file.write(str(artifact["raw"].get("data") or "").encode())
    elif place is not None or kind == "http":
        from . import web  # not at the top: a fork of a bigger process takes longer

        web.download(place or {"kind": "http", "at": artifact["http"]}, target)
    elif kind == "git":
        _clone(artifact["git"], target)
    else:
        key = str(key_of(artifact))
        source = path_of(job["store"], key)
        if os.path.isdir(source):
            shutil.copytree(source, target, symlinks=True)
        elif os.path.exists(source):
            shutil.copyfile(source, target)
        else:
            raise FileNotFoundError(2, "The specified key does not exist", key)


def _clone(place: Json, target: str) -> None:
    import subprocess

    command = ["git", "clone", "--quiet"]
    if place.get("depth"):
        command += ["--depth", str(place["depth"])]
    if place.get("branch"):
        command += ["--branch", str(place["branch"])]
    if place.get("singleBranch"):
        command.append("--single-branch")
    done = subprocess.run([*command, "--", str(place.get("repo")), target], capture_output=True, text=True, check=False)
    if done.returncode == 0 and place.get("revision"):
        done = subprocess.run(
            ["git", "-C", target, "checkout", "--quiet", str(place["revision"])],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise PodFault(f"git: {done.stderr.strip() or 'failed'}")


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
        if os.path.isdir(target) and not os.path.islink(target):
            shutil.rmtree(target)
        os.rename(fetched, target)


def _change_mode(path: str, mode: int, recurse: bool) -> None:
    if not os.path.islink(path):
        os.chmod(path, mode)
    if recurse:
        for folder, folders, files in os.walk(path):
            for path in (os.path.join(folder, name) for name in (*folders, *files)):
                if not os.path.islink(path):  # what it leads to is not the artifact's
                    os.chmod(path, mode)
