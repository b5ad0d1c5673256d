"""A file of a server while it is read: where it begins, how long it should be, what the server says of its content."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

import requests
import urllib3.exceptions

_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes (?P<start>\d+)-\d+/(?P<whole>\d+|\*)$")
_SHA256 = re.compile(r"sha-256=:?(?P<value>[A-Za-z0-9+/]+=*):?", re.IGNORECASE)


class Broken(Exception):
    """The content broke off, or is not what the server said it is."""


class Opened:
    """An answer whose body is a file.

    start: the first byte that comes: 0 when the server gives the whole, whatever was asked for. whole: the file's length, None when
    it does not say. etag: its version, "" when it has none. kind: its media type. sha256, md5: what the server says, in hex, or "".
    """

    def __init__(self, reply: requests.Response) -> None:
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
        """Whether the rest of it can be asked for, and be known to belong to what was read."""
        return self._reply.headers.get("Accept-Ranges", "").strip() == "bytes" and not self.etag.startswith("W/")

    def pieces(self) -> Iterator[bytes]:
        """The bytes, in pieces, exactly as they are kept. Broken when they break off."""
        try:
            yield from self._reply.raw.stream(_CHUNK, decode_content=False)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Broken(str(error) or type(error).__name__) from None


def _hex(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""
