"""Writes files as a whole or not at all, into folders in which tasks, or the author of a project, may have put links."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_BELOW = "/proc/self/fd"


def write_atomically(path: Path, content: bytes, *, durable: bool = False, mode: int = 0o666) -> None:
    """Replace a file. A link is replaced itself, not its target. Several threads may write the same file.

    durable: return only when the content is on the disk. mode: the mode before the umask. Raises OSError if it cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        with open(fresh, "xb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def hold_folder(folder: Path, *, make: bool = False) -> Iterator[Path]:
    """The folder as a path that nobody can redirect by a link while it is used (Linux). make: create the folder if it is missing.

    Raises OSError if it is a link.
    """
    if make:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield Path(f"{_BELOW}/{held}") if os.path.isdir(f"{_BELOW}/{held}/") else folder
    finally:
        os.close(held)


def open_without_links(path: str, flags: int) -> int:
    """An opener for `open` that refuses links."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def open_privately(path: str, flags: int) -> int:
    """An opener for `open`: only the owner may read a new file, whatever the umask."""
    return os.open(path, flags, 0o600)
