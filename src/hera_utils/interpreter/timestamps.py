"""Times as Kubernetes writes them: UTC, whole seconds."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import lru_cache


@lru_cache(maxsize=1024)
def _text(second: int) -> str:
    return datetime.fromtimestamp(second, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def text(at: float) -> str:
    """Seconds since the epoch as RFC 3339, e.g. 2026-11-23T09:00:00Z."""
    return _text(int(at))


def precise(at: float) -> str:
    """As `text`, with microseconds: 2026-11-23T09:00:00.250000Z."""
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@lru_cache(maxsize=1024)
def seconds(stamp: str | None) -> float:
    """The inverse of `text` (fractions and offsets are read too); 0.0 for nothing."""
    if not stamp:
        return 0.0
    return datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
