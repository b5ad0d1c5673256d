"""Removing what a container left, whatever its modes are."""

from __future__ import annotations

import contextlib
import os
import shutil


def discard(folder: str) -> None:
    """Remove a folder that a container wrote (an overlay's work folder is not even readable for its owner)."""
    shutil.rmtree(folder, onerror=_make_removable)


def _make_removable(function: object, path: str, _: object) -> None:
    with contextlib.suppress(OSError):
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
