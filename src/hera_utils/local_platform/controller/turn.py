"""One turn of the controller: everything that one transaction will say, and what is to be done after it.

A turn is an overlay: what it changes is seen by the rest of the turn (the writer's thread) and by nobody else before it is written.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

from hera_utils.interpreter.state import Run
from hera_utils.local_platform.storage.journal import Journal, encode
from hera_utils.local_platform.storage.stored import Change, Stored

Json = dict[str, Any]
Key = tuple[str, str, str]
"""(kind, namespace, name) of an object."""

KEPT = ("storedTemplates", "storedWorkflowTemplateSpec")
"""Parts of a status that may be large and hardly ever change: written only when they do."""


@dataclass
class RunRecord:
    """A run as it is stored: its parts as JSON text. Only the published copy, under its lock, is changed in place."""

    uid: str
    namespace: str
    name: str
    version: int
    created: float
    finished: float | None
    metadata: str = "{}"
    spec: str = "{}"
    status: str = "{}"
    kept: str = "{}"
    nodes: dict[str, str] = field(default_factory=dict)

    def text(self, *, with_nodes: bool = True, messages: dict[str, str] | None = None) -> str:
        """The whole Workflow, put together from the parts: a copy of text, nothing is encoded again.

        messages: what pending nodes say at this moment, by their ids: it is not written down.
        """
        inner = [part for part in (self.status[1:-1], self.kept[1:-1]) if part]
        if with_nodes and self.nodes:
            known = self.nodes
            if messages:
                known = known | {id: _saying(known[id], text) for id, text in messages.items() if id in known}
            nodes = ",".join([f'"{node}":{text}' for node, text in known.items()])
            inner.append(f'"nodes":{{{nodes}}}')
        return f'{{"metadata":{self.metadata},"spec":{self.spec},"status":{{{",".join(inner)}}}}}'

    def stored(
        self, *, with_text: bool = True, with_nodes: bool = True, messages: dict[str, str] | None = None
    ) -> Stored:
        text = self.text(with_nodes=with_nodes, messages=messages) if with_text else ""
        return Stored("Workflow", self.namespace, self.name, self.uid, self.version, text)


def _saying(node: str, message: str) -> str:
    """A node's text with a message, while it is pending."""
    if '"phase":"Pending"' not in node:
        return node
    if '"message":' in node:
        return encode({**json.loads(node), "message": message})
    return f'{node[:-1]},"message":{json.dumps(message)}}}'


_ENDED = ('{"phase":"Succeeded"', '{"phase":"Failed"')  # pods.py writes the phase first


@dataclass(frozen=True)
class PodRecord:
    """A pod: `body` is the Kubernetes document without status and resourceVersion, `status` its status; both JSON text."""

    uid: str
    run: str
    node: str
    namespace: str
    name: str
    version: int
    shown: int
    """1: the Kubernetes API shows it; 0: no more (podGC), its logs are kept with the run; -1: an agent's work, never a pod."""
    position: int
    body: str
    status: str

    def stored(self) -> Stored:
        # The body begins with its metadata (pods.document sees to it): the version goes in front.
        head = '{"metadata":{'
        body = self.body
        if self.status.startswith(_ENDED):  # Argo's controller labels a pod that is over
            body = body.replace(
                '"workflows.argoproj.io/completed":"false"', '"workflows.argoproj.io/completed":"true"', 1
            )
        text = f'{head}"resourceVersion":"{self.version}",{body[len(head) : -1]},"status":{self.status}}}'
        return Stored("Pod", self.namespace, self.name, self.uid, self.version, text)


@dataclass
class Children:
    """The children of a node that has many, as text: `"a","b"`. Only what is new of them is written."""

    count: int
    first: str
    last: str
    text: str


MANY = 64
"""So many children make a node one whose children are rows of their own."""


@dataclass
class Active:
    """A run in memory: the interpreter's state of it beside its record. `whole` asks that its spec be written again too."""

    run: Run
    record: RunRecord
    positions: dict[str, int]
    following: int = 0
    fresh: bool = False
    children: dict[str, Children] = field(default_factory=dict)
    spec_mark: str = ""
    kept_mark: str = ""


@dataclass
class RunUpdate:
    """What a turn changes of a run: the new record without nodes, and the nodes that changed.

    nodes: id → the text of its row (None: removed). shown: id → what readers see, where that is more. children: rows to add;
    childless: nodes whose rows of children go first.
    """

    record: RunRecord
    whole: bool
    fresh: bool
    memory: str
    nodes: dict[str, str | None]
    positions: dict[str, int]
    shown: dict[str, str] = field(default_factory=dict)
    children: list[tuple[str, int, str]] = field(default_factory=list)
    childless: list[str] = field(default_factory=list)


def marks(document: Json) -> tuple[str, str]:
    """Short texts that change when the spec or the kept parts of the status change after the submission.

    Argo changes only scalars of a spec (suspend, shutdown, activeDeadlineSeconds) once a workflow runs, and only adds stored
    templates: comparing these is enough, and costs nothing for a spec with thousands of items.
    """
    spec, status = document.get("spec", {}), document.get("status", {})
    stored = status.get("storedWorkflowTemplateSpec") or {}
    scalars = [(key, value) for key, value in spec.items() if not isinstance(value, (dict, list))]
    kept = [(key, value) for key, value in stored.items() if not isinstance(value, (dict, list))]
    return repr((scalars, len(spec))), repr((kept, len(stored), len(status.get("storedTemplates") or ())))


class Turn:
    """version: the resource version that everything changed in this turn gets. at: its time, seconds since the epoch."""

    def __init__(self, version: int, at: float, look: Callable[[Key], Stored | None]) -> None:
        self.version = version
        self.at = at
        self._look = look
        self.objects: dict[Key, Stored | None] = {}
        self.touched: dict[str, Active] = {}
        self.updates: dict[str, RunUpdate] = {}
        self.deleted: dict[str, RunRecord] = {}
        self.pods: dict[str, PodRecord] = {}
        self.new_pods: set[str] = set()
        self.named_pods: dict[tuple[str, str], str] = {}
        """(namespace, name) → uid of the last new pod of that name."""
        self.whole_pods: set[str] = set()
        """Pods of which everything is written, not the status alone."""
        self.hidden: set[str] = set()
        self.statements: list[tuple[str, tuple[Any, ...]]] = []
        """Named statements of journal.sql with their values, in order (outbox, timers, locks, events)."""
        self.then: list[Callable[[], None]] = []
        """What to do once the turn is written (launch, kill…): each must be safe to do twice."""
        self.changes: list[Change] = []

    def look(self, kind: str, namespace: str, name: str) -> Stored | None:
        key = (kind, namespace, name)
        return self.objects[key] if key in self.objects else self._look(key)

    def put(self, stored: Stored) -> None:
        key = (stored.kind, stored.namespace, stored.name)
        known = self.look(*key)
        self.objects[key] = stored
        self.changes.append(Change("MODIFIED" if known else "ADDED", stored))

    def drop(self, stored: Stored) -> None:
        self.objects[stored.kind, stored.namespace, stored.name] = None
        self.changes.append(Change("DELETED", stored))

    def say(self, statement: str, *values: Any) -> None:
        self.statements.append((statement, values))

    def put_pod(self, pod: PodRecord, *, new: bool = False, whole: bool = False) -> None:
        if new:
            self.new_pods.add(pod.uid)
            self.named_pods[pod.namespace, pod.name] = pod.uid
        if new or whole:
            self.whole_pods.add(pod.uid)
        self.pods[pod.uid] = replace(pod, version=self.version)

    def hide_pod(self, pod: PodRecord) -> None:
        if pod.shown == 1:
            self.hidden.add(pod.uid)
            self.changes.append(Change("DELETED", pod.stored()))

    def seal(self) -> None:
        """Turn the runs that were touched into rows: their headers, and the nodes that changed."""
        for uid, active in self.touched.items():
            self.updates[uid] = _update(active, self.version, self.at)

    def write(self, journal: Journal) -> None:
        """Everything in one transaction, or nothing (sqlite3.Error)."""
        with journal.transaction():
            journal.put("put_meta", "version", str(self.version))
            for uid in self.deleted:
                for table in (
                    "delete_run",
                    "delete_nodes",
                    "delete_all_children",
                    "delete_pods",
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
        journal.put_many("put_pod", [vars(pod) for pod in pods if pod.uid in self.whole_pods])
        changed = [
            {"version": p.version, "status": p.status, "uid": p.uid} for p in pods if p.uid not in self.whole_pods
        ]
        journal.put_many("update_pod", changed)
        journal.put_many("hide_pod", [(uid,) for uid in self.hidden])


def _in_order(fresh: list[str], known: Json) -> list[str]:
    """New nodes in the order in which the document has them; they are its last ones, so the others are not looked at."""
    if len(fresh) < 2:
        return fresh
    wanted, found = set(fresh), list[str]()
    for node in reversed(known):
        if node in wanted:
            found.append(node)
            if len(found) == len(fresh):
                break
    return found[::-1]


def _update(active: Active, version: int, at: float) -> RunUpdate:
    run, old = active.run, active.record
    document = run.document
    changed, removed = run.settle()
    metadata = document["metadata"]
    metadata["resourceVersion"] = str(version)
    metadata["generation"] = int(metadata.get("generation", 0)) + 1
    status = document.setdefault("status", {})
    update = RunUpdate(old, False, active.fresh, encode(run.memory), {}, active.positions)
    nodes, known = update.nodes, run.nodes
    for node in changed:
        if node in known:
            nodes[node] = _node_text(active, update, node, known[node])
    for node in _in_order([node for node in nodes if node not in active.positions], known):
        active.positions[node] = active.following
        active.following += 1
    for node in removed:
        if node in known:
            continue
        nodes[node] = None
        active.positions.pop(node, None)
        if active.children.pop(node, None) is not None:
            update.childless.append(node)
    spec_mark, kept_mark = marks(document)
    whole = active.fresh or (spec_mark, kept_mark) != (active.spec_mark, active.kept_mark)
    finished = (old.finished or at) if run.finished else None
    record = RunRecord(old.uid, old.namespace, old.name, version, old.created, finished, spec=old.spec, kept=old.kept)
    record.metadata = encode(metadata)
    record.status = encode({key: value for key, value in status.items() if key != "nodes" and key not in KEPT})
    if whole:
        record.spec = encode(document.get("spec", {}))
        record.kept = encode({key: status[key] for key in KEPT if key in status})
        active.spec_mark, active.kept_mark = spec_mark, kept_mark
    active.fresh, active.record = False, record
    update.record, update.whole = record, whole
    return update


def _node_text(active: Active, update: RunUpdate, node_id: str, node: Json) -> str:
    """The text of a node's row; its children are left out when they are many, and what is new of them is noted."""
    children: list[str] = node.get("children") or []
    known = active.children.get(node_id)
    if len(children) < MANY:
        if known is not None:
            del active.children[node_id]
            update.childless.append(node_id)
        return encode(node)
    same = known is not None and known.count <= len(children)
    if known is None or not same or (known.first, known.last) != (children[0], children[known.count - 1]):
        update.childless.append(node_id)
        known = active.children[node_id] = Children(0, children[0], "", "")
    fresh = children[known.count :]
    if fresh:
        update.children += [(node_id, known.count + place, child) for place, child in enumerate(fresh)]
        added = encode(fresh)[1:-1]
        known.text = f"{known.text},{added}" if known.text else added
        known.count, known.last = len(children), children[-1]
    own = encode({key: value for key, value in node.items() if key != "children"})
    update.shown[node_id] = with_children(own, known.text)
    return own


def with_children(node: str, children: str) -> str:
    """A node's text with its children's put in."""
    return f'{{"children":[{children}],{node[1:]}'


def _write_run(journal: Journal, update: RunUpdate) -> None:
    record = update.record
    values = {
        "uid": record.uid, "version": record.version, "finished": record.finished, "metadata": record.metadata,
        "status": record.status, "memory": update.memory,
    }  # fmt: skip
    if update.whole:
        values |= {"namespace": record.namespace, "name": record.name, "created": record.created}
        values |= {"spec": record.spec, "kept": record.kept}
    journal.put_named("put_run" if update.whole else "update_run", values)
    uid, nodes = record.uid, update.nodes
    journal.put_many("put_node", [(uid, n, update.positions[n], text) for n, text in nodes.items() if text is not None])
    journal.put_many("delete_node", [(uid, node) for node, text in nodes.items() if text is None])
    journal.put_many("delete_children", [(uid, node) for node in update.childless])
    journal.put_many("put_child", [(uid, *child) for child in update.children])
