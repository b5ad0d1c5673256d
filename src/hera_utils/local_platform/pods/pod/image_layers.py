"""The layers of a pod's images: the pod's claim names them, so that the removal of images knows that they are in use.

A claim is written under a shared lock of the store, which prevents removals, and only if the layers exist. So no layer can be
removed between the server's check and the start of the pod.
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
    """Claim the pod, naming its layers. Gives a descriptor, like PodFolder.claim. Raises LayersGone, OSError."""
    images = launch.get("images") or {}
    stacks = [stack for settings in images.values() if (stack := (settings or {}).get("layers"))]
    layers, uppermost = [layer for stack in stacks for layer in stack], [stack[-1] for stack in stacks]
    if not layers:
        return files.claim(identity)
    with _unchanged(launch.get("image_lock") or ""):
        # Only the uppermost layers are checked: removing an image always removes its uppermost layer; others may belong to other images.
        if not all(os.path.isdir(layer) for layer in uppermost):
            raise LayersGone
        return files.claim({**identity, "images": image_ids(launch["pod"], images), "layers": layers})


@contextlib.contextmanager
def _unchanged(lock: str) -> Iterator[None]:
    """Prevent the removal of images during the block. lock: the store's lock file; "" where there is no store."""
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
