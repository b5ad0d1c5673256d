"""The layers of a pod's images: who removes images knows by the pod's claim that they are in use.

A claim is written while images are not removed (a shared lock on the store), and only when the layers are there: so none of them goes
between the server's look at it and the start of the pod.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from typing import Any

from .pod_folder import PodFolder, image_ids

Json = dict[str, Any]


class LayersGone(Exception):
    """An image was removed after its pull."""


def claim(files: PodFolder, identity: Json, launch: Json) -> int:
    """Own the pod; its claim names the layers. A descriptor, as PodFolder.claim gives it. Raises LayersGone, OSError."""
    images = launch.get("images") or {}
    layers = [layer for settings in images.values() for layer in (settings or {}).get("layers") or ()]
    if not layers:
        return files.claim(identity)
    with _unchanged(launch.get("image_lock") or ""):
        if not all(os.path.isdir(layer) for layer in layers):
            raise LayersGone
        return files.claim({**identity, "images": image_ids(launch["pod"], images), "layers": layers})


@contextlib.contextmanager
def _unchanged(lock: str) -> Iterator[None]:
    """While nobody removes images. lock: the store's; "" where there is no store."""
    if not lock:
        yield
        return
    file = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield
    finally:
        os.close(file)
