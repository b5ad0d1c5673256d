"""By what a file is known again: its size, when it was last changed, and its content. The content is read only where the first two leave
a doubt.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hera_utils.digests import short_digest, short_digest_of
from hera_utils.wording import counted

LARGEST_DIGESTED = 256 * 1024 * 1024  # bytes of one file or folder whose content is read: a fraction of a second
UNKNOWN = ""


class FileFacts(NamedTuple):
    """Of a file or a folder. stamp: times of its last change and its inode; of a folder the digest of those of all in it.

    digest: of the content; UNKNOWN of what is too large to be read, or is no file.
    """

    size: int
    stamp: str
    digest: str = UNKNOWN


def facts_of(path: Path, room: int = LARGEST_DIGESTED) -> FileFacts | None:
    """None where nothing is there. room: the bytes that may be read; of what is larger the content is not known."""
    quick = _quick(path)
    if quick is None:
        return None
    return quick if quick.size > min(room, LARGEST_DIGESTED) else quick._replace(digest=_content(path))


def difference(path: Path, before: FileFacts) -> tuple[str, FileFacts | None]:
    """(how it differs from what was known, "" where it does not; how it is known from now on, None where nothing is there)."""
    now = _quick(path)
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


def _quick(path: Path) -> FileFacts | None:
    """What is known without reading: the digest is left out."""
    try:
        state = path.stat()
    except OSError:
        try:
            state = path.lstat()  # a link that leads nowhere from here: tasks may see another root
        except OSError:
            return None
    if not stat.S_ISDIR(state.st_mode):
        return FileFacts(state.st_size, _stamp(state))
    states = [(name, one) for name, one in _inside(path)]
    listing = "\n".join(f"{name}\0{_stamp(one)}" for name, one in states)
    size = sum(one.st_size for _, one in states if stat.S_ISREG(one.st_mode))
    return FileFacts(size, short_digest(listing.encode("utf-8", "surrogateescape")))


def _stamp(state: os.stat_result) -> str:
    """The time of the last change of the content, and that of its description: the first can be set back, the second cannot."""
    return f"{state.st_mtime_ns}:{state.st_ctime_ns}:{state.st_ino}"


def _inside(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """What is in a folder, in the order of the names: links are not followed."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted([*names, *folders]):
            path = Path(place, name)
            try:
                yield path.relative_to(folder).as_posix(), path.lstat()
            except OSError:
                continue  # it is gone since


def _content(path: Path) -> str:
    """UNKNOWN for what cannot be read, and for what is neither a file, a folder nor a link."""
    try:
        if path.is_dir():
            pieces = [f"{name}\0{_content_inside(path / name, state)}" for name, state in _inside(path)]
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
