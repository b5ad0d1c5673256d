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
    stacks = [stack for settings in images.values() if (stack := (settings or {}).get("layers"))]
    layers, uppermost = [layer for stack in stacks for layer in stack], [stack[-1] for stack in stacks]
    if not layers:
        return files.claim(identity)
    with _unchanged(launch.get("image_lock") or ""):
        # of an image that is removed the uppermost layer goes at any rate: others may be below another image
        if not all(os.path.isdir(layer) for layer in uppermost):
            raise LayersGone
        return files.claim({**identity, "images": image_ids(launch["pod"], images), "layers": layers})


@contextlib.contextmanager
def _unchanged(lock: str) -> Iterator[None]:
    """While nobody removes images. lock: the store's; "" where there is no store."""
    if not lock:
        yield
        return
    try:
        file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:  # the whole store was removed
        raise LayersGone from None
    try:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield
    finally:
        os.close(file)
