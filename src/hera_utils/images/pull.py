"""Pulls an image from its registry into the store: the index, the manifest for this machine, and all blobs that the store lacks.

A pull may be killed at any moment, and several processes may pull at once: one pulls, the others wait and find the image there.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hera_utils.errors import HeraUtilsError, PlatformError
from hera_utils.images.config import ImageConfig, UnreadableImage, digest_of
from hera_utils.images.faults import Stopped, TooManyPulls, name_image_in_errors
from hera_utils.images.login import Logins
from hera_utils.images.manifest import (
    Descriptor,
    ImageIndex,
    ImageManifest,
    NoSuchPlatform,
    check_platform,
    choose,
    parse,
    runs_on,
    this_platform,
)
from hera_utils.images.reference import Reference
from hera_utils.images.store import Store, StoredImage
from hera_utils.images.unpack import DISK_FULL

if TYPE_CHECKING:
    from hera_utils.images.registry import RegistryClient

_PARALLEL = 3  # blobs at once, as docker
_LARGEST_CONFIG = 8 << 20
_DEEPEST_INDEX = 3  # an index may name an index
_BETWEEN_REPORTS = 0.1  # seconds


@dataclass(frozen=True)
class PullProgress:
    """How far a pull is. done, total: bytes as the registry sends them; total is 0 until the manifest is read.

    unpacked: how many of `layers` layers are unpacked.
    """

    image: str
    done: int = 0
    total: int = 0
    unpacked: int = 0
    layers: int = 0

    @property
    def unpacking(self) -> str:
        """Which layer is being unpacked, in words."""
        return f"unpacks layer {min(self.unpacked + 1, self.layers)} of {self.layers}"


def pull(
    reference: Reference,
    store: Store,
    *,
    platform: str | None = None,
    logins: Logins,
    progress: Callable[[PullProgress], None] | None = None,
    always: bool = False,
) -> StoredImage:
    """The image of that name in the store, pulled when it is not there. always: also pulled when the name means another digest by now.

    platform: system/architecture[/variant]; None for this machine. progress: called by any thread, one call at a time; an exception of
    it ends the pull, and the next pull continues with what was downloaded.
    Raises RegistryUnreachable, AccessDenied, ImageNotFound (faults.py), NoSuchPlatform, UnreadableImage, PlatformError (a full disk).
    """
    kind = platform or this_platform()
    image = stored(reference, store, kind)
    if image is not None and not always:
        return image
    with store.hold_content(), store.hold_lock(f"pull {reference}"):
        image = stored(reference, store, kind)  # another process may have pulled it while it held the lock
        if image is not None and not always:
            return image
        from hera_utils.images.registry import RegistryClient  # imports requests, which takes a tenth of a second

        stop = threading.Event()
        with RegistryClient(reference.registry, logins, stop=stop) as client:
            if image is not None and client.digest(reference) == image.digest:
                store.touch(reference)
                return image
            work = _Pull(reference, store, kind, client, stop, progress)
            image = work.run()
    store.drop_blobs(work.packed)
    return image


def stored(reference: Reference, store: Store, platform: str | None = None) -> StoredImage | None:
    """The image of that name if the store has it for that platform (None: this machine's)."""
    image = store.find(reference)
    return image if image is not None and runs_on(image.config.platform, platform or this_platform()) else None


def look_up(reference: Reference, store: Store, logins: Logins, report: Callable[[str], None]) -> None:
    """Check before a pull whether the image exists and runs here. report: called with its digest as soon as that is known.

    Raises NoSuchPlatform and UnreadableImage for an image that cannot run on this machine, and what RegistryClient.digest raises.
    Documents that are read for it are kept in the store for the pull.
    """
    from hera_utils.images.registry import ASKING, RegistryClient

    with RegistryClient(reference.registry, logins, patience=ASKING) as client:
        digest = client.digest(reference)
        report(digest)
        try:
            document = parse(_document(client, store, reference.at(digest))[1], str(reference))
            if isinstance(document, ImageIndex):
                choose(document, this_platform(), str(reference))
            elif document.config.size <= _LARGEST_CONFIG:
                config = _small_blob(client, store, reference, document.config)
                platform = ImageConfig.parse(config, document.config.digest).platform
                check_platform(platform, this_platform(), str(reference))
        except (NoSuchPlatform, UnreadableImage):
            raise
        except (HeraUtilsError, OSError):
            return  # a run is not refused because the platform is unknown; the pull reports what is wrong


def _manifest(client: RegistryClient, store: Store, reference: Reference, platform: str) -> tuple[str, ImageManifest]:
    """The digest that the name means, and the manifest for the platform."""
    name = str(reference)
    digest, content = _document(client, store, reference)
    for _ in range(_DEEPEST_INDEX):
        document = parse(content, name)
        if isinstance(document, ImageManifest):
            return digest, document
        _, content = _document(client, store, reference.at(choose(document, platform, name).digest))
    raise UnreadableImage(f"the manifest of {name} is an index of indexes without end")


def _document(client: RegistryClient, store: Store, reference: Reference) -> tuple[str, bytes]:
    """The digest and content of an index or a manifest. Registries count fetches, so a copy that `look_up` stored is used first."""
    from hera_utils.images.answers import NoAnswer  # imports requests

    try:
        digest = reference.digest or client.digest(reference)
    except (NoAnswer, TooManyPulls):
        raise
    except HeraUtilsError:  # a HEAD answer has no body with the reason, so GET is tried and reports it
        digest = ""
    if digest and (content := _read_blob(store, digest)) is not None:
        return digest, content
    digest, content = client.manifest(reference)
    store.add_blob(digest, content)
    return digest, content


def _small_blob(client: RegistryClient, store: Store, reference: Reference, blob: Descriptor) -> bytes:
    from hera_utils.images.deadlines import raise_after  # both import requests
    from hera_utils.images.transport import ANSWER_SECONDS

    if (content := _read_blob(store, blob.digest)) is not None:
        return content
    with client.blob(reference, blob.digest) as reply, raise_after(ANSWER_SECONDS):
        content = reply.raw.read(blob.size, decode_content=False)
    store.add_blob(blob.digest, content)
    return bytes(content)


def _read_blob(store: Store, digest: str) -> bytes | None:
    """A small blob of the store; None when the store lacks it or it is damaged."""
    path = store.blob(digest)
    content = path.read_bytes() if path is not None else b""
    return content if path is not None and digest_of(content, digest) == digest else None


class _Pull:
    """One pull of one image."""

    def __init__(
        self,
        reference: Reference,
        store: Store,
        platform: str,
        client: RegistryClient,
        stop: threading.Event,
        progress: Callable[[PullProgress], None] | None,
    ) -> None:
        self._reference, self._store, self._platform = reference, store, platform
        self._client, self._stop = client, stop
        self._meter = _Meter(reference.familiar, progress)
        # Digests of the compressed layers, which are not needed once they are unpacked.
        self.packed: tuple[str, ...] = ()
        self._error: BaseException | None = None  # the first error of a thread; it stopped the other threads

    def run(self) -> StoredImage:
        digest, manifest = _manifest(self._client, self._store, self._reference, self._platform)
        config = self._config(manifest)
        missing = self._store.missing_layers(config)
        self.packed = tuple(blob.digest for blob in manifest.layers)
        blobs = {blob.digest: blob for blob in (manifest.layers[number] for number in missing)}
        wanting = [blob for blob in blobs.values() if self._store.blob(blob.digest) is None]
        self._check_room(sum(blob.size for blob in wanting))
        self._meter.begin(wanting, len(missing))
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="pull") as pool:
            futures = {
                key: pool.submit(self._fetch, blob, _chains(config, manifest, blob)) for key, blob in blobs.items()
            }
            try:
                for number in missing:
                    futures[manifest.layers[number].digest].result()
                    self._unpack(config, manifest, number)
            except BaseException as error:
                self._stop.set()
                for future in futures.values():
                    future.cancel()
                if isinstance(error, Stopped) and self._error is not None:
                    raise self._error from None
                raise
        self._meter.end()
        return self._store.add_image(self._reference, digest=digest, config_digest=manifest.config.digest)

    def _config(self, manifest: ImageManifest) -> ImageConfig:
        descriptor = manifest.config
        if descriptor.size > _LARGEST_CONFIG:
            raise UnreadableImage(
                f"the config of {self._reference} has {descriptor.size >> 20} MiB, which no image needs"
            )
        with self._remove_damaged_blob(descriptor), name_image_in_errors(self._reference.familiar):
            config = ImageConfig.parse(self._file(descriptor).read_bytes(), descriptor.digest)
        check_platform(config.platform, self._platform, str(self._reference))
        if len(config.diff_ids) != len(manifest.layers):
            raise UnreadableImage(
                f"the manifest of {self._reference} names {len(manifest.layers)} layers, its config {len(config.diff_ids)}"
            )
        return config

    def _unpack(self, config: ImageConfig, manifest: ImageManifest, number: int) -> None:
        """Unpack a layer and remove its compressed form, which would take a third of the disk space of all images."""
        blob = manifest.layers[number]
        with self._store.hold_lock(_lock_of_packed_layer(blob)):
            if self._store.layer(config.chain_ids[number]) is None:
                with self._remove_damaged_blob(blob), name_image_in_errors(self._reference.familiar):
                    self._store.add_layer(config, number, self._file(blob))
            if all(later.digest != blob.digest for later in manifest.layers[number + 1 :]):
                self._store.drop_blob(blob.digest)
        self._meter.unpack()

    def _fetch(self, blob: Descriptor, chains: list[str]) -> None:
        """Download a blob, unless its layers exist already. One process or thread downloads it, others wait.

        chains: the chain IDs of the layers that the blob is unpacked to.
        """
        try:
            with self._store.hold_lock(_lock_of_packed_layer(blob)):
                # Another pull may have unpacked it meanwhile.
                if any(self._store.layer(chain) is None for chain in chains):
                    self._file(blob)
                self._meter.advance(blob.digest, blob.size)
        except BaseException as error:
            if self._error is None and not isinstance(error, Stopped):
                self._error = error
            self._stop.set()
            raise

    def _file(self, blob: Descriptor) -> Path:
        """The file of a blob, downloaded when the store lacks it. The caller holds the lock of the packed layer."""
        from hera_utils.images.download import download

        def advance(position: int) -> None:
            if self._stop.is_set():
                raise Stopped
            self._meter.advance(blob.digest, position)

        with self._store.hold_lock(blob.digest):
            path = self._store.blob(blob.digest)
            if path is None or path.stat().st_size != blob.size:
                partial = self._store.partial(blob.digest)
                with self._explain_full_disk(partial):
                    download(self._client, self._reference, blob, partial, advance)
                    path = self._store.keep(blob.digest, is_checked=True)
        return path

    @contextlib.contextmanager
    def _remove_damaged_blob(self, blob: Descriptor) -> Iterator[None]:
        """Remove a blob that cannot be read: the disk may have damaged it, and the next pull downloads it again."""
        try:
            yield
        except UnreadableImage:
            self._store.drop_blob(blob.digest)
            raise

    @contextlib.contextmanager
    def _explain_full_disk(self, partial: Path) -> Iterator[None]:
        """Turn the error of a full disk into PlatformError, and remove the partial download to make room."""
        try:
            yield
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            partial.unlink(missing_ok=True)
            raise self._full_disk(0) from error

    def _check_room(self, size: int) -> None:
        free = shutil.disk_usage(self._store.folder).free
        if size > free:
            raise self._full_disk(size)

    def _full_disk(self, size: int) -> PlatformError:
        needs = f" ({size >> 20} MiB to download)" if size else ""
        return PlatformError(
            f"the disk of {self._store.folder} has no room for the image {self._reference}{needs}",
            fix="free some space (hera-utils gc), or set HERA_UTILS_STATE to a folder of a larger disk",
        )


def _chains(config: ImageConfig, manifest: ImageManifest, blob: Descriptor) -> list[str]:
    """The chain IDs of the layers that one blob is unpacked to: several where an image contains it several times."""
    return [
        chain for chain, layer in zip(config.chain_ids, manifest.layers, strict=True) if layer.digest == blob.digest
    ]


def _lock_of_packed_layer(blob: Descriptor) -> str:
    """The lock of a packed layer. Not its digest alone: an uncompressed tar has the digest of the layer, which is another lock."""
    return f"packed {blob.digest}"


class _Meter:
    """Adds up what the threads of a pull report, and passes it on a few times a second."""

    def __init__(self, image: str, report: Callable[[PullProgress], None] | None) -> None:
        self._image, self._report = image, report
        self._done: dict[str, int] = {}
        self._total = self._unpacked = self._layers = 0
        self._next = 0.0
        self._lock = threading.Lock()

    def begin(self, blobs: list[Descriptor], layers: int) -> None:
        with self._lock:
            self._done = {blob.digest: 0 for blob in blobs}
            self._total, self._layers = sum(blob.size for blob in blobs), layers
            self._send_report(now=True)

    def advance(self, digest: str, position: int) -> None:
        with self._lock:
            if digest in self._done:
                self._done[digest] = position
                self._send_report()

    def unpack(self) -> None:
        with self._lock:
            self._unpacked += 1
            self._send_report(now=True)

    def end(self) -> None:
        with self._lock:
            self._send_report(now=True)

    def _send_report(self, now: bool = False) -> None:
        if self._report is None or not (now or time.monotonic() >= self._next):
            return
        self._next = time.monotonic() + _BETWEEN_REPORTS
        self._report(PullProgress(self._image, sum(self._done.values()), self._total, self._unpacked, self._layers))
