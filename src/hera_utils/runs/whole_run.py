"""A whole run: all of its workflows, and the points of its record."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.argo import faults
from hera_utils.argo.annotations import SCRIPT
from hera_utils.argo.phases import COMPLETED, phase_or_pending
from hera_utils.errors import HeraUtilsError, Refused, ResourceError, SettingsError
from hera_utils.runs.record import RUN_LABEL, PointRow, RunRecord, label_of
from hera_utils.runs.remaining import find_remaining, joint_phase

if TYPE_CHECKING:
    from hera_utils.platforms.argo_client import ArgoClient

Json = dict[str, Any]
ANY_FUNCTION = ("define", "workflow", "main")
"""Names of functions that many experiments use, so that they do not identify one."""


@dataclass(frozen=True)
class WholeRun:
    """A run: what the platform and its record know of it now.

    documents: its workflows in the order of submission, and those of earlier runs whose points it took over. earlier: the names of
    the latter. folder: its record, None if this machine has none. facts: the content of run.json. points: in the order of the
    sweep. deleted: the names of the workflows that the platform no longer has. lost: how many of these no record has stored.
    """

    name: str
    namespace: str
    documents: tuple[Json, ...]
    folder: Path | None = None
    facts: Json = field(default_factory=dict)
    points: tuple[PointRow, ...] = ()
    earlier: frozenset[str] = frozenset()
    deleted: frozenset[str] = frozenset()
    lost: int = 0

    @property
    def own(self) -> tuple[Json, ...]:
        """The workflows that this run submitted."""
        return tuple(document for document in self.documents if document["metadata"]["name"] not in self.earlier)

    @property
    def experiment(self) -> str:
        """The experiment's name; "" if it is only the name of a function such as `define`."""
        name = str(self.facts.get("experiment") or "")
        return "" if name in ANY_FUNCTION else name

    @property
    def last(self) -> list[str]:
        """The workflows that run after all points."""
        return [
            str(workflow.get("name"))
            for workflow in self.facts.get("workflows") or ()
            if workflow.get("role") == "gather"
        ]

    @property
    def phase(self) -> str:
        """The joint phase of all its workflows; that of the record if some of them were deleted. A run that is not completely submitted is
        Running while a process submits the rest, else Pending.
        """
        phases = [phase_or_pending(workflow) for workflow in self.own]
        ended = str(self.facts.get("phase") or "") if self.facts.get("ended") else ""
        if ended and (self.deleted or not phases) and COMPLETED.issuperset(phases):
            return ended
        return joint_phase(phases, find_remaining(self.own, self.folder, time.time())) if phases else "Pending"

    @property
    def script(self) -> str:
        """The script's file by its record or its workflow; "" if neither names one. A workflow may be a stranger's, and the file is
        published with the run: so it must at least have the name of a script.
        """
        annotations = (document["metadata"].get("annotations") or {} for document in self.documents)
        named = next((str(annotation[SCRIPT]) for annotation in annotations if annotation.get(SCRIPT)), "")
        return str(self.facts.get("script") or (named if named.endswith((".py", ".ipynb")) else ""))


def load_run(client: ArgoClient, name: str, runs: Iterable[Path] = ()) -> WholeRun:
    """The run with this name. runs: folders that may have its record. The folder of the script that a workflow names is not searched,
    because its tasks may have written there.

    Without a record: the workflow with this name and those with the run's label. Raises ResourceError if there is none.
    """
    folder = record_folder(name, runs)
    if folder is None:
        documents = _workflows_of_platform(client, name)
        return WholeRun(name, client.namespace, tuple(documents))
    with RunRecord.open(folder) as record:
        facts, points = dict(record.facts), tuple(record.points())
        own = [row.name for row in record.workflows()]
    computed = {point.workflow: point.run for point in points if point.workflow and point.workflow not in own}
    client.namespace = facts.get("namespace") or client.namespace
    by_name: dict[str, Json | None] = {workflow: workflow_of(client, workflow) for workflow in (*own, *computed)}
    deleted = frozenset(workflow for workflow, document in by_name.items() if document is None)
    by_name |= {
        workflow: read_kept_document(folder.with_name(computed.get(workflow) or folder.name), workflow)
        for workflow in deleted
    }
    there = tuple(document for document in by_name.values() if document is not None)
    if not there and not points:
        raise ResourceError(f"none of the workflows of {name} exists any more", fix="list the runs with: hera-utils ls")
    earlier, lost = frozenset(computed), len(by_name) - len(there)
    return WholeRun(name, client.namespace, there, folder, facts, points, earlier, deleted, lost)


def read_kept_document(folder: Path, workflow: str) -> Json | None:
    """The workflow that the record in a folder has kept; None if it has not kept it."""
    try:
        with RunRecord.open(folder) as record:
            return record.document(workflow)
    except (ResourceError, SettingsError):
        return None


def record_folder(name: str, runs: Iterable[Path]) -> Path | None:
    """The folder of a run's record in one of these folders; None if there is none."""
    return next((run / name for run in runs if (run / name / "run.json").is_file()), None)


def _workflows_of_platform(client: ArgoClient, name: str) -> list[Json]:
    document, missing = _get_or_refusal(client, name)
    try:
        labelled = client.list(selector=f"{RUN_LABEL}={label_of(name)}")
    except HeraUtilsError:
        labelled = []  # a user who may get a workflow may not be allowed to list workflows
    others = [workflow for workflow in labelled if workflow["metadata"]["name"] != name]
    if document is None and not others:
        raise missing or ResourceError(f"there is no run {name}")
    return sorted([*([document] if document is not None else []), *others], key=submission_order)


def _get_or_refusal(client: ArgoClient, name: str) -> tuple[Json | None, Refused | None]:
    try:
        return client.get(name), None
    except Refused as refused:
        if refused.code != faults.NOT_FOUND:
            raise
        return None, refused


def submission_order(workflow: Json) -> tuple[str, int, str]:
    """Sorts the workflows of one run as they were submitted: of one second, by the number that their names end in."""
    name = str(workflow["metadata"]["name"])
    number = name.rpartition("-")[2]
    return workflow["metadata"].get("creationTimestamp") or "", int(number) if number.isdecimal() else 1 << 30, name


def workflow_of(client: ArgoClient, name: str) -> Json | None:
    """The workflow with this name; None if it was deleted: the record has the status of its points."""
    return _get_or_refusal(client, name)[0]
