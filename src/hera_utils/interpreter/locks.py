"""Mutexes and semaphores of templates: a node that asks for them stays Pending until they are granted (Argo: synchronization)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hera_utils.interpreter.frames import Frame
from hera_utils.interpreter.state import Json

if TYPE_CHECKING:
    from hera_utils.interpreter.walk import Walk


def acquired(walk: Walk, frame: Frame, node: Json | None) -> bool:
    """Whether the frame's node may go on; asks for its locks the first time."""
    return True


def release(walk: Walk, node_id: str) -> None:
    """Give back the locks of a node that is over."""
