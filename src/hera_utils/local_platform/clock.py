"""The only place where the local platform gets the time and random values."""

from __future__ import annotations

import os
import time
import uuid
from collections import deque

_SEED, _MANY = 8, 256  # bytes of a seed; seeds that are read at once
_seeds: deque[str] = deque()
"""Seeds that were read and not used yet. Reading one gives other threads the interpreter's lock, and the controller needs one per event."""


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def seed() -> str:
    """Random text from which one step of a run draws all its random choices. May be called from any thread."""
    try:
        return _seeds.popleft()
    except IndexError:
        data = os.urandom(_SEED * _MANY)
        first, *others = (data[at : at + _SEED].hex() for at in range(0, len(data), _SEED))
        _seeds.extend(others)
        return first


def new_uid() -> str:
    return str(uuid.uuid4())
