"""Collects output parameters and artifacts inside the container after its command ended.

In Argo two processes do this: the emissary in the main container copies outputs in the container's own file system (if it cannot, this is
an error of `main`, exit code 64), then the wait container takes outputs in volumes, and saves all of them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from typing import Any

from . import archives, artifact_keys, artifact_transfer, disk_room, file_trees, local_store
from .errors import PodFault, SpecialFile
from .logs import plain

Json = dict[str, Any]
MOST_OF_PARAMETERS = 20_000_000
"""How many bytes the values of a pod's output parameters may have; interpreter/ledger.py has the same limit for the inputs of all nodes."""
TOO_LONG = (
    "the values of this pod's output parameters have more than 20 million bytes: give what is large as an artifact"
)


class CollectedOutputs:
    """Parameters and artifacts as Argo reports them, and the problems.

    refusal: why `main` failed although its command may have succeeded. warnings: parts of artifacts that were not saved.
    """

    def __init__(self) -> None:
        self.parameters: list[Json] = []
        self.artifacts: list[Json] = []
        self.errors: list[str] = []
        self.parcels: list[tuple[Json, str]] = []
        self.problems = ""
        self.refusal = ""
        self.warnings: list[str] = []


def prepare(job: Json) -> None:
    """Import, before entering the container, the modules that packing its outputs needs: inside an image they cannot be imported."""
    artifacts = (job["template"].get("outputs") or {}).get("artifacts") or []
    if any((artifact.get("archive") or {}).get("zip") is not None for artifact in artifacts):
        import zipfile  # noqa: F401 - imported here: it imports threading, which makes every fork slower


def collect(job: Json, folders: tuple[str, str], mount_paths: list[str]) -> CollectedOutputs:
    """Collect the outputs, inside the container. folders: paths of the artifact store, and of the folder for parcels to other stores.
    mount_paths: where the template mounts volumes. Artifacts for other stores are only packed; `deliver` sends them.
    """
    collected = CollectedOutputs()
    outputs = job["template"].get("outputs") or {}
    _parameters(outputs.get("parameters") or [], mount_paths, collected)
    for artifact in outputs.get("artifacts") or []:
        if not artifact.get("path"):
            continue
        try:
            _save(job, artifact, folders, mount_paths, collected)
        except (OSError, PodFault) as error:
            if disk_room.is_full(error):
                raise
            collected.problems += f"{artifact_transfer.sentence(error)}; "
    return collected


class _Refusal(Exception):
    """Argo's emissary could not copy an output in the container's own file system; the message is the emissary's."""


def deliver(job: Json, collected: CollectedOutputs, waiting: str) -> None:
    """Send the parcels, outside of the container. waiting: the folder that has them."""
    places = (job.get("places") or {}).get("outputs", {})
    parcels = [
        artifact_transfer.Parcel(places[artifact["name"]], key, f"{waiting}/{artifact['name']}", str(artifact["path"]))
        for artifact, key in collected.parcels
    ]
    for (artifact, key), problem in zip(collected.parcels, artifact_transfer.save(job["python"], parcels), strict=True):
        if problem:
            collected.problems += f"{problem}; "
        else:
            collected.artifacts.append(_reported(job, artifact, key))
    if collected.problems:
        collected.errors.append(collected.problems)


def save_logs(job: Json, collected: CollectedOutputs, folder: str, names: list[str]) -> None:
    """archiveLogs: save each container's log as the artifact `<container>-logs`. folder: the pod's. Raises OSError on a full disk."""
    kept = {artifact["name"] for artifact in collected.artifacts}
    for name in names:
        lines = f"{folder}/{name}.log"
        if not os.path.exists(lines) or f"{name}-logs" in kept:
            continue
        key = artifact_keys.default_key(job, f"{name}.log")
        place = (job.get("places") or {}).get("logs")
        text = f"{folder}/{name}.txt"
        try:
            plain(lines, text)
            if place is None:
                with local_store.new_object(job["store"], key, job["pod"]["metadata"]["uid"]) as target:
                    shutil.copyfile(text, target)
                    os.chmod(target, 0o600)
            else:
                (problem,) = artifact_transfer.save(job["python"], [artifact_transfer.Parcel(place, key, text, text)])
                if problem:
                    raise PodFault(problem)
            collected.artifacts.append(_reported(job, {"name": f"{name}-logs"}, key))
        except (OSError, PodFault) as error:
            if disk_room.is_full(error):
                raise
            collected.errors.append(artifact_transfer.sentence(error))
        finally:
            file_trees.remove(text)


def _reported(job: Json, artifact: Json, key: str) -> Json:
    return artifact_keys.with_location(artifact, key, job["template"].get("archiveLocation") or {})


def _parameters(parameters: list[Json], mount_paths: list[str], collected: CollectedOutputs) -> None:
    """Read the output parameters. Like Argo it stops at the first missing one without a default."""
    room = MOST_OF_PARAMETERS
    for parameter in parameters:
        source = parameter.get("valueFrom") or {}
        path = source.get("path")
        if not path:
            continue
        try:
            value = _value(path, _covered(path, mount_paths), collected, room + 1)
        except (OSError, PodFault) as error:
            if source.get("default") is None:
                collected.errors.append(artifact_transfer.sentence(error))
                return
            value = str(source["default"])
        room -= len(value)
        if room < 0:
            collected.errors.append(f"output parameter {parameter['name']}: {TOO_LONG}")
            return
        collected.parameters.append({"name": parameter["name"], "value": value[:-1] if value.endswith("\n") else value})


def _value(path: str, covered: bool, collected: CollectedOutputs, most: int) -> str:
    """The text of an output parameter's file, at most `most` bytes. covered: it is in a volume. Raises OSError, PodFault."""
    place = f"/mainctrfs{path}" if covered else os.path.normpath(f"/var/run/argo/outputs/parameters/{path}")
    if collected.refusal and not covered:  # the emissary had stopped before this output
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), place)
    try:
        top = file_trees.top_of(path)
    except OSError as error:
        error.filename = place
        raise
    try:
        if stat.S_ISDIR(os.fstat(top).st_mode):
            if covered:
                raise PodFault(f"read {place}: is a directory")
            copy = f"/var/run/argo/outputs/parameters/{path}"
            collected.refusal = f"failed to copy {path} to {copy}: write {copy}: copy_file_range: is a directory"
            return ""  # the emissary had begun the copy, which is empty
        try:
            with file_trees.readable(top, path) as file:
                return file.read(most).decode(errors="replace")
        except SpecialFile as odd:
            if covered:
                raise
            collected.refusal = f"failed to copy {path} to /var/run/argo/outputs/parameters/{path}: {odd}"
            return ""
    finally:
        os.close(top)


def _covered(path: str, mount_paths: list[str]) -> bool:
    return any(path == m or path.startswith(m.rstrip("/") + "/") for m in mount_paths)


def _save(
    job: Json, artifact: Json, folders: tuple[str, str], mount_paths: list[str], collected: CollectedOutputs
) -> None:
    """Save an artifact in the local store, or pack it for another store. Does nothing when it is optional and missing."""
    path = os.path.normpath(artifact["path"])
    archive = artifact.get("archive") or {}
    kind = next((k for k in ("none", "zip", "tar") if archive.get(k) is not None), "tar")
    covered = _covered(path, mount_paths)
    try:
        if collected.refusal and not covered:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        top = file_trees.top_of(path)
    except (FileNotFoundError, NotADirectoryError):
        if artifact.get("optional"):
            return
        raise PodFault(_missing(path, kind, covered=covered)) from None
    try:
        _check(path, top, covered)
        name = {"none": os.path.basename(path), "zip": f"{artifact['name']}.zip", "tar": f"{artifact['name']}.tgz"}[
            kind
        ]
        key = artifact_keys.key_of(artifact) or artifact_keys.default_key(job, name)
        elsewhere = artifact["name"] in (job.get("places") or {}).get("outputs", {})
        with _place(job, artifact, key, folders, elsewhere) as target:
            left_out = _pack(top, artifact, path, target, kind, covered=covered)
            is_empty = not elsewhere and os.path.isdir(target) and not os.listdir(target)
    except (SpecialFile, _Refusal) as odd:
        if covered:
            raise PodFault(str(odd)) from None
        copy = f"/var/run/argo/outputs/artifacts{path}.tgz"
        collected.refusal = f"failed to tarball the output {path} to {copy}: {odd}"
        return
    finally:
        os.close(top)
    if left_out:
        collected.warnings.append(_incomplete(artifact["name"], kind, left_out))
    if is_empty:
        collected.warnings.append(
            f"artifact {artifact['name']}: a folder with `archive: none` that holds no file would be nothing in a "
            f"store: leave `archive` out"
        )
    if elsewhere:
        collected.parcels.append((artifact, key))
    else:
        collected.artifacts.append(_reported(job, artifact, key))


def _place(
    job: Json, artifact: Json, key: str, folders: tuple[str, str], elsewhere: bool
) -> contextlib.AbstractContextManager[str]:
    """The path to which the artifact is packed."""
    if not elsewhere:
        return local_store.new_object(folders[0], key, job["pod"]["metadata"]["uid"])
    parcel = f"{folders[1]}/{artifact['name']}"
    file_trees.remove(parcel)  # an earlier attempt may have left it
    return contextlib.nullcontext(parcel)


def _missing(path: str, kind: str, *, covered: bool) -> str:
    if not covered:
        return f"open /var/run/argo/outputs/artifacts{path.rstrip('/')}.tgz: no such file or directory"
    if kind == "none":
        return f"{path} no such file or directory"
    return f"stat /mainctrfs{path}: no such file or directory"


def _check(path: str, top: int, covered: bool) -> None:
    """Raise _Refusal, with Argo's message, for a path that is neither a file nor a folder."""
    if file_trees.kind_of(os.fstat(top).st_mode):
        raise _Refusal(f"{'/mainctrfs' if covered else ''}{path} is not a regular file or directory")


def _incomplete(name: str, kind: str, left_out: list[str]) -> str:
    names = ", ".join(os.fsencode(path).decode("utf-8", "replace") for path in left_out[:5])
    more = f" and {len(left_out) - 5} more" if len(left_out) > 5 else ""
    if kind == "zip":
        return (
            f"artifact {name}: on a cluster a zip has links as empty files and no empty folders ({names}{more}): leave `archive` out "
            f"to keep them in a tar"
        )
    return (
        f"artifact {name}: a folder with `archive: none` is stored as one object per file, so links and empty "
        f"folders are left out"
        f" ({names}{more}): leave `archive` out to keep them in a tar"
    )


def _pack(top: int, artifact: Json, path: str, target: str, kind: str, *, covered: bool) -> list[str]:
    """Pack the file or folder of the descriptor `top` as the new file or folder `target`. Gives the names that were left out."""
    if kind == "tar":
        level = ((artifact.get("archive") or {}).get("tar") or {}).get("compressionLevel")
        gzip_level = 6 if level is None or int(level) < 0 else min(int(level), 9)
        archives.pack_tar(top, os.path.basename(path) or "root", path, target, gzip_level)
        return []
    if kind == "zip":
        return archives.pack_zip(top, _name_in_zip(top, artifact["name"], path, covered=covered), path, target)
    return file_trees.copy(top, path, *os.path.split(target), only_files=True)


def _name_in_zip(top: int, name: str, path: str, *, covered: bool) -> str:
    """The beginning of the names in a zip. Argo names a single file by its path in the executor, so it is unpacked as a folder.

    Outside of volumes, the executor first renames the file to the last part of its path, but then looks for it by the artifact's name.
    """
    if stat.S_ISDIR(os.fstat(top).st_mode):
        return os.path.basename(path) if covered else name
    if covered:
        return f"mainctrfs{path}"
    if name != os.path.basename(path):
        raise PodFault(f"stat /tmp/argo/outputs/artifacts/{name}: no such file or directory")
    return f"tmp/argo/outputs/artifacts/{name}"
