"""The control plane's executable: built from controlplane/ once for each state of its sources, kept in the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

SOURCES = Path(__file__).parent / "controlplane"
BUILD_SECONDS = 40 * 60.0  # seconds: a build without any cache, on a busy machine


class Unavailable(Exception):
    """There is no Go here, or its modules cannot be had: says why."""


def cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "hera-utils" / "test-bed"


def executable() -> Path:
    """Where the executable is, or will be. Its name is the digest of everything that it is made from."""
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return cache() / f"controlplane-{digest.hexdigest()[:16]}"


def build() -> Path:
    """The executable, built when it is not there; who asks meanwhile waits for it. Raises Unavailable."""
    built = executable()
    if built.exists():
        return built
    go = shutil.which("go")
    if go is None:
        raise Unavailable("no Go here: what needs a real Kubernetes API was skipped")
    built.parent.mkdir(parents=True, exist_ok=True)
    with (built.parent / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            print("building the test bed's control plane: some minutes, once", file=sys.stderr, flush=True)
            _build(go, built)
    return built


def _build(go: str, built: Path) -> None:
    fresh = built.with_suffix(f".{os.getpid()}")
    command = [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(fresh), "."]
    try:
        done = subprocess.run(
            command,
            cwd=SOURCES,
            env={**os.environ, "CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"the control plane was not built in {BUILD_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise Unavailable(f"the control plane cannot be built: {done.stderr.strip()[-500:]}")
    fresh.replace(built)
    for old in built.parent.glob("controlplane-*"):
        if old != built and time.time() - old.stat().st_mtime > 7 * 86400:
            old.unlink(missing_ok=True)


if __name__ == "__main__":
    begun = time.monotonic()
    try:
        print(build(), f"({time.monotonic() - begun:.0f} s)")
    except Unavailable as why:
        sys.exit(str(why))
