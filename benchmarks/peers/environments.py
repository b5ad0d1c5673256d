"""The peers' environments: each has its own below the cache folder, with the exact versions of environments/NAME.txt."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("HERA_UTILS_BENCHMARKS") or HERE.parents[1] / ".cache" / "benchmarks")
PINNED = HERE / "environments"


class NotBuilt(Exception):
    """An environment is not there, or is one of other versions."""


def names() -> list[str]:
    return sorted(file.stem for file in PINNED.glob("*.txt"))


def versions(name: str) -> dict[str, str]:
    """Package → version."""
    lines = (line.partition(";")[0].strip() for line in (PINNED / f"{name}.txt").read_text().splitlines())
    return dict(line.split("==") for line in lines if line)


def python_of(name: str) -> str:
    """Its interpreter. Raises NotBuilt."""
    built = CACHE / name / "built"
    if not built.exists() or built.read_text() != _fingerprint(name):
        raise NotBuilt(f"its environment is not built: python benchmarks/peers --build {name}")
    return str(CACHE / name / "bin" / "python")


def build(name: str) -> None:
    """Make it, unless it is there. Raises NotBuilt when that fails."""
    try:
        python_of(name)
        return
    except NotBuilt:
        print(f"building {CACHE / name}", flush=True)
    uv, python = [sys.executable, "-m", "uv"], str(CACHE / name / "bin" / "python")
    pins = str(PINNED / f"{name}.txt")
    for command in (
        [*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(CACHE / name)],
        [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "--requirement", pins],
    ):
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise NotBuilt(f"its environment could not be built: {done.stderr.strip()}")
    (CACHE / name / "built").write_text(_fingerprint(name))


def _fingerprint(name: str) -> str:
    return hashlib.sha256((PINNED / f"{name}.txt").read_bytes() + platform.python_version().encode()).hexdigest()
