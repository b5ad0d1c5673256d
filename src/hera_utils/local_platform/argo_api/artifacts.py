"""Downloads of artifacts by five routes. Errors are plain text, as from Argo's artifact server.

A folder, or an artifact with a `.tgz` key, is sent as a gzipped tar; `artifact-files` shows a folder as a page of links and
sends the files below it. Symbolic links that lead out of an artifact are not followed. Source: server/artifacts/artifact_server.go.
"""

from __future__ import annotations

import html
import io
import json
import mimetypes
import os
import posixpath
import tarfile
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from hera_utils.argo.faults import INTERNAL, NOT_FOUND, http_status, status_text
from hera_utils.deep_folders import remove_tree
from hera_utils.errors import PlatformError, Refused
from hera_utils.local_platform.argo_api.answers import Reply
from hera_utils.local_platform.argo_api.request import ArgoRequest
from hera_utils.local_platform.pods.pod.artifact_keys import key_of

Json = dict[str, Any]

_CHUNK = 1 << 18
_SAFETY = {
    # Argo's own policy: scripts of an artifact must not run with this origin.
    "content-security-policy": "sandbox allow-same-origin; base-uri 'none'; default-src 'none'; img-src 'self'; "
    "style-src 'self' 'unsafe-inline'",
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
}


def send_output(request: ArgoRequest) -> Reply:
    return _download(request, True)


def send_input(request: ArgoRequest) -> Reply:
    return _download(request, False)


def send_file(request: ArgoRequest) -> Reply:
    """`…/workflows/{name}/{node}/outputs/{artifact}[/file]` (the uid instead of the name below `archived-workflows`)."""
    where, direction = request.path["idDiscriminator"], request.path["artifactDiscriminator"]
    if direction not in ("inputs", "outputs") or where not in ("workflows", "archived-workflows"):
        return failure(400)
    archived = where == "archived-workflows"
    try:
        run = _run(request, request.path["id"], by_uid=archived)
    except Refused:
        return failure(404 if archived else 500)  # Argo answers 500 if it does not find the name
    try:
        place = _find_artifact(request, run, direction == "outputs")
    except Refused as error:
        return failure(http_status(error.code))
    try:
        return _file(request, place)
    finally:
        place.close()


def _file(request: ArgoRequest, place: _ArtifactCopy) -> Reply:
    below = request.path.get("file", "")
    target = path_within(place.path, below)
    if target is None:
        return failure(404)
    if target.is_dir():
        if not request.raw_path.endswith("/"):
            return RedirectResponse(quote(posixpath.basename(request.raw_path.rstrip("/")), safe="%") + "/", 307)
        if not below and (target / "index.html").is_file():
            return RedirectResponse("index.html", 307)
        return Response(_listing(target), 200, _SAFETY, "text/html")
    return _send(target, target.name if below else place.file_name)


def _run(request: ArgoRequest, run: str, *, by_uid: bool) -> Json:
    """The workflow with this name or uid. A uid also finds the archived record of a deleted workflow."""
    document: Json | None
    if not by_uid:
        document = json.loads(request.platform.get("Workflow", request.namespace, run).text)
        return document
    for stored in request.platform.list("Workflow", request.namespace, nodes=False)[0]:
        if stored.uid == run:
            document = json.loads(request.platform.get("Workflow", stored.namespace, stored.name).text)
            return document
    document = request.platform.archive.document(run)
    if document is None:
        raise Refused(NOT_FOUND, "workflow not yet archived")
    return document


class _ArtifactCopy:
    """path: the artifact on this machine. file_name: its name when it is sent. folder: temporary, for a copy made for this answer."""

    def __init__(self, path: Path, file_name: str, folder: str) -> None:
        self.path = path
        self.file_name = file_name
        self._folder = folder

    def close(self) -> None:
        """Remove the copy. A file that is being sent is already open."""
        remove_tree(self._folder)


def _find_artifact(request: ArgoRequest, run: Json, output: bool) -> _ArtifactCopy:
    """The place of an artifact. Raises Refused with Argo's code: NOT_FOUND if its store lost it, INTERNAL if its node does not have it."""
    node_id, name = request.path["nodeId"], request.path["artifactName"]
    nodes = (run.get("status") or {}).get("nodes") or {}
    artifacts = ((nodes.get(node_id) or {}).get("outputs" if output else "inputs") or {}).get("artifacts") or []
    artifact = next((each for each in artifacts if each.get("name") == name), None)
    if artifact is None:
        raise Refused(INTERNAL, f"artifact not found: {name}")
    not_found = Refused(NOT_FOUND, f"artifact not found: {name}")
    if artifact.get("deleted"):
        raise not_found
    folder = tempfile.mkdtemp(prefix="hera-utils-artifact-")
    try:
        path = Path(request.platform.artifact_of(run, node_id, name, output=output, folder=folder))
        if not path.is_file() and not path.is_dir():
            raise not_found
    except PlatformError as error:  # the key leads out of the store, or the store does not give the artifact
        remove_tree(folder)
        raise Refused(INTERNAL, error.message) from None
    except Refused:
        remove_tree(folder)
        raise
    return _ArtifactCopy(path, posixpath.basename(_key(artifact).rstrip("/")) or path.name, folder)


def _key(artifact: Json) -> str:
    web = urlsplit(str((artifact.get("http") or {}).get("url") or "")).path
    return key_of(artifact) or web


def _download(request: ArgoRequest, output: bool) -> Reply:
    uid = request.path.get("uid", "")
    try:
        place = _find_artifact(request, _run(request, uid or request.name, by_uid=bool(uid)), output)
    except Refused as error:
        return failure(http_status(error.code))
    path, file_name = place.path, place.file_name
    if path.is_dir() or (file_name.endswith((".tgz", ".tar.gz")) and not _is_gzip(path)):
        stem = file_name.removesuffix(".tgz").removesuffix(".tar.gz")
        answer = StreamingResponse(pack_tgz(path, stem or path.name), 200, _headers(f"{stem}.tgz"), "application/gzip")
        weakref.finalize(answer, place.close)  # the files are read while the answer is sent
        return answer
    try:
        return _send(path, file_name)
    finally:
        place.close()


def _send(path: Path, file_name: str) -> Response:
    try:
        opened = path.open("rb")
    except OSError:
        return failure(500)
    kind = mimetypes.guess_type(file_name)
    media = "application/gzip" if kind[1] == "gzip" else kind[0] or "application/octet-stream"
    return StreamingResponse(_chunks(opened), 200, _headers(file_name, os.fstat(opened.fileno()).st_size), media)


def _headers(file_name: str, size: int | None = None) -> dict[str, str]:
    safe = "".join(c for c in file_name if c.isprintable() and c not in '"\\').encode("ascii", "replace").decode()
    length = {} if size is None else {"content-length": str(size)}
    return {"content-disposition": f'filename="{safe}"', **length, **_SAFETY}


def _chunks(opened: IO[bytes]) -> Iterator[bytes]:
    with opened:
        while chunk := opened.read(_CHUNK):
            yield chunk


def pack_tgz(path: Path, name: str) -> Iterator[bytes]:
    """A gzipped tar of a file or a folder, made while it is sent, so that it is never stored. Symbolic links stay links."""
    zipper = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16)
    describe = tarfile.TarFile(fileobj=io.BytesIO(), mode="w").gettarinfo
    for place, place_name in _walk(path, name):
        if place.is_socket():  # a tar cannot contain sockets
            continue
        info = describe(place, place_name)
        yield zipper.compress(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        if info.isreg():
            for chunk in _read_exactly(place, info.size):
                yield zipper.compress(chunk)
            yield zipper.compress(bytes(-info.size % tarfile.BLOCKSIZE))
    yield zipper.compress(bytes(2 * tarfile.BLOCKSIZE)) + zipper.flush()


def _walk(path: Path, name: str) -> Iterator[tuple[Path, str]]:
    """The file or folder and everything in it, each with its name in the archive."""
    yield path, name
    if path.is_dir() and not path.is_symlink():
        for entry in sorted(os.listdir(path)):
            yield from _walk(path / entry, f"{name}/{entry}")


def _read_exactly(path: Path, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes of a file, because the archive's header has been sent with that size."""
    with path.open("rb") as opened:
        while size:
            chunk = opened.read(min(size, _CHUNK))
            if not chunk:
                raise OSError(f"{path} became shorter while it was sent")
            size -= len(chunk)
            yield chunk


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as opened:
        return opened.read(2) == b"\x1f\x8b"


def path_within(root: Path, below: str) -> Path | None:
    """The file or folder below an artifact; None when there is none or it is (or links to something) outside."""
    try:
        real_root = root.resolve(strict=True)
        target = (root / below.strip("/")).resolve(strict=True) if below.strip("/") else real_root
    except (OSError, RuntimeError, ValueError):  # missing, a circle of links, or an impossible file name
        return None
    if target != real_root and real_root not in target.parents:
        return None
    return target if target.is_dir() or target.is_file() else None


def _listing(folder: Path) -> str:
    names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in folder.iterdir())
    entries = [(quote(os.fsencode(name)), os.fsencode(name).decode("utf-8", "replace")) for name in names]
    links = [f'<li><a href="./{link}">{html.escape(name)}</a></li>' for link, name in entries]
    return "<html><body><ul>\n" + "\n".join(['<li><a href="..">..</a></li>', *links]) + "\n</ul></body></html>"


def failure(status: int) -> Response:
    return PlainTextResponse(f"{status_text(status)}\n", status, {"x-content-type-options": "nosniff"})
