"""Digests of files: SHA-256 for people and other tools, 16 hexadecimal digits for hera_utils' own comparisons."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

_CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex. Raises OSError if it cannot be read."""
    digest = hashlib.sha256()
    _read_into(digest.update, path)
    return digest.hexdigest()


def short_digest(content: bytes) -> str:
    """16 hexadecimal digits (64 bits); two contents of a run have the same by chance once in some billions of runs."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def short_digest_of(path: Path) -> str:
    """The short digest of a file's bytes, or of a folder's files and their paths. Raises OSError if one cannot be read."""
    digest = hashlib.blake2b(digest_size=8)
    if not path.is_dir():
        _read_into(digest.update, path)
        return digest.hexdigest()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(path)}\0".encode("utf-8", "surrogateescape"))
            _read_into(digest.update, file)
    return digest.hexdigest()


def _read_into(update: Callable[[bytes], None], path: Path) -> None:
    with open(path, "rb", opener=_open_without_waiting) as file:
        while chunk := file.read(_CHUNK):
            update(chunk)


def _open_without_waiting(path: str, flags: int) -> int:
    """An opener that does not block, as a link may lead to a file of the kernel that never ends."""
    return os.open(path, flags | os.O_NONBLOCK)
