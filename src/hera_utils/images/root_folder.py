"""Makes an image of one layer from a folder with a container's root file system: /bin, /etc, /usr…"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

from hera_utils.errors import ResourceError
from hera_utils.images import whiteouts
from hera_utils.images.config import ImageConfig, UnreadableImage, digest_of
from hera_utils.images.manifest import this_platform
from hera_utils.images.reference import Reference
from hera_utils.images.store import Store, StoredImage
from hera_utils.wording import system_reason


def import_folder(folder: Path, store: Store, *, name: str, run: dict[str, Any]) -> StoredImage:
    """Bring a folder into the store. run: the image's config, by the specification's keys (Entrypoint, Cmd, Env, WorkingDir, User).

    The same files give the same image. Links stay links; devices, pipes and sockets are left out. Raises ResourceError,
    UnreadableImage, PlatformError.
    """
    reference = Reference.parse(name)
    system, architecture, *variant = this_platform().split("/")
    digest = _Digest()
    _write_tar(folder, digest)
    document = {
        "architecture": architecture,
        "os": system,
        **({"variant": variant[0]} if variant else {}),
        "config": run,
        "rootfs": {"type": "layers", "diff_ids": [digest.text()]},
    }
    data = json.dumps(document, sort_keys=True).encode()
    config, config_digest = ImageConfig.parse(data), digest_of(data)
    with store.hold_content():
        store.add_blob(config_digest, data)
        if store.missing_layers(config):
            with _open_tar(folder) as stream:
                try:
                    store.add_layer(config, 0, stream)
                except UnreadableImage as error:
                    raise UnreadableImage(f"{folder} changed while it was read ({error})", fix="try again") from error
        return store.add_image(reference, digest=config_digest, config_digest=config_digest)


class _Digest:
    """A file that only computes the digest of what is written to it."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return len(data)

    def text(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"


@contextlib.contextmanager
def _open_tar(folder: Path) -> Iterator[BinaryIO]:
    """The tar of a folder, as a pipe that is read while a thread writes it."""
    reading, writing = os.pipe()

    def write() -> None:
        # If the folder cannot be read, the tar ends early and the reader reports it. The reader may also stop before the end.
        with contextlib.suppress(OSError, ResourceError), open(writing, "wb") as file:
            _write_tar(folder, file)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        with open(reading, "rb") as file:
            yield file
    finally:
        writer.join()


def _write_tar(folder: Path, target: Any) -> None:
    try:
        with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
            for name, status in _entries(folder):
                entry = archive.gettarinfo(str(folder / name), name)
                if os.geteuid() != 0:  # the files of an ordinary user belong to root in an image
                    entry.uid = entry.gid = 0
                entry.uname = entry.gname = ""
                entry.mtime = int(status.st_mtime)
                if entry.isreg():
                    with open(folder / name, "rb") as content:
                        archive.addfile(entry, _PaddedFile(content))
                else:
                    archive.addfile(entry)
    except (BrokenPipeError, ConnectionError):
        raise
    except OSError as error:
        raise ResourceError(
            f"{error.filename or folder} cannot be read ({system_reason(error)})",
            fix="import the folder as a user who may read it",
        ) from None


class _PaddedFile:
    """A file that may have become shorter than its header says: zeros replace the rest, and the digest then shows the change."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = 0, /) -> bytes:
        data = self._file.read(size)
        return data + bytes(size - len(data))


def _entries(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """The names below the folder with their status, sorted, each folder before its contents."""
    todo = ["."]
    while todo:
        name = todo.pop()
        status = os.lstat(folder / name)
        if whiteouts.is_reserved(os.path.basename(name)):
            raise ResourceError(
                f"{folder / name} cannot be in an image: names that begin with {whiteouts.PREFIX} mean absent files",
                fix="rename or remove it",
            )
        kind = stat.S_IFMT(status.st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
            continue
        yield name, status
        if kind == stat.S_IFDIR:
            todo += [os.path.join(name, entry) for entry in sorted(os.listdir(folder / name), reverse=True)]
