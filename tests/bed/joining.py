"""Starting a bed, or joining the one that stands: one a user of the machine and state of the bed's sources."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .build import SOURCES, build
from .handle import Bed

HERE = Path(__file__).parent
NOT_OF_A_BED = (
    "test_*.py",
    "conftest.py",
    "fixture.py",
    "faulty_proxy.py",
    "walks.py",
    "planted_*.py",
)  # may change while one stands
START_SECONDS = 180.0


def usual_folder() -> Path:
    digest = hashlib.sha256()
    for path in sorted([*HERE.glob("*.py"), *SOURCES.iterdir()]):
        if not any(path.match(pattern) for pattern in NOT_OF_A_BED):
            digest.update(path.read_bytes())
    return Path(tempfile.gettempdir()) / f"hera-utils-bed-{os.getuid()}-{digest.hexdigest()[:8]}"


@contextmanager
def joined(folder: Path | None = None) -> Iterator[Bed]:
    """The bed, as long as the block lasts; started when none stands. Raises Unavailable where it cannot be built."""
    build()
    folder = folder or usual_folder()
    with _held(folder):
        yield Bed(_standing(folder))


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """A shared lock of the folder's users.lock; of the one that is there, for a bed that ends takes its folder with it."""
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError), (folder / "users.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            if os.fstat(lock.fileno()).st_ino == (folder / "users.lock").stat().st_ino:
                yield
                return


def _standing(folder: Path) -> dict:
    with (folder / "start.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = known_of(folder)
        if known is not None:
            return known
        try:
            return start(folder)
        except RuntimeError:  # somebody else took a port that was free a moment ago
            return start(folder)


def known_of(folder: Path) -> dict | None:
    """What stands in a folder, or None."""
    try:
        known = json.loads((folder / "bed.json").read_text())
        os.kill(known["pid"], 0)
    except (OSError, ValueError):
        return None
    return dict(known)


def start(folder: Path) -> dict:
    """Start a keeper and wait until its bed stands."""
    (folder / "bed.json").unlink(missing_ok=True)
    paths = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    with (folder / "keeper.log").open("w") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "bed.keeper", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
    begun = time.monotonic()
    while time.monotonic() - begun < START_SECONDS and keeper.poll() is None:
        known = known_of(folder)
        if known is not None:
            return known
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        keeper.terminate()
    raise RuntimeError(f"the bed does not stand:\n{(folder / 'keeper.log').read_text()[-3000:]}")


def up(folder: Path | None = None) -> Bed:
    """A bed that stands until `down`."""
    build()
    folder = folder or usual_folder()
    with _held(folder):
        (folder / "stay").touch()
        return Bed(_standing(folder))


def down(folder: Path | None = None) -> bool:
    """End the bed of a folder, else every bed of this user, those of older sources too; False when none stood. Waits for it."""
    if folder is None:
        ended = [down(one) for one in Path(tempfile.gettempdir()).glob(f"hera-utils-bed-{os.getuid()}-*")]
        return any(ended)
    (folder / "stay").unlink(missing_ok=True)
    known = known_of(folder)
    if known is None:
        return False
    os.kill(known["pid"], signal.SIGTERM)
    while known_of(folder) is not None or _alive(known["pid"]):
        time.sleep(0.1)
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False
