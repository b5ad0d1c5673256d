"""The name of an image: registry, repository, tag and digest, with the short forms that Docker made familiar. Pure.

    python:3.13-slim                    docker.io/library/python:3.13-slim
    ghcr.io/group/tool                  ghcr.io/group/tool:latest
    localhost:5000/tool@sha256:…        exactly the content with that digest

The grammar is that of distribution/reference, which Docker, containerd and the kubelet share.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from hera_utils.errors import SettingsError

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"
_LONGEST_REPOSITORY = 255
_LONGEST_SHOWN = 200  # characters of a name, or of what is wrong with it, in an error

_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"

_component_match = re.compile(rf"{_COMPONENT}\Z").match
_host_match = re.compile(rf"{_HOST}\Z").match
_tag_match = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z").match
_digest_match = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}\Z").match
_hexadecimal_match = re.compile(r"[a-f0-9]{64}\Z").match
# The algorithms that the image specification registers: only these can be checked.
_DIGEST_LENGTHS = {"sha256": 64, "sha512": 128}


class InvalidImageName(SettingsError):
    """A text is not the name of an image. The kubelet uses this word as the reason why such a pod waits."""


@dataclass(frozen=True)
class Reference:
    """An image in a registry. Either tag or digest may be "", but not both; where both are given, the digest decides."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """The image that `text` names, with defaults filled in. Raises InvalidImageName."""
        if not text:
            raise InvalidImageName("the name of an image is empty", fix="write it as in python:3.13-slim")
        if text != text.strip() or any(c.isspace() for c in text):
            raise _invalid(text, "it has a space in it")
        if "://" in text:
            raise _invalid(text, "it begins with a scheme", fix=f"write {text.partition('://')[2] or 'it without one'}")
        name, at, digest = text.partition("@")
        if at:
            _check_digest(text, digest)
        name, tag = _split_tag(text, name)
        registry, repository = _split_registry(name)
        if not _host_match(registry):
            raise _invalid(text, f'"{registry}" is not the address of a registry')
        _check_repository(text, repository)
        return cls(registry, repository, tag or ("" if digest else DEFAULT_TAG), digest)

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def familiar(self) -> str:
        """The shortest text that means this image, as messages show it."""
        short = self.repository.removeprefix("library/")
        if self.registry != DOCKER_HUB or _split_registry(short) != (self.registry, self.repository):
            short = self.name
        return short + self._version

    @property
    def _version(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return self.name + self._version

    def at(self, digest: str) -> Reference:
        """The same image with this digest."""
        return replace(self, digest=digest)


def _invalid(text: str, why: str, *, fix: str | None = None) -> InvalidImageName:
    name, why = (part if len(part) <= _LONGEST_SHOWN else f"{part[: _LONGEST_SHOWN - 3]}..." for part in (text, why))
    return InvalidImageName(
        f'"{name}" is not the name of an image: {why}', fix=fix or "correct the name, as in ghcr.io/group/tool:1.2"
    )


def _check_digest(text: str, digest: str) -> None:
    algorithm, _, value = digest.partition(":")
    if not _digest_match(digest) or value != value.lower():
        raise _invalid(text, f'"{digest}" is not a digest', fix="write it as sha256: and 64 hexadecimal digits")
    length = _DIGEST_LENGTHS.get(algorithm)
    if length is None:
        raise _invalid(text, f"its digest is of the kind {algorithm}", fix="use a sha256 digest")
    if len(value) != length:
        raise _invalid(text, f"its {algorithm} digest has {len(value)} hexadecimal digits instead of {length}")


def _split_tag(text: str, name: str) -> tuple[str, str]:
    """Name and tag. A colon before the last slash belongs to a port."""
    path, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not tag:
        bare = path + slash + last
        raise _invalid(text, "the tag after the colon is empty", fix=f"write {bare}:TAG, or {bare} for {bare}:latest")
    if colon and not _tag_match(tag):
        raise _invalid(text, f'"{tag}" is not a tag')
    return path + slash + last, tag


def _split_registry(name: str) -> tuple[str, str]:
    """Registry and repository. A first part is a registry only where it looks like a host: a dot, a port, a capital, or localhost."""
    first, slash, rest = name.partition("/")
    is_host = slash and (any(c in first for c in ".:[") or first == "localhost" or first != first.lower())
    registry, repository = (first, rest) if is_host else (DOCKER_HUB, name)
    if registry == "index.docker.io":
        registry = DOCKER_HUB
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository


def _check_repository(text: str, repository: str) -> None:
    if repository != repository.lower():
        raise _invalid(
            text,
            "the repository must be in lower case",
            fix=f"write {text.replace(repository, repository.lower())}" if len(text) <= _LONGEST_SHOWN else None,
        )
    for component in repository.split("/"):
        if not _component_match(component):
            reason = f'"{component}" is not a part of a name' if component else "a part of its path is empty"
            raise _invalid(text, reason)
    if _hexadecimal_match(text):
        raise _invalid(text, "64 hexadecimal digits are the id of an image, which no registry knows")
    if len(repository) > _LONGEST_REPOSITORY:
        raise _invalid(text, f"its repository is longer than {_LONGEST_REPOSITORY} characters")
