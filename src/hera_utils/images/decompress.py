"""Decompresses a layer's tar: reads it once, forward only, and counts and digests it. Memory stays bounded for any input.

Whether and how it is compressed is read from its first bytes, because registries and archives often name the format wrongly.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import tarfile
import threading
import zlib
from collections.abc import Iterator
from importlib import import_module
from typing import IO, Any, BinaryIO

from hera_utils.errors import ResourceError
from hera_utils.images.config import UnreadableImage

_PIECE = 1 << 20
_PACKED_PIECE = 1 << 16
GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
"""The first bytes of compressed data."""
_ZSTD_SKIPPABLE = tuple(bytes([first]) + b"\x2a\x4d\x18" for first in range(0x50, 0x60))
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
_WINDOW_BITS = 27  # the most that zstd may look back: 128 MiB of memory, which is what its own program permits
_MOST_METADATA = 1 << 20


class LayerTooLarge(ResourceError):
    """A layer needs more room than this machine has, or more than any sensible layer: it may be made to fill disks."""


class TarStream:
    """The tar as `tarfile` reads it. `digest` is the digest of all bytes so far (the diff_id, once the stream is drained).

    tarfile believes what headers say of their own length, and keeps them in memory. Therefore `read`, which tarfile calls, has a
    limit for each entry (`next_entry` resets it). Contents of files are read by `contents`.
    """

    def __init__(self, packed: BinaryIO, most: int) -> None:
        """most: how many bytes the unpacked tar may have; more raise LayerTooLarge."""
        self._chunks = unpacked_chunks(packed)
        self._digest = hashlib.sha256()
        self._most = most
        self._rest = memoryview(b"")
        self._position = 0
        self._ended = False
        self._metadata_left = _MOST_METADATA
        self.last_header = b""

    @property
    def digest(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"

    def next_entry(self) -> None:
        self._metadata_left = _MOST_METADATA

    def tell(self) -> int:
        return self._position

    def seek(self, position: int, whence: int = 0) -> int:
        """Skip forward. A position further back comes from a damaged header and raises UnreadableImage."""
        if whence != 0 or position < self._position:
            raise UnreadableImage("the tar of a layer is damaged: an entry has an impossible size")
        for _ in self.contents(position - self._position):
            pass
        return self._position

    def read(self, size: int) -> bytes:
        """Read metadata. Gives fewer than `size` bytes only at the end; a second read there raises UnreadableImage."""
        if size < 0 or size > self._metadata_left:
            raise LayerTooLarge(f"the tar of a layer describes one file with more than {_MOST_METADATA >> 20} MiB")
        self._metadata_left -= size
        data = b"".join(self._pieces(size))
        if not data and size:
            if self._ended:
                raise UnreadableImage("the tar of a layer ends in the middle of an entry")
            self._ended = True
        self.last_header = data
        return data

    def contents(self, size: int) -> Iterator[memoryview]:
        """Yield `size` bytes in pieces. Raises UnreadableImage when there are fewer."""
        end = self._position + size
        yield from self._pieces(size)
        if self._position != end:
            raise UnreadableImage("the tar of a layer ends in the middle of a file")

    def drain(self) -> None:
        """Read the bytes after the last entry, because the digest includes them."""
        while any(True for _ in self._pieces(_PIECE)):
            pass

    def close(self) -> None:
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()

    def _pieces(self, size: int) -> Iterator[memoryview]:
        while size > 0:
            if not self._rest:
                chunk = next(self._chunks, b"")
                if not chunk:
                    return
                self._digest.update(chunk)
                self._rest = memoryview(chunk)
            piece, self._rest = self._rest[:size], self._rest[size:]
            size -= len(piece)
            self._position += len(piece)
            if self._position > self._most:
                raise LayerTooLarge(
                    f"a layer is larger than {self._most >> 20} MiB when unpacked, more than this disk has room for",
                    fix="free some disk space, or set HERA_UTILS_STATE to a folder of a larger disk",
                )
            yield piece


def tar_entries(archive: Any) -> Iterator[tarfile.TarInfo]:
    """The entries one after the other; tarfile's own iteration would keep all of them in memory."""
    # tarfile has read the first entry already. In an empty archive, `next` of Python 3.10 would seek to before the beginning.
    entry = archive.next() if archive.firstmember is not None else None
    while entry is not None:
        archive.members.clear()
        yield entry
        entry = archive.next()


def unpacked_chunks(packed: BinaryIO) -> Iterator[bytes]:
    """The decompressed bytes (from gzip, zstd or no compression), in pieces of at most about a MiB. Raises UnreadableImage."""
    first = packed.read(6)
    if first.startswith(GZIP):
        return _gzip_chunks(packed, first)
    if first.startswith((ZSTD, *_ZSTD_SKIPPABLE)):
        packed.seek(0)
        return _zstd_chunks(packed)
    for magic, name in _OTHERS.items():
        if first.startswith(magic):
            raise UnreadableImage(f"a layer is compressed by {name}, which images do not use", fix="use gzip or zstd")
    return _plain_chunks(packed, first)


def _plain_chunks(packed: BinaryIO, first: bytes) -> Iterator[bytes]:
    if first:
        yield first
    while chunk := packed.read(_PIECE):
        yield chunk


def _gzip_chunks(packed: BinaryIO, data: bytes) -> Iterator[bytes]:
    """Decompress one gzip member after another: many builders write several, so that parts can be fetched alone."""
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    in_member = True
    while True:
        if not data:
            data = packed.read(_PACKED_PIECE)
        if not in_member:
            data = data.lstrip(b"\0")  # zeros are padding between members and at the end
            if not data and not (data := packed.read(_PACKED_PIECE)):
                return
            if not data.strip(b"\0"):
                data = b""
                continue
            in_member = True
        try:
            chunk = inflate.decompress(data, _PIECE)
        except zlib.error as error:
            raise UnreadableImage(f"a layer is not gzip, or is damaged ({error})") from None
        if chunk:
            yield chunk
        if inflate.eof:
            data, inflate, in_member = inflate.unused_data, zlib.decompressobj(zlib.MAX_WBITS | 16), False
        elif not data and not chunk:
            raise UnreadableImage("a layer is cut off: its gzip data has no end")
        else:
            data = inflate.unconsumed_tail


def _zstd_chunks(packed: BinaryIO) -> Iterator[bytes]:
    """Decompress by Python's own library (3.14), else by zstandard, else by the program zstd."""
    with contextlib.suppress(ImportError):
        zstd = import_module("compression.zstd")
        options = {zstd.DecompressionParameter.window_log_max: _WINDOW_BITS}
        return _read_chunks(zstd.ZstdFile(packed, options=options), zstd.ZstdError)
    with contextlib.suppress(ImportError):
        zstandard = import_module("zstandard")
        decompressor = zstandard.ZstdDecompressor(max_window_size=1 << _WINDOW_BITS)
        return _read_chunks(decompressor.stream_reader(packed, read_across_frames=True), zstandard.ZstdError)
    return _program_chunks(packed)


def _read_chunks(reader: Any, failure: type[Exception]) -> Iterator[bytes]:
    try:
        while chunk := reader.read(_PIECE):
            yield chunk
    except (failure, EOFError) as error:
        raise UnreadableImage(f"a layer is not zstd, or is damaged ({error})") from None


def _program_chunks(packed: BinaryIO) -> Iterator[bytes]:
    try:
        process = subprocess.Popen(
            ["zstd", "-d", "-c", "-q", "--memory=128MB"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        raise ResourceError(
            "a layer is compressed by zstd, and nothing on this machine can unpack that",
            fix="install the Python package zstandard, or the program zstd",
        ) from None
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    feeder = threading.Thread(target=_feed_program, args=(packed, process.stdin), daemon=True)
    feeder.start()
    try:
        while chunk := process.stdout.read(_PIECE):
            yield chunk
        complaint = process.stderr.read(500).decode(errors="replace").strip()
        if process.wait() != 0:
            raise UnreadableImage(
                f"a layer is not zstd, or is damaged ({complaint.splitlines()[0] if complaint else 'no reason'})"
            )
    finally:
        process.kill()
        process.wait()
        feeder.join()
        process.stdout.close()
        process.stderr.close()


def _feed_program(source: BinaryIO, target: IO[bytes]) -> None:
    with contextlib.suppress(OSError), target:  # the program may end before it has read everything
        shutil.copyfileobj(source, target, _PIECE)
