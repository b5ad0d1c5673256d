"""One turn of the controller: everything that one transaction writes, and the actions after it.

A turn is an overlay: its changes are visible to the rest of the turn (the writer's thread), and to readers only after it is written.
`Turn.seal` makes rows of the changed runs, and `restore_run` reads a run from its rows.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from hera_utils.interpreter.state import Run
from hera_utils.local_platform.controller import run_memory
from hera_utils.local_platform.controller.run_memory import Notes
from hera_utils.local_platform.storage.journal import Journal, encode
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import (
    VISIBLE,
    Key,
    ObjectChange,
    RunUpdate,
    StoredObject,
    StoredPod,
    StoredRun,
    with_children,
)

Json = dict[str, Any]
TEMPLATE_FIELDS = ("storedTemplates", "storedWorkflowTemplateSpec")
"""Parts of a status that may be large and rarely change; they are written only when they do."""


@dataclass
class Children:
    """The children of a node that has many. text: `"a","b"`. Only new children are written."""

    count: int
    first: str
    last: str
    text: str


MANY = 64
"""A node with so many children has rows of their own for them."""


@dataclass
class ActiveRun:
    """A run in memory: the interpreter's state and the record. fresh: it is not written yet."""

    run: Run
    record: StoredRun
    positions: dict[str, int]
    following: int = 0
    fresh: bool = False
    children: dict[str, Children] = field(default_factory=dict)
    notes: dict[str, Notes] = field(default_factory=dict)
    spec_mark: str = ""
    templates_mark: str = ""


def marks(document: Json) -> tuple[str, str]:
    """Short texts that change when the spec or the kept parts of the status change after the submission.

    Argo changes only scalars of a spec (suspend, shutdown, activeDeadlineSeconds) once a workflow runs, and only adds stored
    templates: comparing these is enough, and costs nothing for a spec with thousands of items.
    """
    spec, status = document.get("spec", {}), document.get("status", {})
    stored = status.get("storedWorkflowTemplateSpec") or {}
    scalars = [(key, value) for key, value in spec.items() if not isinstance(value, (dict, list))]
    plain_values = [(key, value) for key, value in stored.items() if not isinstance(value, (dict, list))]
    return repr((scalars, len(spec))), repr((plain_values, len(stored), len(status.get("storedTemplates") or ())))


class Turn:
    """version: the resource version that everything changed in this turn gets. at: its time, seconds since the epoch."""

    def __init__(self, version: int, at: float, look: Callable[[Key], StoredObject | None]) -> None:
        self.version = version
        self.at = at
        self._look = look
        self.objects: dict[Key, StoredObject | None] = {}
        self.touched: dict[str, ActiveRun] = {}
        self.updates: dict[str, RunUpdate] = {}
        self.deleted: dict[str, StoredRun] = {}
        self.pods: dict[str, StoredPod] = {}
        self.rewritten = 0
        """Characters of the pods whose status changes: their rows are written as a whole."""
        self.new_pods: set[str] = set()
        self.named_pods: dict[tuple[str, str], str] = {}
        """(namespace, name) → uid of the last new pod of that name."""
        self.whole_pods: set[str] = set()
        """Pods that are written completely, not only their status."""
        self.hidden: set[str] = set()
        self.statements: list[tuple[str, tuple[Any, ...]]] = []
        """Named statements of journal.sql with their values, in order (outbox, timers, locks, events)."""
        self.after_write: list[Callable[[], None]] = []
        """Actions after the turn is written (launch, kill…); each must be safe to repeat."""
        self.changes: list[ObjectChange] = []

    def look(self, kind: str, namespace: str, name: str) -> StoredObject | None:
        key = (kind, namespace, name)
        return self.objects[key] if key in self.objects else self._look(key)

    def put(self, stored: StoredObject) -> None:
        key = (stored.kind, stored.namespace, stored.name)
        previous = self.look(*key)
        self.objects[key] = stored
        self.changes.append(ObjectChange("MODIFIED" if previous else "ADDED", stored))

    def drop(self, stored: StoredObject) -> None:
        self.objects[stored.kind, stored.namespace, stored.name] = None
        self.changes.append(ObjectChange("DELETED", stored))

    def add_statement(self, statement: str, *values: Any) -> None:
        self.statements.append((statement, values))

    def put_pod(self, pod: StoredPod, *, new: bool = False, whole: bool = False) -> None:
        if new:
            self.new_pods.add(pod.uid)
            self.named_pods[pod.namespace, pod.name] = pod.uid
        if new or whole:
            self.whole_pods.add(pod.uid)
        self.rewritten += len(pod.written)
        self.pods[pod.uid] = pod._replace(version=self.version)

    def hide_pod(self, pod: StoredPod) -> None:
        if pod.visibility == VISIBLE:
            self.hidden.add(pod.uid)
            self.changes.append(ObjectChange("DELETED", pod.as_object()))

    def seal(self) -> None:
        """Make rows of the changed runs: their headers and their changed nodes."""
        for uid, active in self.touched.items():
            self.updates[uid] = _update(active, self.version, self.at)

    def write(self, journal: Journal) -> None:
        """Write everything in one transaction. Raises JournalError when nothing was written."""
        with journal.transaction():
            journal.put("put_meta", "version", str(self.version))
            for uid in self.deleted:
                for table in (
                    "delete_run",
                    "delete_spec",
                    "delete_notes",
                    "delete_nodes",
                    "delete_all_children",
                    "delete_timers",
                    "delete_locks",
                    "delete_events",
                ):
                    journal.put(table, uid)
            for update in self.updates.values():
                _write_run(journal, update)
            for key, stored in self.objects.items():
                if stored is None:
                    journal.put("delete_object", *key)
                else:
                    journal.put("put_object", *key, stored.uid, stored.resource_version, stored.text)
            self._write_pods(journal)
            for statement, group in itertools.groupby(self.statements, key=itemgetter(0)):
                journal.put_many(statement, [values for _, values in group])

    def _write_pods(self, journal: Journal) -> None:
        pods = [pod for pod in self.pods.values() if pod.run not in self.deleted]
        journal.put_many("put_pod", [pod._asdict() | {"body": pod.body} for pod in pods if pod.uid in self.whole_pods])
        changed = [
            {"version": p.version, "status": p.status, "uid": p.uid} for p in pods if p.uid not in self.whole_pods
        ]
        journal.put_many("update_pod", changed)
        journal.put_many("hide_pod", [(uid,) for uid in self.hidden])


def _in_order(fresh: list[str], document_nodes: Json) -> list[str]:
    """New nodes in the order of the document. They are its last nodes, so the search goes backwards and stops early."""
    if len(fresh) < 2:
        return fresh
    unplaced, ordered = set(fresh), list[str]()
    for node in reversed(document_nodes):
        if node in unplaced:
            ordered.append(node)
            if len(ordered) == len(fresh):
                break
    return ordered[::-1]


def _update(active: ActiveRun, version: int, at: float) -> RunUpdate:
    run, old = active.run, active.record
    document = run.document
    changed, removed = run.settle()
    metadata = document["metadata"]
    metadata["resourceVersion"] = str(version)
    metadata["generation"] = int(metadata.get("generation", 0)) + 1
    status = document.setdefault("status", {})
    update = RunUpdate(old, False, active.fresh, run_memory.header(run.memory), {}, active.positions)
    run_memory.note_changes(run.memory, active.notes, update)
    nodes, document_nodes = update.nodes, run.nodes
    for node in changed:
        if node in document_nodes:
            nodes[node] = _node_text(active, update, node, document_nodes[node])
    for node in _in_order([node for node in nodes if node not in active.positions], document_nodes):
        active.positions[node] = active.following
        active.following += 1
    for node in removed:
        if node in document_nodes:
            continue
        nodes[node] = None
        active.positions.pop(node, None)
        if active.children.pop(node, None) is not None:
            update.childless.append(node)
    spec_mark, templates_mark = marks(document)
    whole = active.fresh or (spec_mark, templates_mark) != (active.spec_mark, active.templates_mark)
    finished = (old.finished or at) if run.finished else None
    record = StoredRun(
        old.uid, old.namespace, old.name, version, old.created, finished, spec=old.spec, templates=old.templates
    )
    record.metadata = encode(metadata)
    record.status = encode(
        {key: value for key, value in status.items() if key != "nodes" and key not in TEMPLATE_FIELDS}
    )
    if whole:
        record.spec = encode(document.get("spec", {}))
        record.templates = encode({key: status[key] for key in TEMPLATE_FIELDS if key in status})
        update.fixed = run_memory.fixed(run.memory)
        active.spec_mark, active.templates_mark = spec_mark, templates_mark
    active.fresh, active.record = False, record
    update.record, update.whole = record, whole
    return update


def _node_text(active: ActiveRun, update: RunUpdate, node_id: str, node: Json) -> str:
    """The text of a node's row. Many children are left out of it, and the new ones are added to the update."""
    children: list[str] = node.get("children") or []
    written = active.children.get(node_id)
    if len(children) < MANY:
        if written is not None:
            del active.children[node_id]
            update.childless.append(node_id)
        return encode(node)
    same = written is not None and written.count <= len(children)
    if written is None or not same or (written.first, written.last) != (children[0], children[written.count - 1]):
        update.childless.append(node_id)
        written = active.children[node_id] = Children(0, children[0], "", "")
    fresh = children[written.count :]
    if fresh:
        update.children += [(node_id, written.count + place, child) for place, child in enumerate(fresh)]
        added = encode(fresh)[1:-1]
        written.text = f"{written.text},{added}" if written.text else added
        written.count, written.last = len(children), children[-1]
    own = encode({key: value for key, value in node.items() if key != "children"})
    update.whole_nodes[node_id] = with_children(own, written.text)
    return own


def _write_run(journal: Journal, update: RunUpdate) -> None:
    record = update.record
    values = {
        "uid": record.uid, "version": record.version, "finished": record.finished, "metadata": record.metadata,
        "status": record.status, "memory": update.memory,
    }  # fmt: skip
    if update.whole:
        values |= {"namespace": record.namespace, "name": record.name, "created": record.created}
        journal.put_named(
            "put_spec", {"uid": record.uid, "spec": record.spec, "kept": record.templates, "fixed": update.fixed}
        )
    journal.put_named("put_run" if update.whole else "update_run", values)
    uid, nodes = record.uid, update.nodes
    journal.put_many("delete_part", [(uid, part) for part in update.dropped_parts])
    journal.put_many("put_note", [(uid, part, entry, text) for part, entry, text in update.notes if text is not None])
    journal.put_many("delete_note", [(uid, part, entry) for part, entry, text in update.notes if text is None])
    journal.put_many("put_node", [(uid, n, update.positions[n], text) for n, text in nodes.items() if text is not None])
    journal.put_many("delete_node", [(uid, node) for node, text in nodes.items() if text is None])
    journal.put_many("delete_children", [(uid, node) for node in update.childless])
    journal.put_many("put_child", [(uid, *child) for child in update.children])


def restore_run(journal: Journal, read_model: ReadModel, record: StoredRun) -> ActiveRun | None:
    """The run of a record; None when it is not in the journal any more."""
    full = read_model.load(record.uid)
    if full is None:
        return None
    status: Json = {**json.loads(full.status), **json.loads(full.templates)}
    # All nodes are parsed as one text, so that they share the strings of their field names.
    nodes: Json = dict(zip(full.nodes, json.loads(f"[{','.join(full.nodes.values())}]"), strict=True))
    status["nodes"] = nodes
    document: Json = {"metadata": json.loads(full.metadata), "spec": json.loads(full.spec), "status": status}
    header, fixed = journal.read("run_memory", record.uid)[0]
    memory, notes, older = run_memory.restore_memory(header, fixed, journal.read("run_notes", record.uid))
    active = ActiveRun(Run(document, memory), full, {node: place for place, node in enumerate(full.nodes)})
    active.following = int(journal.read("last_node", record.uid)[0][0]) + 1
    active.notes = notes
    active.spec_mark, active.templates_mark = ("", "") if older else marks(document)
    for node in {row[0] for row in journal.read("run_children", record.uid)}:
        children = nodes[node]["children"]
        active.children[node] = Children(len(children), children[0], children[-1], encode(children)[1:-1])
    return active
