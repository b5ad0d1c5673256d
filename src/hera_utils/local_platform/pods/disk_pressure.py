"""Whether more pods may start, like a kubelet's DiskPressure: none start while less than a reserve of the disk is free."""

from __future__ import annotations

import time
from pathlib import Path

from .pod import disk_room

_PAUSE = 0.5  # seconds between two checks


class DiskPressure:
    """state: the state folder, which holds logs, artifacts, claims and the journal."""

    def __init__(self, state: Path) -> None:
        self._state = str(state)
        self._checked = 0.0
        self._shortage = ""
        self._error: OSError | None = None

    def shortage(self) -> str:
        """Why no pod may start now and what to do; "" when pods may start."""
        now = time.monotonic()
        if now - self._checked >= _PAUSE:
            self._checked = now
            shortage = disk_room.shortage(self._state, self._error)
            if self._error is not None and self._can_write():
                self._error, shortage = None, disk_room.shortage(self._state)
            self._shortage = shortage
        return self._shortage

    def failed(self, error: OSError) -> None:
        """Record a failed write: the disk is full, even if it reports free space (a quota, space reserved for root)."""
        self._error, self._checked = error, 0.0

    def _can_write(self) -> bool:
        probe = Path(self._state) / "pods" / ".probe"
        try:
            probe.write_bytes(bytes(1 << 16))
            probe.unlink()
        except OSError:
            return False
        return True
