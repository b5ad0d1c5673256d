"""A small disk of a test's own, which it can fill."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from waiting import until

SIZE = 24 << 20
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="a small disk of its own is mounted: only root may")


class Disk:
    """A small disk that holds the state folder, and how to fill it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, free: int = 0) -> None:
        """Fill the disk until only this many bytes are free."""
        with self._filler.open("ab", buffering=0) as file:
            block = 1 << 16
            while True:
                found = os.statvfs(self.folder)
                left = found.f_bavail * found.f_frsize - free
                if left <= 0:
                    return
                try:
                    file.write(bytes(min(block, left)))
                except OSError:
                    return

    def empty(self) -> None:
        self._filler.unlink(missing_ok=True)

    def remount(self, options: str) -> None:
        command = ["mount", "-o", f"remount,{options}", str(self.folder)]
        # busy as long as a file is open for writing
        until(lambda: subprocess.run(command, capture_output=True, check=False).returncode == 0)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"this machine mounts no tmpfs for root: {done.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=False)
