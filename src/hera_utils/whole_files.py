"""Files that are written as a whole or not at all, into folders where tasks, or the author of a project, may have put links."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_BELOW = "/proc/self/fd"


def write_whole(path: Path, content: bytes, *, durable: bool = False, mode: int = 0o666) -> None:
    """Replace a file; one that is a link is replaced itself, not what it leads to. durable: it is on the disk then. mode: what the
    umask takes from. Several threads may write the same file.

    OSError when it cannot be written.
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
def held_folder(folder: Path, *, make: bool = False) -> Iterator[Path]:
    """A folder under a name that cannot be turned elsewhere while it is used (Linux). make: create it where it is missing.

    OSError where it is a link.
    """
    if make:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield Path(f"{_BELOW}/{held}") if os.path.isdir(f"{_BELOW}/{held}/") else folder
    finally:
        os.close(held)


def no_link(path: str, flags: int) -> int:
    """For `open`: a file that is no link."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def private(path: str, flags: int) -> int:
    """For `open`: a file that is new is its owner's alone, whatever the umask."""
    return os.open(path, flags, 0o600)
