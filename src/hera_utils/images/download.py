"""Downloads one blob of a registry into a file: continues an earlier download, and ends only when the content matches its digest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import requests

from hera_utils.images.deadlines import cut_if_stalled
from hera_utils.images.faults import RegistryUnreachable
from hera_utils.images.manifest import Descriptor
from hera_utils.images.reference import Reference
from hera_utils.images.registry import RegistryClient, damaged_content
from hera_utils.images.transport import FAILURES, reason_of

_CHUNK = 1 << 16
_CHUNK_SECONDS = 60.0
_MOST_CUTS = 6  # cuts in a row without a byte between them
_MOST_DAMAGES = 2


def download(
    client: RegistryClient, reference: Reference, blob: Descriptor, path: Path, advance: Callable[[int], None]
) -> None:
    """path: may hold the beginning of the blob from an earlier download. advance: called with the number of bytes in the file.

    Raises UnreadableImage when the content twice does not match its digest, RegistryUnreachable when the connection breaks off again
    and again, what RegistryClient raises, and OSError when the file cannot be written.
    """
    damages = 0
    while True:
        digest = _Digest(blob.digest)
        with path.open("ab+") as file:
            _read_beginning(file, digest, blob)
            _fetch_rest(client, reference, blob, file, digest, advance)
        if digest.matches:
            return
        path.unlink()
        damages += 1
        if damages == _MOST_DAMAGES:
            raise damaged_content(f"the part {blob.digest} of {reference}", digest.text)


class _Digest:
    """The digest of what is in the file so far."""

    def __init__(self, digest: str) -> None:
        self._algorithm, _, self._expected = digest.partition(":")
        self.restart()

    def restart(self) -> None:
        self._hash = hashlib.new(self._algorithm)

    def update(self, data: bytes) -> None:
        self._hash.update(data)

    @property
    def matches(self) -> bool:
        return self._hash.hexdigest() == self._expected

    @property
    def text(self) -> str:
        return f"{self._algorithm}:{self._hash.hexdigest()}"


def _read_beginning(file: IO[bytes], digest: _Digest, blob: Descriptor) -> None:
    """Digest what an earlier download left; a file longer than the blob is not its beginning and is emptied."""
    file.seek(0, 2)
    if file.tell() > blob.size:
        file.truncate(0)
    file.seek(0)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)


def _fetch_rest(
    client: RegistryClient,
    reference: Reference,
    blob: Descriptor,
    file: IO[bytes],
    digest: _Digest,
    advance: Callable[[int], None],
) -> None:
    """Fetch the missing bytes. The connection may be cut any number of times, as long as some bytes arrive each time."""
    cuts = 0
    advance(file.tell())
    while file.tell() < blob.size:
        before = file.tell()
        with client.blob(reference, blob.digest, before) as reply:
            if before and not _continues_at(reply, before):
                file.seek(0)
                file.truncate()
                digest.restart()
            why, is_slow = "it does not send what was asked for", False
            if reply.status_code == 200 or _continues_at(reply, file.tell()):
                why, is_slow = _append(reply, file, blob.size, digest, advance)
        if file.tell() > before and not is_slow:
            cuts = 0
            continue
        cuts += 1
        if cuts == _MOST_CUTS:
            raise RegistryUnreachable(
                f"the registry {reference.registry} breaks off while it sends {reference} ({why})",
                fix="try again later",
            )
        client.wait(cuts - 1)


def _continues_at(reply: requests.Response, position: int) -> bool:
    """Whether the answer is the part of the blob that starts at that position."""
    match = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
    return reply.status_code == 206 and match is not None and int(match[1]) == position


def _append(
    reply: requests.Response, file: IO[bytes], size: int, digest: _Digest, advance: Callable[[int], None]
) -> tuple[str, bool]:
    """Append the body, one byte more than the blob's size at most. Gives why the body ended, and whether it was cut as too slow."""
    why = "the answer is too short"
    with cut_if_stalled(_CHUNK_SECONDS) as guard:
        while file.tell() <= size:
            try:
                # The body is not decoded: a store that declares it encoded (gzip) means that the layer itself is compressed.
                chunk: Any = reply.raw.read(min(_CHUNK, size - file.tell() + 1), decode_content=False)
            except FAILURES as error:
                why = reason_of(error)
                break
            if not chunk:
                break
            file.write(chunk)
            digest.update(chunk)
            advance(file.tell())
            guard.note_progress()
        return ("it sends too slowly", True) if guard.has_cut else (why, False)
