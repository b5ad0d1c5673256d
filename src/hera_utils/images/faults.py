"""Why an image cannot be had from its registry. Who asks can tell apart: no answer, no such image, no permission, too many pulls."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hera_utils.errors import AccessError, HeraUtilsError, ResourceError


class RegistryUnreachable(AccessError):
    """No registry gave a usable answer: another time, or with a way to it, the same question may succeed."""


class TooManyPulls(RegistryUnreachable):
    """The registry answers, but lets nobody, or not this address, pull for now. seconds: how long it asks to wait, 0 for no word of it."""

    def __init__(self, message: str, *, fix: str | None = None, seconds: float = 0.0) -> None:
        super().__init__(message, fix=fix)
        self.seconds = seconds


class AccessDenied(AccessError):
    """The registry wants a login, or another one."""


class ImageNotFound(ResourceError):
    """The registry has no such image. Docker Hub says AccessDenied instead, as it tells nobody which private images there are."""


class Stopped(Exception):
    """A thread of a pull that has failed elsewhere ends. Nobody outside sees it."""


@contextlib.contextmanager
def naming(image: str) -> Iterator[None]:
    """What is wrong with a part of an image says of which image: the part does not know."""
    try:
        yield
    except HeraUtilsError as error:
        if image not in error.message:
            error.message = f"{image}: {error.message}"
        raise
