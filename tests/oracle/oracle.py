"""Asks the Go originals (expr-lang, govaluate, sprig, jsonpath, Go's own time and regexp): main.go is the other half.

Needs Go and its module cache (or the module proxy); a test that uses it is skipped, loudly, where there is no Go.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class Unavailable(Exception):
    """Go is not installed, or its modules cannot be downloaded."""


def program() -> Path:
    """The oracle's executable, built once for each state of its sources. Raises Unavailable."""
    sources = b"".join((HERE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))
    built = Path(tempfile.gettempdir()) / f"hera-utils-oracle-{hashlib.sha256(sources).hexdigest()[:16]}"
    if built.exists():
        return built
    go = shutil.which("go")
    if go is None:
        raise Unavailable("no Go here: the comparison with Argo's own expression languages was skipped")
    fresh = built.with_suffix(f".{os.getpid()}")
    try:
        done = subprocess.run(
            [go, "build", "-o", str(fresh), "."], cwd=HERE, capture_output=True, text=True, timeout=120
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(
            "the oracle's modules could not be had in two minutes, its comparisons were skipped"
        ) from None
    if done.returncode != 0:
        raise Unavailable(f"the oracle cannot be built, its comparisons were skipped: {done.stderr.strip()[:300]}")
    fresh.replace(built)
    return built


def ask(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One answer per request, in order: {"ok", "value", "type"} or {"ok": False, "error"}."""
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    done = subprocess.run([str(program())], input=lines, capture_output=True, text=True, timeout=280)
    answers = [json.loads(line) for line in done.stdout.split("\n") if line]
    if len(answers) != len(requests):
        raise AssertionError(f"the oracle answered {len(answers)} of {len(requests)}: {done.stderr[-2000:]}")
    return answers
