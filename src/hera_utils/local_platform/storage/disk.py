"""Measures the state folder in bytes: per run, and leftovers that belong to nothing any more. Reads only; `gc` removes."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from hera_utils.deep_folders import files_below
from hera_utils.local_platform.pods.pod.pod_folder import PodFolder


@dataclass(frozen=True)
class Usage:
    """Bytes on disk. pods: run uid → bytes of its pods' logs and private files. artifacts: (namespace, workflow) → bytes of its artifacts.

    folders: run uid → the folders of its pods.
    leftovers: folder that nothing refers to (a deleted claim, a pod of an unknown run) → (bytes, time of its last change).
    """

    pods: dict[str, int] = field(default_factory=dict)
    artifacts: dict[tuple[str, str], int] = field(default_factory=dict)
    leftovers: dict[Path, tuple[int, float]] = field(default_factory=dict)
    folders: dict[str, list[Path]] = field(default_factory=dict)

    def of_run(self, uid: str, namespace: str, name: str) -> int:
        return self.pods.get(uid, 0) + self.artifacts.get((namespace, name), 0)


def usage(state: Path, known_runs: frozenset[str] | None = None) -> Usage:
    """Measure a state folder. known_runs: the uids of all runs; with None no pod's folder is a leftover."""
    measured = Usage()
    for folder in _folders(state / "pods"):
        size, run = bytes_of(folder), _run_of(folder)
        if run and (known_runs is None or run in known_runs):
            measured.pods[run] = measured.pods.get(run, 0) + size
            measured.folders.setdefault(run, []).append(folder)
        elif known_runs is not None and run:
            measured.leftovers[folder] = (size, folder.stat().st_mtime)
    for namespace in _folders(state / "artifacts"):
        for workflow in _folders(namespace):
            measured.artifacts[namespace.name, workflow.name] = bytes_of(workflow)
    for folder in _folders(state / "claims" / ".deleted"):
        measured.leftovers[folder] = (bytes_of(folder), folder.stat().st_mtime)
    return measured


def bytes_of(folder: Path) -> int:
    """The space that a folder takes with its content, as `du` counts it: of a small pod, its folder is a third of it."""
    total = 0
    for path in files_below(folder, folders=True):
        with contextlib.suppress(OSError):  # the file was removed meanwhile
            total += os.lstat(path).st_blocks * 512
    return total


def old_leftovers(leftovers: dict[Path, tuple[int, float]], seconds: float) -> dict[Path, int]:
    """{folder: bytes} of the leftovers that were not changed within the last `seconds`."""
    limit = time.time() - seconds
    return {path: size for path, (size, changed) in leftovers.items() if changed <= limit}


def _folders(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def _run_of(pod: Path) -> str:
    lines = PodFolder(str(pod)).claim_lines()
    return str(lines[0].get("run", "")) if lines else ""
