"""The only place where the local platform gets the time and random values."""

from __future__ import annotations

import secrets
import time
import uuid


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


def seed() -> str:
    """Random text from which one step of a run draws all its random choices."""
    return secrets.token_hex(8)


def new_uid() -> str:
    return str(uuid.uuid4())
