"""The figures of a run: the pictures among its output artifacts, downloaded for its report.

Their number and size are bounded, and their content, not their name, decides whether they are pictures.
"""

from __future__ import annotations

import base64
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from hera_utils.errors import HeraUtilsError
from hera_utils.platforms.artifact_downloads import Artifact
from hera_utils.results.artifacts import artifacts_of_run
from hera_utils.runs.whole_run import WholeRun

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient


MOST = 12
LARGEST = 2 * 1024 * 1024
"""Bytes of one figure; larger ones are left out because a browser would no longer open the report."""
SUFFIXES = (".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp")
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Figure:
    """A picture. task: the task that made it. name: that of the artifact. kind: its media type."""

    task: str
    name: str
    kind: str
    content: bytes

    @property
    def address(self) -> str:
        """The picture as a data URL, so that the page contains it."""
        return f"data:{self.kind};base64,{base64.b64encode(self.content).decode()}"


def figures_of_run(client: ArgoClient, run: WholeRun) -> tuple[list[Figure], int]:
    """(the figures of a run, at most MOST, those of its gather first; how many more there are). Unavailable ones are left out."""
    candidates = list(_candidates(run))
    figures: list[Figure] = []
    for number, artifact in enumerate(candidates):
        if len(figures) == MOST:
            return figures, len(candidates) - number
        content = _content(client, artifact)
        kind = kind_of(content)
        if kind is not None:
            figures.append(Figure(artifact.task, artifact.name, kind, content))
    return figures, 0


def _candidates(run: WholeRun) -> Iterator[Artifact]:
    paths = {
        (str(node["id"]), str(artifact["name"])): str(artifact.get("path") or "")
        for document in run.documents
        for node in ((document.get("status") or {}).get("nodes") or {}).values()
        for artifact in (node.get("outputs") or {}).get("artifacts") or ()
    }
    last = run.last
    for artifact in sorted(artifacts_of_run(run), key=lambda candidate: candidate.workflow not in last):
        names = (paths.get((artifact.node, artifact.name), ""), artifact.key, artifact.name)
        if any(PurePosixPath(name).suffix.lower() in SUFFIXES for name in names):
            yield artifact


def _content(client: ArgoClient, artifact: Artifact) -> bytes:
    """The picture's bytes, unpacked if Argo archived it; b"" if it is too large or no longer stored."""
    try:
        stored = join_pieces(client.artifact(artifact.workflow, artifact.node, artifact.name, artifact.record))
    except (HeraUtilsError, OSError):
        return b""
    return unpack_single_file(stored) if stored.startswith(_GZIP) else stored


def join_pieces(pieces: Iterable[bytes]) -> bytes:
    """The joined pieces, b"" if they exceed LARGEST bytes; the remaining pieces are then not fetched."""
    whole = b""
    for piece in pieces:
        whole += piece
        if len(whole) > LARGEST:
            return b""
    return whole


def unpack_single_file(packet: bytes) -> bytes:
    """The only file of the .tgz archive into which Argo packs an artifact; b"" for other content or a file that is too large."""
    try:
        with tarfile.open(fileobj=io.BytesIO(packet), mode="r|gz") as archive:
            member = archive.next()
            if member is None or not member.isfile() or member.size > LARGEST:
                return b""
            file = archive.extractfile(member)
            return b"" if file is None else file.read(LARGEST)
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        return b""


def kind_of(content: bytes) -> str | None:
    """The media type of a picture, from its first bytes; None if browsers show no such picture."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    head = content[:2000].lstrip(b"\xef\xbb\xbf").lstrip()
    return (
        "image/svg+xml" if head.startswith((b"<?xml", b"<svg", b"<!DOCTYPE svg", b"<!--")) and b"<svg" in head else None
    )
