"""The facts by which a file is recognized later: its size, the times of its last change, and its content. The content is read only if
the times have changed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hera_utils.digests import short_digest, short_digest_of
from hera_utils.wording import counted

# Bytes: larger files and folders are not hashed; this takes a fraction of a second.
LARGEST_DIGESTED = 256 * 1024 * 1024
UNKNOWN = ""


class FileFacts(NamedTuple):
    """The facts of a file or folder. stamp: the times of its last change and its inode; of a folder a digest of the stamps in it.

    digest: of the content; UNKNOWN if it is too large, or no file.
    """

    size: int
    stamp: str
    digest: str = UNKNOWN


def facts_of(path: Path, room: int = LARGEST_DIGESTED) -> FileFacts | None:
    """The facts of a file; None if it does not exist. room: the bytes that may be read; a larger file's digest is UNKNOWN."""
    quick = _quick_facts(path)
    if quick is None:
        return None
    return quick if quick.size > min(room, LARGEST_DIGESTED) else quick._replace(digest=_content(path))


def difference(path: Path, before: FileFacts) -> tuple[str, FileFacts | None]:
    """(how the file differs from the earlier facts, "" if it does not; its present facts, None if it does not exist)."""
    now = _quick_facts(path)
    if now is None:
        return "missing", None
    if now[:2] == before[:2]:
        return "", before
    if now.size != before.size:
        return f"changed ({counted(before.size, 'byte')} before, {now.size} now)", now
    if before.digest == UNKNOWN:
        return "changed (its content is not known: it was too large to be read)", now
    now = now._replace(digest=_content(path))
    return ("" if now.digest == before.digest else "changed (of the same size)"), now


def _quick_facts(path: Path) -> FileFacts | None:
    """The facts that need no reading of the content; the digest is UNKNOWN."""
    try:
        state = path.stat()
    except OSError:
        try:
            state = path.lstat()  # a link without a target: it may exist in the tasks' root folder
        except OSError:
            return None
    if not stat.S_ISDIR(state.st_mode):
        return FileFacts(state.st_size, _stamp(state))
    states = [(name, status) for name, status in _files_inside(path)]
    listing = "\n".join(f"{name}\0{_stamp(status)}" for name, status in states)
    size = sum(status.st_size for _, status in states if stat.S_ISREG(status.st_mode))
    return FileFacts(size, short_digest(listing.encode("utf-8", "surrogateescape")))


def _stamp(state: os.stat_result) -> str:
    """mtime, ctime and inode: programs can set the mtime back, but not the ctime."""
    return f"{state.st_mtime_ns}:{state.st_ctime_ns}:{state.st_ino}"


def _files_inside(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """All files and folders in a folder, sorted by name; links are not followed."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted([*names, *folders]):
            path = Path(place, name)
            try:
                yield path.relative_to(folder).as_posix(), path.lstat()
            except OSError:
                continue  # it was removed meanwhile


def _content(path: Path) -> str:
    """The digest of the content; UNKNOWN if it cannot be read, or is neither a file, a folder nor a link."""
    try:
        if path.is_dir():
            pieces = [f"{name}\0{_content_inside(path / name, state)}" for name, state in _files_inside(path)]
            return short_digest("\n".join(pieces).encode("utf-8", "surrogateescape"))
        if path.is_symlink() and not path.exists():
            return short_digest(os.readlink(path).encode("utf-8", "surrogateescape"))
        return short_digest_of(path) if path.is_file() else UNKNOWN
    except OSError:
        return UNKNOWN


def _content_inside(path: Path, state: os.stat_result) -> str:
    if stat.S_ISLNK(state.st_mode):
        return os.readlink(path)
    if stat.S_ISDIR(state.st_mode):
        return "folder"
    return short_digest_of(path) if stat.S_ISREG(state.st_mode) else "special"
