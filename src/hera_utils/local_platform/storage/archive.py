"""The workflow archive. It has a record of every run that ended, until that record is deleted, even when the run itself is deleted before.

While a run exists, its own rows are its record, so nothing is stored twice. When the run is deleted, one compressed row is written.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, Protocol

from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import StoredRun

Json = dict[str, Any]


class Statements(Protocol):
    """The part of a controller's turn that the archive needs."""

    def add_statement(self, statement: str, *values: Any) -> None:
        """Add a named statement of journal.sql with its values."""


class Archive:
    def __init__(self, read_model: ReadModel) -> None:
        self._read_model = read_model

    def records(self, namespace: str = "") -> list[StoredRun]:
        """The records of all runs that ended, the youngest first; names and times only."""
        rows = self._read_model.rows("archived", namespace, namespace)
        forgotten = {uid for uid, _, _, _, _, present in rows if not present}
        records = [
            StoredRun(uid, place, name, 0, created, finished)
            for uid, place, name, created, finished, present in rows
            if present
        ]
        records += [
            record
            for record in self._read_model.runs(namespace)
            if record.finished is not None and record.uid not in forgotten
        ]
        return sorted(records, key=lambda record: record.created, reverse=True)

    def document(self, uid: str, *, nodes: bool = True) -> Json | None:
        """The workflow of a record, with Argo's label that says that it is archived; None when there is no such record."""
        rows = self._read_model.rows("get_archived", uid)
        record = self._read_model.run_of_uid(uid)
        if rows:
            if rows[0][0] is None:
                return None
            document: Json = json.loads(zlib.decompress(rows[0][0]))
        elif record is not None and record.finished is not None:
            stored = self._read_model.workflow(uid, with_nodes=nodes)
            if stored is None:
                return None
            document = json.loads(stored.text)
        else:
            return None
        document["metadata"].setdefault("labels", {})["workflows.argoproj.io/workflow-archiving-status"] = "Persisted"
        return document

    def uid_of(self, namespace: str, name: str) -> str:
        """The uid of the youngest record with that name, "" when there is none."""
        return next((record.uid for record in self.records(namespace) if record.name == name), "")


def keep(turn: Statements, record: StoredRun, text: str) -> None:
    """Write the record of a run that is being deleted, unless the record was deleted before."""
    if record.finished is None:
        return
    packed = zlib.compress(text.encode("utf-8", "surrogatepass"), 1)
    turn.add_statement(
        "archive_run", record.uid, record.namespace, record.name, record.created, record.finished, packed
    )
    turn.add_statement("bury_archived", record.uid)


def forget(turn: Statements, uid: str, record: StoredRun | None) -> None:
    """Delete a record. Where the run itself still exists, a row without text notes that it has no record."""
    turn.add_statement("delete_archived", uid)
    if record is not None:
        turn.add_statement("archive_run", uid, record.namespace, record.name, record.created, record.finished, None)
