"""The images of this machine, in one folder that several processes use at once.

    blobs/<algorithm>/<hex>     content by its digest, as a registry has it; always complete
    partial/<algorithm>-<hex>   a download that is not complete
    chains/<hex>.json           a layer and all layers below it (its chain id): its folder and size; written when the folder is complete
    layers/<name>/              the files of an unpacked layer, mounted by pods; no name is used twice
    references/<hex>.json       a name of an image, its digest and its config; the file's time is that of the last use
    removed/                    layers that are being deleted
    locks/                      see file_locks.py

Except in partial/, each file is complete: it is written under another name, synced to the disk, then renamed. The remains of a killed
process are removed by the next one that does the same work, or by `collect`.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from hera_utils.deep_folders import files_below, remove_tree
from hera_utils.errors import PlatformError
from hera_utils.images import file_locks
from hera_utils.images.config import ImageConfig, UnreadableImage, check_digest
from hera_utils.images.unpack import LayerLimits, explain_full_disk, unpack
from hera_utils.private_folders import make_private
from hera_utils.whole_files import open_privately, write_atomically
from hera_utils.wording import counted

_CHUNK = 1 << 20
_REFERENCE_FIELDS: Mapping[str, Any] = {"reference": str, "digest": str, "config": str, "added": (int, float)}
_LAYER_FIELDS: Mapping[str, Any] = {"folder": str, "diff_id": str, "size": int, "hides_all": bool, "remarks": list}
_SECONDS_FOR_PODS = 2.0  # seconds for which a removal waits for pods that start
_FOLDERS = ("blobs", "blobs/sha256", "blobs/sha512", "partial", "chains", "layers", "references", "removed", "locks")


InUseBy = Callable[[], Mapping[str, Sequence[str]]]
"""Gives: layer folder that pods have mounted → these pods."""


class InUse(PlatformError):
    """An image, or the whole store, cannot be changed now, because a pod or another process uses it."""


@dataclass(frozen=True)
class StoredImage:
    """reference: its full name. digest: the digest by which its registry (or archive) names it. layers: folders, the lowest first.

    size: bytes of the unpacked files. used: when it was used last, in seconds since 1970.
    """

    reference: str
    digest: str
    config_digest: str
    config: ImageConfig
    layers: tuple[Path, ...]
    size: int
    added: float
    used: float


class Layer(NamedTuple):
    """An unpacked layer. hides_all: it hides all layers below it. remarks: what was left out of it."""

    folder: Path
    diff_id: str
    size: int
    hides_all: bool
    remarks: tuple[str, ...]


class RemovedImages(NamedTuple):
    """What `collect` removed."""

    blobs: int
    layers: int
    size: int


class _SweptFiles(NamedTuple):
    """What a removal takes away: the number of blobs, their bytes, and the folders, which no name leads to any more."""

    blobs: int
    size: int
    folders: list[Path]


class Store:
    """folder: `images` of the state folder. Every method may be called from any thread and any process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._prepared = False
        self._read: dict[Path, tuple[bytes, StoredImage]] = {}  # reference file → (its content, its image)

    # Names

    def find(self, reference: object) -> StoredImage | None:
        """The complete image of that name (a Reference, or its text); None when the store does not have it."""
        return self._image(self._reference_file(str(reference)))

    def entry(self, reference: object) -> bytes:
        """The content of a name's reference file, b"" without one. While it is unchanged, `find` gives the same image or None."""
        try:
            return self._reference_file(str(reference)).read_bytes()
        except OSError:
            return b""

    def images(self) -> list[StoredImage]:
        """All complete images, sorted by name."""
        images = (self._image(path) for path in _files(self.folder / "references", ".json"))
        return sorted((image for image in images if image is not None), key=lambda image: image.reference)

    def touch(self, reference: object) -> None:
        """Record that the image is used now."""
        with contextlib.suppress(OSError):
            os.utime(self._reference_file(str(reference)))

    def add_image(self, reference: object, *, digest: str, config_digest: str) -> StoredImage:
        """Give an image a name, once the store has its config and all layers. A name of another image then means this one."""
        record = {"reference": str(reference), "digest": digest, "config": config_digest, "added": time.time()}
        self._write(self._reference_file(str(reference)), record)
        image = self.find(reference)
        if image is None:
            raise PlatformError(f"the image {reference} lost a part while it was added", fix="try again")
        return image

    # Blobs

    def blob(self, digest: str) -> Path | None:
        """The complete file with that content; None when the store does not have it."""
        path = self._blob_file(digest)
        return path if path.is_file() else None

    def partial(self, digest: str) -> Path:
        """The file that a download is written to, perhaps begun by an interrupted one. The writer must hold `hold_lock(digest)`."""
        self._prepare()
        return self.folder / "partial" / check_digest(digest).replace(":", "-")

    def keep(self, digest: str, *, is_checked: bool = False) -> Path:
        """Move the complete download of `partial` to the blobs. If it does not match its digest: remove it and raise UnreadableImage.

        is_checked: the caller has compared the digest already.
        """
        fresh, path = self.partial(digest), self._blob_file(digest)
        algorithm, _, expected = digest.partition(":")
        with fresh.open("rb") as file:
            actual = expected if is_checked else _hexdigest(file, algorithm)
            if actual != expected:
                fresh.unlink()
                raise UnreadableImage(
                    f"the content {digest} of an image arrived damaged: its digest is {algorithm}:{actual}"
                )
            os.fsync(file.fileno())
        os.replace(fresh, path)
        _sync_folder(path.parent)
        return path

    def add_blob(self, digest: str, data: bytes) -> Path:
        """Store a content that is in memory. Raises UnreadableImage when it does not match the digest."""
        with self.hold_lock(digest):
            # The contents are compared, because a crash of the machine may have left the file incomplete.
            if (path := self.blob(digest)) is not None and path.read_bytes() == data:
                return path
            with explain_full_disk(self.folder), open(self.partial(digest), "wb", opener=open_privately) as file:
                file.write(data)
            return self.keep(digest)

    def drop_blob(self, digest: str) -> None:
        """Remove a blob that is no longer needed. The caller must hold `hold_lock(digest)`."""
        self._blob_file(digest).unlink(missing_ok=True)

    # Layers

    def layer(self, chain_id: str) -> Layer | None:
        """An unpacked layer; None when the store does not have it."""
        record = _read(self._chain_file(chain_id))
        if record is None:
            return None
        folder = self.folder / "layers" / str(record["folder"])
        if not folder.is_dir():
            return None
        return Layer(folder, record["diff_id"], record["size"], record["hides_all"], tuple(record["remarks"]))

    def missing_layers(self, config: ImageConfig) -> tuple[int, ...]:
        """The numbers of the layers that are not unpacked yet; the lowest layer has number 0."""
        return tuple(number for number, chain in enumerate(config.chain_ids) if self.layer(chain) is None)

    def add_layer(self, config: ImageConfig, number: int, packed: Path | BinaryIO) -> Layer:
        """Unpack a layer of an image; the layers below it must be unpacked. packed: its tar, compressed or not; an open file is seekable.

        Several processes may unpack the same layer: one does, the others wait and get its folder. Raises UnreadableImage,
        LayerTooLarge, PlatformError, and then removes what it has written.
        """
        self._prepare()
        chain = config.chain_ids[number]
        with self.hold_lock(chain):
            if (layer := self.layer(chain)) is not None:
                return layer
            below = self._lower_folders(config.chain_ids[:number])
            prefix = chain.partition(":")[2][:12]
            for leftover in (self.folder / "layers").glob(f"{prefix}-*"):  # of a process that was killed
                remove_tree(leftover)
            folder = self.folder / "layers" / f"{prefix}-{secrets.token_hex(3)}"
            with explain_full_disk(self.folder):
                folder.mkdir()
                folder.chmod(0o755)  # independent of the umask, because it becomes the root folder of containers
            try:
                with packed.open("rb") if isinstance(packed, Path) else contextlib.nullcontext(packed) as file:
                    unpacked = unpack(file, folder, below=below[::-1], limits=LayerLimits.of(folder))
                if unpacked.diff_id != config.diff_ids[number]:
                    raise UnreadableImage(
                        f"layer {number + 1} of the image is damaged: unpacked, its digest is {unpacked.diff_id}, "
                        f"and the image says {config.diff_ids[number]}"
                    )
                _sync_disk(folder)
                self._write(
                    self._chain_file(chain),
                    {
                        "folder": folder.name,
                        "diff_id": unpacked.diff_id,
                        "size": unpacked.size,
                        "hides_all": unpacked.hides_all,
                        "remarks": unpacked.remarks,
                    },
                )
            except BaseException:
                remove_tree(folder)
                raise
            return Layer(folder, unpacked.diff_id, unpacked.size, unpacked.hides_all, unpacked.remarks)

    def _lower_folders(self, chain_ids: Collection[str]) -> tuple[Path, ...]:
        """The folders of those layers that no other layer hides, the lowest first."""
        layers = [self.layer(chain) for chain in chain_ids]
        if None in layers:
            raise PlatformError("a layer of the image is missing", fix="pull the image again")
        return _visible_folders([layer for layer in layers if layer is not None])

    @property
    def scratch(self) -> Path:
        """A folder on the store's disk for unnamed temporary files."""
        self._prepare()
        return self.folder / "partial"

    # Locks

    @contextlib.contextmanager
    def hold_content(self) -> Iterator[None]:
        """Keep others from removing anything during the block: while something is added, or looked up and not yet recorded as in use."""
        self._prepare()
        with file_locks.hold_lock(self.folder / "locks" / "store", shared=True):
            yield

    @contextlib.contextmanager
    def hold_lock(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Keep others from doing the work of that name (a digest, a reference) during the block. Gives whether the lock is held: without
        `wait` it may not be.
        """
        self._prepare()
        key = hashlib.sha256(name.encode()).hexdigest()[:32]
        with file_locks.hold_lock(self.folder / "locks" / key, wait=wait) as is_held:
            yield is_held

    # Removal

    def remove(self, reference: object, in_use: InUseBy) -> RemovedImages:
        """Remove a name, and what only it needed. Raises InUse where it is the last name of an image that a pod has mounted."""
        with self._hold_store():
            path = self._reference_file(str(reference))
            image = self._image(path)
            mounted = in_use()
            if image is not None:
                pods = {pod for folder in image.layers for pod in mounted.get(str(folder), ())}
                others = {other.config_digest for other in self.images() if other.reference != image.reference}
                if pods and image.config_digest not in others:
                    raise InUse(
                        f"the image {reference} is used by {counted(len(pods), 'running pod')}",
                        fix="wait until their runs end (hera-utils ls --running), or stop them",
                    )
            chains = {self._chain_file(chain) for chain in image.config.chain_ids} if image is not None else set()
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            blobs = (
                {self._blob_file(digest) for digest in (image.config_digest, image.digest)}
                if image is not None
                else set()
            )
            swept = self._sweep(mounted, lambda path: path in chains | blobs)
        return _discard(swept)

    def drop_blobs(self, digests: Collection[str]) -> None:
        """Remove the packed layers of a complete image. Does nothing while another process adds an image, which may need them; `collect`
        removes them later.
        """
        with contextlib.suppress(InUse), self._hold_store(patience=0.0):
            needed, _ = self._needed_files()
            for digest in digests:
                path = self._blob_file(digest)
                if path not in needed:
                    path.unlink(missing_ok=True)

    def collect(self, in_use: InUseBy, *, older_than: float = 86400.0, dry_run: bool = False) -> RemovedImages:
        """Remove what no image needs and no pod has mounted. older_than: younger files (in seconds) stay, as a later pull may need them.

        dry_run: only report what would be removed. Raises InUse while another process adds an image.
        """
        limit = time.time() - older_than
        with self._hold_store():
            swept = self._sweep(in_use(), lambda path: _time_of_change(path) <= limit, dry_run=dry_run)
        return _discard(swept, dry_run=dry_run)

    @contextlib.contextmanager
    def _hold_store(self, *, patience: float = _SECONDS_FOR_PODS) -> Iterator[None]:
        """Lock the whole store. Waits a moment for pods that start, but not for pulls, which take long: these raise InUse."""
        self._prepare()
        end = time.monotonic() + patience
        while True:
            with file_locks.hold_lock(self.folder / "locks" / "store", wait=False) as is_held:
                if is_held:
                    yield
                    return
            if time.monotonic() >= end:
                raise InUse("images are being pulled or imported at this moment", fix="try again when that has ended")
            time.sleep(0.05)

    def _sweep(
        self, mounted: Mapping[str, Sequence[str]], is_old: Callable[[Path], bool], *, dry_run: bool = False
    ) -> _SweptFiles:
        """Remove unneeded files and rename unneeded layers' folders. is_old: whether a blob or the record of a layer may be removed.

        A folder without a record is incomplete and always removed.
        """
        needed_blobs, needed_chains = self._needed_files()
        blobs = [
            path
            for name in ("blobs/sha256", "blobs/sha512", "partial")
            for path in _files(self.folder / name)
            if path not in needed_blobs and is_old(path)
        ]
        chains, folders_to_keep = [], {Path(folder) for folder in mounted}
        for path in _files(self.folder / "chains", ".json"):
            record = _read(path)
            folder = self.folder / "layers" / str(record["folder"]) if record else None
            if folder is not None and (path in needed_chains or folder in folders_to_keep or not is_old(path)):
                folders_to_keep.add(folder)
            else:
                chains.append(path)
        layers = [folder for folder in _files(self.folder / "layers") if folder not in folders_to_keep]
        swept = _SweptFiles(len(blobs), sum(map(_size, blobs)), [*layers, *_files(self.folder / "removed")])
        if dry_run:
            return swept
        for path in [*chains, *blobs, *self._unfinished_files()]:
            path.unlink(missing_ok=True)
        for number, folder in enumerate(layers):  # renamed, so that a pod that starts now sees a whole layer or none
            try:
                swept.folders[number] = folder.rename(self.folder / "removed" / folder.name)
            except OSError:  # on a full disk even a rename may fail
                remove_tree(folder)
        return swept

    def _unfinished_files(self) -> list[Path]:
        """Files that a killed process had not renamed yet."""
        return [path for name in ("chains", "references") for path in (self.folder / name).glob(".*")]

    def _needed_files(self) -> tuple[set[Path], set[Path]]:
        blobs, chains = set(), set()
        for path in _files(self.folder / "references", ".json"):
            record = _read(path)
            if record is None:
                continue
            with contextlib.suppress(UnreadableImage):
                blobs.add(self._blob_file(record["digest"]))
            with contextlib.suppress(OSError, UnreadableImage):
                config = self._blob_file(record["config"])
                blobs.add(config)
                chains |= {self._chain_file(chain) for chain in ImageConfig.parse(config.read_bytes()).chain_ids}
        return blobs, chains

    # Files

    def _image(self, path: Path) -> StoredImage | None:
        """The image of a reference file. The result is kept while the file and the layers are unchanged: a server asks for each pod."""
        try:
            text, used = path.read_bytes(), path.stat().st_mtime
        except OSError:
            return None
        remembered = self._read.get(path)
        if remembered is not None and remembered[0] == text and all(map(os.path.isdir, remembered[1].layers)):
            return replace(remembered[1], used=used)
        image = self._read_image(text, used)
        if image is not None:
            self._read[path] = (text, image)
        return image

    def _read_image(self, text: bytes, used: float) -> StoredImage | None:
        record = _record(text)
        if record is None:
            return None
        try:
            config = ImageConfig.parse(self._blob_file(record["config"]).read_bytes(), record["config"])
        except (OSError, UnreadableImage):
            return None
        layers = [self.layer(chain) for chain in config.chain_ids]
        present = [layer for layer in layers if layer is not None]
        if len(present) != len(layers):
            return None
        return StoredImage(
            reference=record["reference"],
            digest=record["digest"],
            config_digest=record["config"],
            config=config,
            layers=_visible_folders(present),
            size=sum(layer.size for layer in present),
            added=record["added"],
            used=used,
        )

    def _reference_file(self, reference: str) -> Path:
        return self.folder / "references" / f"{hashlib.sha256(reference.encode()).hexdigest()[:32]}.json"

    def _blob_file(self, digest: str) -> Path:
        algorithm, _, value = check_digest(digest).partition(":")
        return self.folder / "blobs" / algorithm / value

    def _chain_file(self, chain_id: str) -> Path:
        return self.folder / "chains" / f"{check_digest(chain_id).partition(':')[2]}.json"

    def _prepare(self) -> None:
        if self._prepared and (self.folder / "locks").is_dir():  # the whole store may have been removed
            return
        with explain_full_disk(self.folder):
            for name in _FOLDERS:
                make_private(self.folder / name)
        self._prepared = True

    def _write(self, path: Path, record: dict[str, Any]) -> None:
        """Write a record atomically, also if the machine loses its power."""
        with explain_full_disk(self.folder):
            write_atomically(path, json.dumps({"version": 1, **record}).encode(), durable=True, mode=0o600)
        _sync_folder(path.parent)


def _discard(swept: _SweptFiles, *, dry_run: bool = False) -> RemovedImages:
    """Delete the folders, without a lock, because it may take long."""
    size = swept.size + sum(map(_tree_size, swept.folders))
    if not dry_run:
        for folder in swept.folders:
            remove_tree(folder)
    return RemovedImages(swept.blobs, len(swept.folders), size)


def _visible_folders(layers: Sequence[Layer]) -> tuple[Path, ...]:
    """The folders of the layers, without the layers below the last one that hides all below it."""
    first = max((number for number, layer in enumerate(layers) if layer.hides_all), default=0)
    return tuple(layer.folder for layer in layers[first:])


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return _record(path.read_bytes())
    except OSError:
        return None


def _record(text: bytes) -> dict[str, Any] | None:
    """The record in a file of the store; None where it is incomplete, so that it is written again."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("version") != 1:
        return None
    fields = _LAYER_FIELDS if "folder" in record else _REFERENCE_FIELDS
    return record if all(isinstance(record.get(name), kind) for name, kind in fields.items()) else None


def _hexdigest(file: BinaryIO, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _files(folder: Path, suffix: str = "") -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.name.endswith(suffix) and not path.name.startswith(".")]
    except OSError:
        return []


def _size(path: Path) -> int:
    try:
        return os.lstat(path).st_blocks * 512
    except OSError:
        return 0


def _tree_size(folder: Path) -> int:
    return sum(_size(Path(path)) for path in files_below(folder))


def _time_of_change(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_disk(folder: Path) -> None:
    """Sync the files of a layer to the disk before a record names them: one call instead of one per file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)
