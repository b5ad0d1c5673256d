"""Two runs at once do not write each other's files: what a run declares to write is on its workflows, where every other run sees it.

A label names the volume, an annotation has a digest of each path. Who lists the workflows of that volume which go on knows whose files
it would write over, on this machine and in a cluster. Between its workflows (before `gather`) a run is seen by its record, which the
process that drives it has locked.
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
from hera_utils.runs.record import RUN_LABEL, RunRecord, driver_of, label_of, records
from hera_utils.wording import first_of

Json = dict[str, Any]

VOLUME_LABEL = "hera-utils/volume"
WRITES = "hera-utils/writes"
MOST_PATHS = 1000  # paths that are listed; of more only the owner is named
_DIGITS = 10
_ALL = "*"


@dataclass(frozen=True)
class Writes:
    """What a run writes. volume: which one, experiment: whose, both as digests; paths: digest → path, None for too many to be listed."""

    volume: str
    experiment: str
    paths: Mapping[str, str] | None

    def labels(self) -> dict[str, str]:
        return {VOLUME_LABEL: self.volume}

    def annotations(self) -> dict[str, str]:
        return {WRITES: f"{self.experiment}:{_ALL if self.paths is None else ''.join(self.paths)}"}

    def shared_with(self, other: str) -> list[str]:
        """Paths that another run writes too, by its annotation: [""] where it is known that there are some, not which."""
        experiment, _, listed = other.partition(":")
        if self.paths is None or listed == _ALL:
            return [""] if experiment == self.experiment else []
        theirs = set(_listed(listed))
        return [path for digest, path in self.paths.items() if digest in theirs]


@dataclass(frozen=True)
class ConflictingRun:
    """A run that goes on and writes files of ours."""

    run: str
    paths: list[str]

    def files(self) -> str:
        """In words."""
        first = f"`{self.paths[0]}`" if self.paths[0] else "the same files"
        return first_of([first, *self.paths[1:]])


def writes_of(layout: object, points: Iterable[Point], volume: str, experiment: str) -> Writes | None:
    """What the declared methods of a layout write over all points; None for nothing. volume: what tells it from others."""
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


def conflicting_run(client: ArgoClient, runs: Path, own: RunRecord, writes: Writes) -> ConflictingRun | None:
    """A run that began before this one, goes on, and writes a file of it. Who may not list workflows sees those of this folder alone."""
    fields = "items.metadata.name,items.metadata.labels,items.metadata.annotations,items.status.phase"
    for document in _on_volume(client, writes.volume, fields):
        metadata = document["metadata"]
        run = str((metadata.get("labels") or {}).get(RUN_LABEL) or metadata["name"])
        if run == label_of(own.name) or phase_of(document) in COMPLETED:
            continue
        paths = writes.shared_with(str((metadata.get("annotations") or {}).get(WRITES) or ""))
        if paths:
            return ConflictingRun(run, paths)
    return next(_driven(runs, own, writes), None)


def _on_volume(client: ArgoClient, volume: str, fields: str) -> list[Json]:
    """The workflows that write on a volume; none for who may not list workflows."""
    with contextlib.suppress(HeraUtilsError):
        return client.list(selector=f"{VOLUME_LABEL}={volume}", fields=fields)
    return []


def later_writer(client: ArgoClient, workflow: Json) -> tuple[str, bool] | None:
    """(run, whether it goes on) that was submitted after a workflow and writes files of it: what the workflow would write again, is its."""
    metadata = workflow["metadata"]
    own, labels = str((metadata.get("annotations") or {}).get(WRITES) or ""), metadata.get("labels") or {}
    if not own or not labels.get(VOLUME_LABEL):
        return None
    experiment, _, listed = own.partition(":")
    paths = None if listed == _ALL else {digest: "" for digest in _listed(listed)}
    writes = Writes(labels[VOLUME_LABEL], experiment, paths)
    fields = ",".join(f"items.metadata.{name}" for name in ("name", "labels", "annotations", "creationTimestamp"))
    for other in _on_volume(client, writes.volume, f"{fields},items.status.phase"):
        theirs = other["metadata"]
        run = str((theirs.get("labels") or {}).get(RUN_LABEL) or theirs["name"])
        later = str(theirs.get("creationTimestamp") or "") > str(metadata.get("creationTimestamp") or "")
        goes_on = phase_of(other) not in COMPLETED
        shared = writes.shared_with(str((theirs.get("annotations") or {}).get(WRITES) or ""))
        if run != labels.get(RUN_LABEL) and shared and (later or goes_on):
            return run, goes_on
    return None


def _listed(digests: str) -> list[str]:
    return [digests[start : start + _DIGITS] for start in range(0, len(digests), _DIGITS)]


def _driven(runs: Path, own: RunRecord, writes: Writes) -> Iterator[ConflictingRun]:
    """The runs of a folder of records that a process of this machine carries out."""
    began = own.driven_since
    for folder in records(runs):
        if folder == own.folder:
            continue
        since = driver_of(folder)
        if since is None or began is None or since > began:
            continue
        with contextlib.suppress(HeraUtilsError), RunRecord.open(folder) as record:
            if record.facts.get("volume") == writes.volume:
                paths = writes.shared_with(str(record.facts.get("writes") or ""))
                if paths:
                    yield ConflictingRun(record.name, paths)
