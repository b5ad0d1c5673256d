"""Why an image cannot be had from its registry: no answer, no such image, no permission, or too many pulls."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hera_utils.errors import AccessError, HeraUtilsError, ResourceError


class RegistryUnreachable(AccessError):
    """No registry gave a usable answer: later, or with a working network, the same request may succeed."""


class TooManyPulls(RegistryUnreachable):
    """The registry answers, but refuses pulls for now. seconds: how long it asks to wait, 0 when it does not say."""

    def __init__(self, message: str, *, fix: str | None = None, seconds: float = 0.0) -> None:
        super().__init__(message, fix=fix)
        self.seconds = seconds


class AccessDenied(AccessError):
    """The registry wants a login, or another one."""


class ImageNotFound(ResourceError):
    """The registry has no such image. Docker Hub gives AccessDenied instead, because it does not reveal which private images exist."""


class Stopped(Exception):
    """Ends a thread of a pull of which another thread failed. It does not leave the pull."""


@contextlib.contextmanager
def name_image_in_errors(image: str) -> Iterator[None]:
    """Put the image's name in front of errors of the block: code that reads a part of an image does not know the name."""
    try:
        yield
    except HeraUtilsError as error:
        if image not in error.message:
            error.message = f"{image}: {error.message}"
        raise
