"""What an image says of itself: its command, environment, user, and the digests of its layers. Pure.

It is read from the config document (JSON) of the OCI image specification. That format comes from Docker's, so both are read alike.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hera_utils.errors import ResourceError

_digest_match = re.compile(r"(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})\Z").match


class UnreadableImage(ResourceError):
    """An image, or an archive of images, is not in the right format, or does not match its digest."""


@dataclass(frozen=True)
class ImageConfig:
    """entrypoint, cmd: what runs when a template gives no command. user: "", "1000", "1000:1000" or a name in its /etc/passwd.

    diff_ids: the digests of the unpacked layers (tar files without compression), the lowest first.
    """

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = ""
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    os: str = "linux"
    architecture: str = ""
    variant: str = ""
    created: str = ""
    stop_signal: str = ""
    diff_ids: tuple[str, ...] = ()

    @classmethod
    def parse(cls, document: bytes, digest: str = "") -> ImageConfig:
        """Read the JSON document, which must have that digest if one is given. Raises UnreadableImage."""
        if digest and digest_of(document, digest) != digest:
            raise UnreadableImage("the config of the image is damaged: it is not what its digest says")
        try:
            top = json.loads(document)
        except (ValueError, RecursionError):
            raise UnreadableImage("the config of the image is not JSON") from None
        top = _mapping(top, "the config of the image")
        run = _mapping(top.get("config"), '"config"')
        rootfs = _mapping(top.get("rootfs"), '"rootfs"')
        return cls(
            entrypoint=_command(run, "Entrypoint"),
            cmd=_command(run, "Cmd"),
            env=_environment(run),
            workdir=_text(run, "WorkingDir"),
            user=_text(run, "User"),
            labels=_labels(run),
            os=_text(top, "os") or "linux",
            architecture=_text(top, "architecture"),
            variant=_text(top, "variant"),
            created=_text(top, "created"),
            stop_signal=_text(run, "StopSignal"),
            diff_ids=_diff_ids(rootfs),
        )

    @property
    def platform(self) -> str:
        """In the form of the flag `--platform`: linux/amd64, linux/arm64/v8."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @property
    def chain_ids(self) -> tuple[str, ...]:
        return chain_ids(self.diff_ids)


def chain_ids(diff_ids: Sequence[str]) -> tuple[str, ...]:
    """For each layer the digest that names it together with all layers below it (the specification's ChainID)."""
    chains: list[str] = []
    for diff_id in diff_ids:
        chains.append(digest_of(f"{chains[-1]} {diff_id}".encode()) if chains else diff_id)
    return tuple(chains)


def digest_of(content: bytes, like: str = "sha256") -> str:
    """The digest of a content. like: an algorithm, or a digest of the same algorithm."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def check_digest(digest: object) -> str:
    """The digest, if its algorithm is known and it is safe as a file name. Raises UnreadableImage."""
    if not isinstance(digest, str) or not _digest_match(digest):
        raise UnreadableImage(
            f"the image names its content by {_shorten(digest)}, which is not a sha256 or sha512 digest"
        )
    return digest


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnreadableImage(f"{what} is {_shorten(value)} instead of a mapping")
    return value


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = mapping.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or "\0" in value:
        raise UnreadableImage(f'"{key}" of the image is {_shorten(value)} instead of a text')
    return value


def _texts(mapping: Mapping[str, Any], key: str) -> list[str]:
    values = mapping.get(key)
    if values is None:
        return []
    if not isinstance(values, list) or not all(isinstance(value, str) and "\0" not in value for value in values):
        raise UnreadableImage(f'"{key}" of the image is {_shorten(values)} instead of a list of texts')
    return values


def _command(run: Mapping[str, Any], key: str) -> tuple[str, ...]:
    if isinstance(run.get(key), str):  # images built by Docker before 1.0
        return ("/bin/sh", "-c", _text(run, key)) if run[key] else ()
    return tuple(_texts(run, key))


def _environment(run: Mapping[str, Any]) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in _texts(run, "Env"))
    return {name: value for name, _, value in pairs if name}


def _labels(run: Mapping[str, Any]) -> dict[str, str]:
    labels = _mapping(run.get("Labels"), '"Labels"')
    return {str(name): "" if value is None else str(value) for name, value in labels.items()}


def _diff_ids(rootfs: Mapping[str, Any]) -> tuple[str, ...]:
    if rootfs.get("type") not in (None, "layers"):
        raise UnreadableImage(f"the root file system of the image is of the unknown type {_shorten(rootfs['type'])}")
    return tuple(check_digest(digest) for digest in _texts(rootfs, "diff_ids"))


def _shorten(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:57]}..."
