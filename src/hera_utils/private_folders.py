"""Folders that only their owner may enter, as the XDG specification asks of folders that a program creates in a home."""

from __future__ import annotations

from pathlib import Path


def make_private(folder: Path) -> None:
    """Create a folder that only this user may enter, whatever the umask, and missing parents in the same way.

    (Python's `parents=True` uses the umask, so in a home without ~/.local or ~/.config it could create ones that everybody may write to.)
    Raises OSError if a folder cannot be created.
    """
    if not folder.parent.exists():
        make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
