"""An HTTP reply whose body is a file: at which byte it begins, the length of the file, the server's digests of it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from hera_utils.platforms.http_errors import broken_connections

if TYPE_CHECKING:
    import requests

    from hera_utils.platforms.own_server_session import Reply

_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes (?P<start>\d+)-\d+/(?P<whole>\d+|\*)$")
_SHA256 = re.compile(r"sha-256=:?(?P<value>[A-Za-z0-9+/]+=*):?", re.IGNORECASE)


class DownloadBroken(Exception):
    """The content ended early, or contradicts what the server says about it."""


class OpenedFile:
    """A reply whose body is a file.

    start: the position of the first byte: 0 if the server sends the whole file, whatever was requested. whole: the file's length, None if
    unknown. etag: its version, "" for none. kind: its media type. sha256, md5: the server's digests in hex, or "".
    """

    def __init__(self, reply: Reply | requests.Response) -> None:
        self._reply = reply
        headers = reply.headers
        part = _RANGE.match(headers.get("Content-Range", "").strip()) if reply.status_code == 206 else None
        length = headers.get("Content-Length", "")
        self.start = int(part["start"]) if part else 0
        self.whole: int | None = int(length) if length.isdecimal() else None
        if part:
            self.whole = int(part["whole"]) if part["whole"].isdecimal() else None
        self.etag = headers.get("ETag", "")
        self.kind = headers.get("Content-Type", "").partition(";")[0].strip()
        digest = _SHA256.search(headers.get("Repr-Digest", "") or headers.get("Digest", ""))
        self.sha256 = _hex(digest["value"]) if digest else ""
        self.md5 = _hex(headers.get("Content-MD5", ""))

    @property
    def resumable(self) -> bool:
        """Whether the rest can be requested later, with the certainty that the file has not changed."""
        return self._reply.headers.get("Accept-Ranges", "").strip() == "bytes" and not self.etag.startswith("W/")

    def pieces(self) -> Iterator[bytes]:
        """The stored bytes in pieces, not decoded. Raises Broken if they end early."""
        try:
            yield from self._reply.raw.stream(_CHUNK, decode_content=False)
        except broken_connections() as error:
            raise DownloadBroken(str(error) or type(error).__name__) from None


def _hex(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""
