"""Whether this machine's disk lets more pods start, as a kubelet's DiskPressure: below a reserve nothing is started until there is room."""

from __future__ import annotations

import time
from pathlib import Path

from .pod import disk_room

_PAUSE = 0.5  # seconds between looks


class DiskPressure:
    """state: the state folder, which holds logs, artifacts, claims and the journal."""

    def __init__(self, state: Path) -> None:
        self._state = str(state)
        self._looked = 0.0
        self._shortage = ""
        self._error: OSError | None = None

    def shortage(self) -> str:
        """Why no pod may start now, with what to do; "" when one may."""
        now = time.monotonic()
        if now - self._looked >= _PAUSE:
            self._looked = now
            shortage = disk_room.shortage(self._state, self._error)
            if self._error is not None and self._can_write():
                self._error, shortage = None, disk_room.shortage(self._state)
            self._shortage = shortage
        return self._shortage

    def failed(self, error: OSError) -> None:
        """Something could not be written: the disk is full whatever it says of itself (a quota, a reserve of the administrator's)."""
        self._error, self._looked = error, 0.0

    def _can_write(self) -> bool:
        probe = Path(self._state) / "pods" / ".probe"
        try:
            probe.write_bytes(bytes(1 << 16))
            probe.unlink()
        except OSError:
            return False
        return True
