"""What an image consists of: an index names a manifest for each kind of machine, a manifest names its layers. Pure.

Docker's documents and those of the OCI image specification have the same fields and are read alike.
"""

from __future__ import annotations

import json
import platform as machine
from dataclasses import dataclass, field
from typing import Any

from hera_utils.errors import ResourceError
from hera_utils.images.config import UnreadableImage, check_digest
from hera_utils.wording import first_of

LARGEST = 4 << 20  # bytes of a manifest; no registry needs to accept a larger one
MOST_LAYERS = 500
"""overlayfs in the kernel stacks at most so many layers."""
MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_CONFIG_TYPES = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
    "",
)
_ARCHITECTURES = {  # what the kernel says → what images say (Go's names)
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv8l": "arm/v7",
    "armv7l": "arm/v7",
    "armv6l": "arm/v6",
    "i686": "386",
    "i386": "386",
    "loongarch64": "loong64",
}
# The other kinds that a kind of machine also runs, the best first (containerd's order).
_ALSO = {"amd64": ("386",), "arm/v7": ("arm/v6", "arm/v5"), "arm/v6": ("arm/v5",)}
_MOST_NAMED = 20
_NORMAL = {"arm64/v8": "arm64", "amd64/v1": "amd64", "arm": "arm/v7"}  # two names of one kind


class NoSuchPlatform(ResourceError):
    """An image exists, but not for the requested kind of machine."""


@dataclass(frozen=True)
class Descriptor:
    """A blob or manifest by its digest. platform: system/architecture[/variant], "" where the document does not name it."""

    digest: str
    size: int
    media_type: str = ""
    platform: str = ""
    annotations: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class ImageIndex:
    """The manifests of one image."""

    manifests: tuple[Descriptor, ...]


@dataclass(frozen=True)
class ImageManifest:
    """The layers of an image, the lowest first."""

    config: Descriptor
    layers: tuple[Descriptor, ...]


def this_platform() -> str:
    """This machine's platform as images name it: linux/amd64, linux/arm64…"""
    kind = machine.machine().lower()
    return f"linux/{_ARCHITECTURES.get(kind, kind)}"


def parse(content: bytes, image: str) -> ImageIndex | ImageManifest:
    """Read an index or a manifest. image: its name, for messages. Raises UnreadableImage."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UnreadableImage(f"the manifest of {image} is not a JSON object")
    if document.get("schemaVersion") == 1:
        raise UnreadableImage(
            f"the manifest of {image} is in Docker's first format, which nobody writes since 2017",
            fix="push the image again with a current docker or podman",
        )
    # A document with both could mean different images to different readers, so it is refused too.
    if ("manifests" in document) == ("layers" in document):
        raise UnreadableImage(f"the manifest of {image} is neither an index nor a list of layers")
    if "manifests" in document:
        return ImageIndex(tuple(_descriptor(entry, image) for entry in _list_of(document, "manifests", image)))
    config = _descriptor(document.get("config"), image)
    layers = tuple(_descriptor(entry, image) for entry in _list_of(document, "layers", image))
    if len(layers) > MOST_LAYERS:
        raise UnreadableImage(f"the manifest of {image} names {len(layers)} layers, more than {MOST_LAYERS}")
    _check_types(config, layers, image)
    return ImageManifest(config, layers)


def choose(index: ImageIndex, platform: str, image: str) -> Descriptor:
    """The manifest for a kind of machine. Raises NoSuchPlatform, which lists the existing platforms."""
    candidates = [entry for entry in index.manifests if not _is_attestation(entry)]
    for kind in _runnable_platforms(platform):
        for entry in candidates:
            if _normal_platform(entry.platform) == kind:
                return entry
    unnamed = [entry for entry in candidates if not entry.platform]
    if len(unnamed) == 1:  # its config names the platform, which is checked later
        return unnamed[0]
    raise _no_such_platform(image, platform, sorted({entry.platform for entry in candidates if entry.platform}))


def runs_on(platform: str, machine_kind: str) -> bool:
    """Whether an image for a platform runs on the kind of machine. An image that names no architecture fits."""
    return "/" not in platform or _normal_platform(platform) in _runnable_platforms(machine_kind)


def check_platform(platform: str, machine_kind: str, image: str) -> None:
    """Raise NoSuchPlatform when an image for `platform` does not run on the kind of machine."""
    if not runs_on(platform, machine_kind):
        raise _no_such_platform(image, machine_kind, [platform])


def _no_such_platform(image: str, machine_kind: str, existing: list[str]) -> NoSuchPlatform:
    exists = f"only for {first_of(existing, _MOST_NAMED)}" if existing else "for no platform that it names"
    return NoSuchPlatform(
        f"the image {image} does not exist for {machine_kind}, {exists}",
        fix=f"build it for {machine_kind} (docker buildx build --platform {machine_kind}), or use an image that has it",
    )


def _runnable_platforms(platform: str) -> tuple[str, ...]:
    """The platforms that a machine of that kind runs, the best first."""
    system, _, kind = _normal_platform(platform).partition("/")
    return tuple(f"{system}/{each}" for each in (kind, *_ALSO.get(kind, ())))


def _normal_platform(platform: str) -> str:
    system, _, kind = platform.lower().partition("/")
    return f"{system}/{_NORMAL.get(kind, kind)}"


def _is_attestation(entry: Descriptor) -> bool:
    """Whether it is no image but a document about the build, which buildx lists under a platform that does not exist."""
    return entry.platform == "unknown/unknown" or "vnd.docker.reference.type" in entry.annotations


def _descriptor(entry: Any, image: str) -> Descriptor:
    if not isinstance(entry, dict):
        raise UnreadableImage(f"the manifest of {image} lacks a part that it must have")
    size = entry.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise UnreadableImage(f"the manifest of {image} does not say how large each part is")
    platform, annotations = entry.get("platform"), entry.get("annotations")
    parts = [platform.get(key) for key in ("os", "architecture", "variant")] if isinstance(platform, dict) else []
    return Descriptor(
        digest=check_digest(entry.get("digest")),
        size=size,
        media_type=str(entry.get("mediaType") or ""),
        platform="/".join(str(part) for part in parts if part),
        annotations={str(k): str(v) for k, v in annotations.items()} if isinstance(annotations, dict) else {},
    )


def _list_of(document: dict[str, Any], key: str, image: str) -> list[Any]:
    entries = document[key]
    if not isinstance(entries, list):
        raise UnreadableImage(f'the manifest of {image} has a "{key}" that is not a list')
    return entries


def _check_types(config: Descriptor, layers: tuple[Descriptor, ...], image: str) -> None:
    if config.media_type not in _CONFIG_TYPES:
        raise UnreadableImage(f"{image} is not a container image: its registry calls it {config.media_type}")
    encrypted = next((layer for layer in layers if layer.media_type.endswith("+encrypted")), None)
    if encrypted:
        raise UnreadableImage(f"the layers of {image} are encrypted, which is not supported")
