"""Downloads the output artifacts of a run into a folder: complete files, several at once, and continues interrupted downloads.

A file is written beside its place and moved there when it is complete. A file that this run left there before (its record says so and its
digest fits) is not downloaded again; a partial file continues from its end if the server serves ranges, else from its beginning.
`artifacts.json` records each file's node, key, length and SHA-256; `sha256sum -c SHA256SUMS` checks them all.

A file counts as complete by the length and the digest that the server names, if it does, and by the checksum inside a gzip. If Argo's
store breaks off, Argo's server ends the file regularly, but with a sentence of its own, which is searched for (server/artifacts,
returnArtifact).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from hera_utils.argo.names import short_name
from hera_utils.digests import sha256_of
from hera_utils.errors import HeraUtilsError, PlatformError, ResourceError
from hera_utils.platforms.argo_http import ArgoHttp, NoDefiniteAnswer
from hera_utils.platforms.connection import Connection
from hera_utils.platforms.ranged_download import DownloadBroken, OpenedFile
from hera_utils.whole_files import hold_folder, open_without_links, write_atomically
from hera_utils.wording import system_reason

Json = dict[str, Any]

RECORD, SUMS = "artifacts.json", "SHA256SUMS"
_PART = ".part"
_AT_ONCE = 4
_PAUSES = (0.2, 1.0, 3.0)
_GZIP = b"\x1f\x8b"
_STORES = ("s3", "gcs", "azure", "oss", "hdfs", "artifactory", "http", "raw", "git")
_APOLOGY = re.compile(rb"failed to stream artifact: [^\n]{0,2000}\n?(Internal Server Error\n)?$")
_ARCHIVING = "workflows.argoproj.io/workflow-archiving-status"
_OUTLINES = ("DAG", "Steps", "StepGroup", "TaskGroup")  # nodes whose outputs are those of their tasks


@dataclass(frozen=True)
class Artifact:
    """An output artifact of a run. task: as in the run's results. node: the id of its node. key: in its store, "" if unknown.

    ended: when its node ended; this distinguishes it from the artifact of the same task before a retry. workflow: the workflow of the
    node, in a run of several. record: the uid of a deleted workflow, whose record is in Argo's archive.
    """

    task: str
    name: str
    node: str
    key: str = ""
    ended: str = ""
    workflow: str = ""
    record: str = field(default="", compare=False)

    @property
    def is_log(self) -> bool:
        """Whether it is the log of a container, kept by Argo (`archiveLogs`)."""
        return self.name.endswith("-logs")


@dataclass(frozen=True)
class SavedArtifact:
    """An artifact in a file. path: relative to the folder. sha256: in hex. again: the file was there already."""

    artifact: Artifact
    path: str
    bytes: int
    sha256: str
    again: bool = field(default=False, compare=False)


def artifacts_of(workflow: Json) -> list[Artifact]:
    """Every output artifact of a workflow's tasks, in the order of its nodes; for a retried task those of its last attempt. Pure."""
    run, record = str(workflow["metadata"]["name"]), record_of(workflow)
    nodes: Json = (workflow.get("status") or {}).get("nodes") or {}
    attempts = {child for node in nodes.values() if node.get("type") == "Retry" for child in node.get("children") or ()}
    artifacts = []
    for identity, node in nodes.items():
        if node.get("type") in _OUTLINES or identity in attempts:
            continue
        for artifact in (node.get("outputs") or {}).get("artifacts") or ():
            if artifact.get("deleted"):  # removed by its artifactGC
                continue
            key = next((str(artifact[store]["key"]) for store in _STORES if (artifact.get(store) or {}).get("key")), "")
            task = short_name(str(node.get("name", "")), run)
            ended = str(node.get("finishedAt") or "")
            artifacts.append(Artifact(task, str(artifact["name"]), str(node["id"]), key, ended, run, record))
    return artifacts


def record_of(workflow: Json) -> str:
    """The uid of a workflow that was deleted, if this is its record in Argo's archive; else "". Pure."""
    metadata = workflow.get("metadata") or {}
    return str(metadata.get("uid") or "") if (metadata.get("labels") or {}).get(_ARCHIVING) == "Persisted" else ""


def path_of(namespace: str, workflow: str, node: str, name: str, record: str = "") -> str:
    """The path of an artifact on the server. record: as in `Artifact`; a deleted workflow is found only by its uid."""
    parts = ("artifacts-by-uid", record) if record else ("artifacts", namespace, workflow)
    return "/" + "/".join(quote(part, safe="") for part in (*parts, node, name))


def choose_artifacts(artifacts: Sequence[Artifact], task: str = "", name: str = "") -> list[Artifact]:
    """The artifacts of a task (or of every item of a fan-out with this name) with this name; without a name all except logs."""
    candidates = [artifact for artifact in artifacts if not task or task in _names_of_task(artifact.task)]
    return [artifact for artifact in candidates if (artifact.name == name if name else not artifact.is_log)]


def _names_of_task(task: str) -> tuple[str, ...]:
    last = task.rpartition(".")[2]
    return task, last, task.rpartition("(")[0], last.partition("(")[0]


def download(
    connection: Connection,
    run: str,
    artifacts: Sequence[Artifact],
    folder: Path,
    *,
    report: Callable[[SavedArtifact], None] = lambda saved: None,
    at_once: int = _AT_ONCE,
) -> list[SavedArtifact]:
    """Download artifacts of a run into a folder, as TASK/NAME with the suffix of the stored file (.tgz if Argo packed it).

    report: called with each complete file. Raises ResourceError if the folder cannot be written; AccessError or PlatformError, after
    the other files are done, if the server does not give one: another call continues.
    """
    keeper = _DownloadFolder(folder, run)
    failures: list[HeraUtilsError] = []
    lock = threading.Lock()

    def bring(artifact: Artifact) -> SavedArtifact | None:
        if failures:
            return None
        http = ArgoHttp(connection)
        try:
            saved = (
                keeper.saved_before(artifact)
                or _ArtifactDownload(http, connection.namespace, artifact.workflow or run, artifact, keeper).bring()
            )
        except HeraUtilsError as error:
            failures.append(error)
            return None
        except OSError as error:
            failures.append(_unwritable(folder, error))
            return None
        finally:
            http.close()
        with lock:
            keeper.record(saved)
            report(saved)
        return saved

    with ThreadPoolExecutor(max(1, min(at_once, len(artifacts) or 1)), "download") as several:
        done = [saved for saved in several.map(bring, artifacts) if saved is not None]
    if failures:
        raise failures[0]
    return done


def _record_of_artifact(artifact: Artifact) -> Json:
    """An artifact in a folder's record, which is the same before and after the deletion of its workflow."""
    return {name: value for name, value in asdict(artifact).items() if name != "record"}


class _DownloadFolder:
    """The folder: names its files, and knows those that are there already."""

    def __init__(self, folder: Path, run: str) -> None:
        self.folder, self._run = folder, run
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from None
        self._recorded: dict[str, Json] = {}
        try:
            record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            if record["run"] == run:
                self._recorded = {
                    str(file["path"]): file for file in record["files"] if _is_downloaded_by_us(str(file["path"]))
                }
        except (OSError, ValueError, KeyError, TypeError):
            pass  # there is no record, or it is of another program: download everything
        # a copy of the record as it was: threads read it while other files are recorded
        self._left = {json.dumps(file.get("artifact"), sort_keys=True): file for file in self._recorded.values()}

    def name(self, artifact: Artifact, first: bytes) -> str:
        """The name of a file. first: its first bytes."""
        kept_as = PurePosixPath(artifact.key).name
        ending = ".tgz" if first.startswith(_GZIP) and not kept_as.endswith(".gz") else _suffix_of(kept_as)
        ending = "" if artifact.name.endswith(ending) else ending
        return legal_file_name(artifact.name) + ending

    def saved_before(self, artifact: Artifact) -> SavedArtifact | None:
        """The file of an artifact, if it is there as this run left it."""
        left = self._left.get(json.dumps(_record_of_artifact(artifact), sort_keys=True))
        if left is None:
            return None
        file = self.folder / left["path"]
        if file.is_symlink() or file.parent.is_symlink():
            return None
        if file.is_file() and file.stat().st_size == left.get("bytes") and sha256_of(file) == left.get("sha256"):
            return SavedArtifact(artifact, str(left["path"]), int(left["bytes"]), str(left["sha256"]), again=True)
        return None

    def record(self, saved: SavedArtifact) -> None:
        self._recorded[saved.path] = {
            "path": saved.path,
            "bytes": saved.bytes,
            "sha256": saved.sha256,
            "artifact": _record_of_artifact(saved.artifact),
        }
        files = [self._recorded[path] for path in sorted(self._recorded)]
        record = json.dumps({"run": self._run, "files": files}, indent=1) + "\n"
        write_atomically(self.folder / RECORD, record.encode())
        write_atomically(self.folder / SUMS, "".join(f"{file['sha256']}  {file['path']}\n" for file in files).encode())


class _ArtifactDownload:
    """The download of one artifact: bytes are appended to `….part` until it is complete. Links are not followed, because a task may have
    put some there.
    """

    def __init__(
        self, http: ArgoHttp, namespace: str, workflow: str, artifact: Artifact, keeper: _DownloadFolder
    ) -> None:
        self._http, self._artifact, self._keeper = http, artifact, keeper
        self._path = path_of(namespace, workflow, artifact.node, artifact.name, artifact.record)
        self._part = legal_file_name(artifact.name) + _PART
        self._etag = ""

    def bring(self) -> SavedArtifact:
        with hold_folder(self._keeper.folder / legal_file_name(self._artifact.task), make=True) as folder:
            return self._bring(folder)

    def _bring(self, folder: Path) -> SavedArtifact:
        why: HeraUtilsError | DownloadBroken | None = None
        for pause in (0.0, *_PAUSES):
            time.sleep(pause)
            try:
                return self._attempt(folder)
            except NoDefiniteAnswer as unanswered:
                why = unanswered.why
                self._http.rejoin()
            except DownloadBroken as broken:
                why = broken
        if isinstance(why, HeraUtilsError):
            raise why
        raise PlatformError(
            f"the artifact {self._artifact.task}/{self._artifact.name} cannot be downloaded completely ({why})",
            fix="try again: downloaded parts are kept",
        )

    def _attempt(self, folder: Path) -> SavedArtifact:
        part = folder / self._part
        have = part.stat().st_size if self._etag and part.is_file() else 0
        with self._http.open_file(self._path, start=have, unless_changed=self._etag) as opened:
            if opened.start != have:
                have = 0
            self._etag = opened.etag if opened.resumable else ""
            if not have:
                part.unlink(missing_ok=True)
            with open(part, "r+b" if have else "xb", opener=open_without_links) as file:
                file.seek(have)
                for piece in opened.pieces():
                    file.write(piece)
            return self._whole(opened, folder)

    def _whole(self, opened: OpenedFile, folder: Path) -> SavedArtifact:
        """Move the file to its place if every check fits. Raises Broken otherwise; the next attempt then begins again or continues."""
        artifact = self._artifact
        kind = _FileContent.at(folder / self._part, artifact.key.endswith((".gz", ".tgz")))
        wrong = kind.wrong(opened)
        if wrong:
            self._etag = "" if "shorter" not in wrong else self._etag
            raise DownloadBroken(wrong)
        name = self._keeper.name(artifact, kind.first)
        os.replace(folder / self._part, folder / name)
        return SavedArtifact(artifact, f"{legal_file_name(artifact.task)}/{name}", kind.size, kind.sha256)


@dataclass(frozen=True)
class _FileContent:
    """The facts of a file. gzip: None if it is no gzip, else whether it is complete. end: its last bytes."""

    size: int
    sha256: str
    md5: str
    first: bytes
    end: bytes
    gzip: bool | None

    @classmethod
    def at(cls, path: Path, packed: bool) -> _FileContent:
        """packed: its name says that it is a gzip, so if it cannot be unpacked it is damaged; otherwise it would be no gzip."""
        sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
        first = end = b""
        unpacking = None
        for piece in _pieces(path):
            if not size:
                first = piece[:4]
                unpacking = _Gzip() if piece.startswith(_GZIP) else None
            size += len(piece)
            sha256.update(piece)
            md5.update(piece)
            end = (end + piece)[-4096:]
            if unpacking is not None:
                unpacking.feed(piece)
        is_gzip = unpacking is not None and (packed or not unpacking.bad)
        whole = unpacking.whole if unpacking is not None and is_gzip else None
        return cls(size, sha256.hexdigest(), md5.hexdigest(), first, end, whole)

    def wrong(self, opened: OpenedFile) -> str:
        """What contradicts the server's answer, or ""."""
        if opened.whole is not None and self.size != opened.whole:
            return f"it is {'shorter' if self.size < opened.whole else 'longer'} than the server says"
        if opened.sha256 and opened.sha256 != self.sha256:
            return "its SHA-256 differs from the server's"
        if opened.md5 and opened.md5 != self.md5:
            return "its MD5 differs from the server's"
        if _APOLOGY.search(self.end):
            return "the server's store closed the connection"
        if self.gzip is False:
            return "its archive is cut off"
        return ""


class _Gzip:
    """Checks whether a gzip is complete, by unpacking it without keeping the content; its members end with checksums."""

    def __init__(self) -> None:
        self._unpack = zlib.decompressobj(31)
        self.whole, self.bad = False, False

    def feed(self, piece: bytes) -> None:
        try:
            while piece and not self.bad:
                while piece:
                    self._unpack.decompress(piece, 1 << 20)
                    piece = self._unpack.unconsumed_tail
                self.whole = self._unpack.eof
                piece = self._unpack.unused_data
                if piece:  # another member, or padding
                    self._unpack = zlib.decompressobj(31)
                    self.whole, self.bad = True, not piece.startswith(_GZIP)
        except zlib.error:
            self.whole, self.bad = False, True


def _pieces(path: Path) -> Iterator[bytes]:
    with open(path, "rb", opener=open_without_links) as file:
        while piece := file.read(1 << 20):
            yield piece


def unpack_tgz(file: Path, *, keep: bool = False) -> Path:
    """Unpack a .tgz beside itself, under its name without the suffix; returns that path. keep: do not remove the .tgz then.

    As when Argo unpacks an input: a single file or folder in an archive gets the name, several go into a folder with that name. No path
    leads out of it. Raises ResourceError if it is no archive.
    """
    import tarfile

    from hera_utils.local_platform.pods.pod.archives import untar
    from hera_utils.local_platform.pods.pod.errors import PodFault

    target = file.with_name(file.name.removesuffix(".tgz").removesuffix(".tar.gz"))
    with hold_folder(file.parent) as folder, tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as beside:
        try:
            untar(str(folder / file.name), beside)
        except PodFault as error:
            raise ResourceError(f"{file} cannot be unpacked: {error}", fix="inspect it by hand") from None
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise ResourceError(
                f"{file} cannot be unpacked ({type(error).__name__})", fix="inspect it by hand; --unpack is not needed"
            ) from None
        inside = list(Path(beside).iterdir())
        content = inside[0] if len(inside) == 1 else Path(beside)
        if content.is_file() and not target.suffix:
            target = target.with_name(target.name + content.suffix)
        place = folder / target.name
        if place.is_symlink():
            place.unlink()  # otherwise the content would be written to the link's target
        elif place.is_dir():
            shutil.rmtree(place)
        shutil.move(content, place) if len(inside) == 1 else shutil.copytree(content, place, symlinks=True)
        if not keep:
            (folder / file.name).unlink()
    return target


def legal_file_name(name: str) -> str:
    """The name made legal for a file: one part of a path, which leads nowhere else; a long one ends with its digest."""
    cleaned = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in name).strip(" ")
    cleaned = "_" + cleaned[1:] if cleaned.startswith(".") else cleaned or "_"
    if len(cleaned.encode()) <= 200:
        return cleaned
    return cleaned.encode()[:180].decode("utf-8", "ignore") + "-" + hashlib.sha256(name.encode()).hexdigest()[:12]


def _suffix_of(name: str) -> str:
    """`.csv` of `table.csv`, `.tar.gz` of `a.tar.gz`; "" if there is no short suffix."""
    match = re.search(r"(\.tar)?\.[A-Za-z0-9]{1,8}$", name)
    return match[0] if match else ""


def _is_downloaded_by_us(path: str) -> bool:
    """Whether a path of a record has the form of a downloaded file: TASK/NAME."""
    parts = path.split("/")
    return len(parts) == 2 and all(part == legal_file_name(part) for part in parts)


def _unwritable(folder: Path, error: OSError) -> ResourceError:
    return ResourceError(f"cannot write into {folder} ({system_reason(error)})", fix="name another folder")
