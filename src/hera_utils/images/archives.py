"""Images from files instead of a registry: what `docker save` and `podman save` write, OCI archives and OCI layouts.

Each is a set of named files, in a tar (compressed or not) or in a folder:

    manifest.json                 Docker's list of images, with the paths of their config and layers
    oci-layout, index.json        the OCI image specification's: manifests by digest, as a registry has them
    blobs/<algorithm>/<hex>       content by its digest

Docker writes both since version 25; its own list is read first, because only that has the full names.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from hera_utils.errors import ResourceError, SettingsError
from hera_utils.images.config import ImageConfig, UnreadableImage, digest_of
from hera_utils.images.decompress import GZIP, ZSTD, tar_entries, unpacked_chunks
from hera_utils.images.faults import name_image_in_errors
from hera_utils.images.manifest import ImageManifest, check_platform, choose, parse, this_platform
from hera_utils.images.reference import Reference
from hera_utils.images.store import Store, StoredImage
from hera_utils.images.unpack import explain_full_disk
from hera_utils.wording import counted, system_reason

PROGRAMS = ("docker", "podman")
_MOST_DOCUMENT = 4 << 20
_MOST_FILES = 100_000
_NAME_ANNOTATIONS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")

Progress = Callable[[str, int, int], None]
"""Called with (image, layers that are done, layers in total)."""


class _Files(Protocol):
    def open(self, name: str) -> BinaryIO:
        """Raises UnreadableImage when there is no such file."""

    def has(self, name: str) -> bool: ...


def import_archive(
    path: Path, store: Store, *, name: str = "", platform: str = "", progress: Progress = lambda *_: None
) -> list[StoredImage]:
    """Bring the images of an archive into the store. name: gives or replaces the name of the archive's only image.

    platform: system/architecture[/variant]; "" for this machine. Raises UnreadableImage, SettingsError, NoSuchPlatform, PlatformError.
    """
    with _open_archive(path, store) as files, store.hold_content():
        return [
            _add_image(image, files, store, progress)
            for image in _images(path, files, name, platform or this_platform())
        ]


def import_from_program(
    program: str, image: str, store: Store, *, name: str = "", progress: Progress = lambda *_: None
) -> list[StoredImage]:
    """Copy into the store an image that docker or podman has on this machine. Raises ResourceError."""
    command = [program, "save", *(["--format", "docker-archive"] if program == "podman" else []), "--", image]
    with store.hold_content(), tempfile.TemporaryFile(dir=store.scratch) as archive:
        try:
            done = subprocess.run(
                command, stdout=archive, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False
            )
        except FileNotFoundError:
            raise ResourceError(
                f"there is no program {program} on this machine",
                fix=f"import a file that `{program} save` wrote elsewhere",
            ) from None
        if done.returncode != 0:
            lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
            raise ResourceError(
                f"{program} does not give the image {image}: {lines[-1][:300]}",
                fix=f"see which images it has: {program} images",
            )
        return import_archive(Path(f"/proc/self/fd/{archive.fileno()}"), store, name=name or image, progress=progress)


def is_layout(folder: Path) -> bool:
    return (folder / "oci-layout").is_file() or (folder / "manifest.json").is_file()


class _ArchivedImage(NamedTuple):
    """layers: the names of their files, the lowest first. documents: manifests that the store keeps, by digest."""

    reference: str
    digest: str
    config: bytes
    layers: tuple[str, ...]
    documents: dict[str, bytes]


def _images(path: Path, files: _Files, name: str, platform: str) -> list[_ArchivedImage]:
    if files.has("manifest.json"):
        return _docker_images(path, files, name, platform)
    if files.has("index.json"):
        return _oci_images(path, files, name, platform)
    raise UnreadableImage(
        f"{path} is no archive of an image: it has neither a manifest.json nor an index.json",
        fix="give what `docker save` or `podman save` wrote, an OCI archive or layout, or a folder with the files of an image",
    )


def _add_image(image: _ArchivedImage, files: _Files, store: Store, progress: Progress) -> StoredImage:
    config = ImageConfig.parse(image.config)
    if len(config.diff_ids) != len(image.layers):
        raise UnreadableImage(
            f"the image {image.reference} has {len(image.layers)} layers, and its config names {len(config.diff_ids)}"
        )
    for digest, document in image.documents.items():
        store.add_blob(digest, document)
    config_digest = digest_of(image.config)
    store.add_blob(config_digest, image.config)
    missing = store.missing_layers(config)
    for done, number in enumerate(missing):
        progress(image.reference, done, len(missing))
        with (
            files.open(image.layers[number]) as packed,
            name_image_in_errors(Reference.parse(image.reference).familiar),
        ):
            store.add_layer(config, number, packed)
    progress(image.reference, len(missing), len(missing))
    return store.add_image(image.reference, digest=image.digest, config_digest=config_digest)


# Docker's list


def _docker_images(path: Path, files: _Files, name: str, platform: str) -> list[_ArchivedImage]:
    entries = _json(files, "manifest.json")
    if not isinstance(entries, list) or not entries:
        raise UnreadableImage(f"{path} holds no image: its manifest.json is no list of images")
    images = []
    for entry in entries:
        tags = entry.get("RepoTags") if isinstance(entry, dict) else None
        layers = entry.get("Layers") if isinstance(entry, dict) else None
        if (
            not layers
            or not _are_texts(layers)
            or not isinstance(entry.get("Config"), str)
            or not (tags is None or _are_texts(tags))
        ):
            raise UnreadableImage(f"{path} is damaged: its manifest.json does not say what its images consist of")
        config = _document(files, entry["Config"])
        check_platform(ImageConfig.parse(config).platform, platform, name or ", ".join(tags or ()) or str(path))
        for reference in _image_names(path, name, tags or [], len(entries)):
            images.append(_ArchivedImage(reference, digest_of(config), config, tuple(layers), {}))
    return images


def _image_names(path: Path, name: str, names: Sequence[str], images: int) -> list[str]:
    if name and images > 1:
        raise SettingsError(
            f"{path} holds {counted(images, 'image')}, and --name gives one name", fix="leave --name out"
        )
    if not name and not names:
        raise SettingsError(f"the image in {path} has no name", fix="give it one: --name NAME")
    return [str(Reference.parse(text)) for text in ([name] if name else names)]


# The OCI image specification's index


def _oci_images(path: Path, files: _Files, name: str, platform: str) -> list[_ArchivedImage]:
    top = parse(_document(files, "index.json"), str(path))
    if isinstance(top, ImageManifest):
        raise UnreadableImage(f"{path} is damaged: its index.json is no index")
    named = [(entry, own) for entry in top.manifests if (own := _name_of_annotations(entry.annotations))]
    if name or not named:
        chosen = named[0][0] if len(named) == 1 else choose(top, platform, name or str(path))
        pairs = [(chosen, name)]
    else:
        pairs = named
    images = []
    for entry, own in pairs:
        (reference,) = _image_names(path, own, [], 1)
        documents: dict[str, bytes] = {}
        manifest = parse(_blob(files, entry.digest, documents), reference)
        while not isinstance(manifest, ImageManifest):
            if len(documents) > 3:
                raise UnreadableImage(f"the manifest of {reference} is an index of indexes without end")
            manifest = parse(_blob(files, choose(manifest, platform, reference).digest, documents), reference)
        config = _blob(files, manifest.config.digest, {})
        check_platform(ImageConfig.parse(config).platform, platform, reference)
        layers = tuple(_blob_name(layer.digest) for layer in manifest.layers)
        kept = {entry.digest: documents[entry.digest]}
        images.append(_ArchivedImage(reference, entry.digest, config, layers, kept))
    return images


def _name_of_annotations(annotations: dict[str, str]) -> str:
    """The full name of an image, "" when it has none; a tag alone is not a name."""
    return next((annotations[key] for key in _NAME_ANNOTATIONS if set(annotations.get(key, "")) & set("/:")), "")


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _blob(files: _Files, digest: str, documents: dict[str, bytes]) -> bytes:
    data = _document(files, _blob_name(digest))
    if digest_of(data, digest) != digest:
        raise UnreadableImage(f"the archive is damaged: {_blob_name(digest)} is not what its name says")
    documents[digest] = data
    return data


# Files


@contextlib.contextmanager
def _open_archive(path: Path, store: Store) -> Iterator[_Files]:
    if path.is_dir():
        yield _FolderFiles(path)
        return
    try:
        packed = path.open("rb")
    except OSError as error:
        raise ResourceError(
            f"{path} cannot be read ({system_reason(error)})",
            fix="name the archive of an image (docker save, podman save, OCI), or its folder",
        ) from None
    with explain_full_disk(store.folder), packed, tempfile.TemporaryFile(dir=store.scratch) as plain:
        # A compressed tar cannot be read at any position, so it is unpacked into a file first.
        if _is_compressed(packed):
            for chunk in unpacked_chunks(packed):
                plain.write(chunk)
            plain.seek(0)
            yield _TarFiles(plain, path)
        else:
            yield _TarFiles(packed, path)


def _is_compressed(file: BinaryIO) -> bool:
    first = file.read(4)
    file.seek(0)
    return first.startswith((GZIP, ZSTD))


class _FolderFiles:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def has(self, name: str) -> bool:
        return (self._folder / name).is_file()

    def open(self, name: str) -> BinaryIO:
        try:
            return (self._folder / name).open("rb")
        except (OSError, ValueError):
            raise UnreadableImage(f"{self._folder} is incomplete: there is no {name} in it") from None


class _TarFiles:
    """The files of a tar by their names in it. Nothing is extracted, so no name in the tar becomes a path of this machine."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._path = path
        self._members: dict[str, tarfile.TarInfo] = {}
        try:
            self._archive = tarfile.open(fileobj=_BoundedReads(file), mode="r:")  # type: ignore[call-overload] # noqa: SIM115 (a view of `file`)
            for member in tar_entries(self._archive):
                self._members[os.path.normpath(member.name)] = member
                if len(self._members) > _MOST_FILES:
                    raise UnreadableImage(f"{path} is no archive of an image: it has more than {_MOST_FILES} files")
        except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
            raise UnreadableImage(f"{path} is no archive of an image, or is damaged ({error})") from None

    def has(self, name: str) -> bool:
        return self._find(name) is not None

    def open(self, name: str) -> BinaryIO:
        member = self._find(name)
        content = self._archive.extractfile(member) if member is not None else None
        if content is None:
            raise UnreadableImage(f"{self._path} is incomplete: there is no {name} in it")
        return content  # type: ignore[no-any-return]

    def _find(self, name: str) -> tarfile.TarInfo | None:
        """The file of that name. Docker before version 25 writes a repeated layer as a link to the first copy, so links are followed."""
        name = os.path.normpath(name)
        for _ in range(10):
            member = self._members.get(name)
            if member is None or member.isfile():
                return member
            if member.issym():
                name = os.path.normpath(os.path.join(os.path.dirname(name), member.linkname))
            elif member.islnk():
                name = os.path.normpath(member.linkname)
            else:
                return None
        return None


class _BoundedReads:
    """A file that refuses large reads: tarfile would otherwise load a header of any length into memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_DOCUMENT:
            raise UnreadableImage("the archive is damaged: one of its headers has an impossible size")
        return self._file.read(size)


def _document(files: _Files, name: str) -> bytes:
    with files.open(name) as file:
        data = file.read(_MOST_DOCUMENT)
        if len(data) == _MOST_DOCUMENT:
            raise UnreadableImage(f"the archive is damaged: {name} has more than {_MOST_DOCUMENT >> 20} MiB")
    return data


def _json(files: _Files, name: str) -> Any:
    try:
        return json.loads(_document(files, name))
    except (ValueError, RecursionError):
        raise UnreadableImage(f"the archive is damaged: {name} is not JSON") from None


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) and "\0" not in text for text in value)
