"""Prevents two concurrent runs from writing the same files: the workflows of a run say which files it declares to write.

A label names the volume, an annotation has a digest of each path. A new run lists the workflows of its volume that have not ended, and
so finds the files that it would overwrite, on this machine and on a cluster. A run that has no workflow at the moment (before `gather`)
is found by its record, which the process that drives it has locked.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from hera_utils.argo.phases import COMPLETED, phase_of
from hera_utils.errors import HeraUtilsError
from hera_utils.experiment.layout import Layout
from hera_utils.experiment.points import Point
from hera_utils.platforms.argo_client import ArgoClient
from hera_utils.runs.record import RUN_LABEL, RunRecord, driver_of, label_of, records, run_of
from hera_utils.wording import first_of

Json = dict[str, Any]

VOLUME_LABEL = "hera-utils/volume"
WRITES = "hera-utils/writes"
MOST_PATHS = 1000  # a run that writes more paths lists none, and only names its experiment
_DIGITS = 10
_ALL = "*"


@dataclass(frozen=True)
class Writes:
    """The files that a run writes. volume, experiment: digests of their names. paths: digest → path, None if there are too many to list."""

    volume: str
    experiment: str
    paths: Mapping[str, str] | None

    def labels(self) -> dict[str, str]:
        return {VOLUME_LABEL: self.volume}

    def annotations(self) -> dict[str, str]:
        return {WRITES: f"{self.experiment}:{_ALL if self.paths is None else ''.join(self.paths)}"}

    def paths_shared_with(self, other: str) -> list[str]:
        """The paths that another run with this annotation writes too; [""] if there are some, but it is unknown which."""
        experiment, _, listed = other.partition(":")
        if self.paths is None or listed == _ALL:
            return [""] if experiment == self.experiment else []
        theirs = set(_split_digests(listed))
        return [path for digest, path in self.paths.items() if digest in theirs]


@dataclass(frozen=True)
class ConflictingRun:
    """A run that has not ended and writes some of our files."""

    run: str
    paths: list[str]

    def files(self) -> str:
        """The files, in words."""
        first = f"`{self.paths[0]}`" if self.paths[0] else "the same files"
        return first_of([first, *self.paths[1:]])


def writes_of(layout: object, points: Iterable[Point], volume: str, experiment: str) -> Writes | None:
    """The files that a layout declares to write for all points; None if there are none. volume: a text that identifies it."""
    if not isinstance(layout, Layout):
        return None
    listed = list(islice(_paths(layout, points), MOST_PATHS + 1))
    if not listed:
        return None
    paths = None if len(listed) > MOST_PATHS else {_digest(path): path for path in listed}
    return Writes(_digest(volume), _digest(experiment), paths)


def _paths(layout: Layout, points: Iterable[Point]) -> Iterator[str]:
    for file in layout.outputs_of_all():
        yield file.path
    for point in points:
        for file in layout.outputs(point):
            yield file.path


def _digest(words: str) -> str:
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=_DIGITS // 2).hexdigest()


def find_conflicting_run(client: ArgoClient, runs: Path, own: RunRecord, writes: Writes) -> ConflictingRun | None:
    """A run that began before this one, has not ended, and writes one of its files. A user who may not list workflows finds only the runs
    of this folder.
    """
    fields = "metadata.name,metadata.labels,metadata.annotations,status.phase"
    for document in _workflows_on_volume(client, writes.volume, fields):
        metadata = document["metadata"]
        run = run_of(metadata)
        if run == label_of(own.name) or phase_of(document) in COMPLETED:
            continue
        paths = writes.paths_shared_with(str((metadata.get("annotations") or {}).get(WRITES) or ""))
        if paths:
            return ConflictingRun(run, paths)
    return next(_conflict_with_driven_run(runs, own, writes), None)


def _workflows_on_volume(client: ArgoClient, volume: str, fields: str) -> list[Json]:
    """The workflows that write on a volume; none if the user may not list workflows."""
    with contextlib.suppress(HeraUtilsError):
        return client.list(selector=f"{VOLUME_LABEL}={volume}", fields=fields)
    return []


def find_later_writer(client: ArgoClient, workflow: Json) -> tuple[str, bool] | None:
    """(run, whether it still goes on) of a run submitted after this workflow that writes the same files: a retry of the workflow would
    overwrite them.
    """
    metadata = workflow["metadata"]
    own, labels = str((metadata.get("annotations") or {}).get(WRITES) or ""), metadata.get("labels") or {}
    if not own or not labels.get(VOLUME_LABEL):
        return None
    experiment, _, listed = own.partition(":")
    paths = None if listed == _ALL else {digest: "" for digest in _split_digests(listed)}
    writes = Writes(labels[VOLUME_LABEL], experiment, paths)
    fields = "metadata.name,metadata.labels,metadata.annotations,metadata.creationTimestamp,status.phase"
    for other in _workflows_on_volume(client, writes.volume, fields):
        theirs = other["metadata"]
        run = run_of(theirs)
        later = str(theirs.get("creationTimestamp") or "") > str(metadata.get("creationTimestamp") or "")
        goes_on = phase_of(other) not in COMPLETED
        shared = writes.paths_shared_with(str((theirs.get("annotations") or {}).get(WRITES) or ""))
        if run != labels.get(RUN_LABEL) and shared and (later or goes_on):
            return run, goes_on
    return None


def _split_digests(digests: str) -> list[str]:
    return [digests[start : start + _DIGITS] for start in range(0, len(digests), _DIGITS)]


def _conflict_with_driven_run(runs: Path, own: RunRecord, writes: Writes) -> Iterator[ConflictingRun]:
    """The conflicting runs among a folder's records that a process of this machine drives."""
    began = own.driven_since
    for folder in records(runs):
        if folder == own.folder:
            continue
        since = driver_of(folder)
        if since is None or began is None or since > began:
            continue
        with contextlib.suppress(HeraUtilsError), RunRecord.open(folder) as record:
            if record.facts.get("volume") == writes.volume:
                paths = writes.paths_shared_with(str(record.facts.get("writes") or ""))
                if paths:
                    yield ConflictingRun(record.name, paths)
