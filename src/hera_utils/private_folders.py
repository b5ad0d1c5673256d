"""Folders that are their owner's alone, as the XDG specification asks of those that a program makes in a home."""

from __future__ import annotations

from pathlib import Path


def make_private(folder: Path) -> None:
    """Create a folder that only this user may enter, whatever the umask: so those above it that are missing too. (Python gives
    `parents` the umask's modes: a home without ~/.local or ~/.config would get ones that everybody may write to.) OSError.
    """
    if not folder.parent.exists():
        make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
