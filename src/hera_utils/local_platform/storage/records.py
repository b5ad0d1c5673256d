"""What the journal's rows are in memory: objects, runs and pods as they are stored, and a change of one as listeners are given it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from hera_utils.local_platform.storage.journal import encode

Json = dict[str, Any]
_STARTED = re.compile(r'"startedAt":"([^"]+)"')
VISIBLE, HIDDEN, NO_POD = 1, 0, -1
Key = tuple[str, str, str]
"""(kind, namespace, name) of an object."""


def untyped(document: Json) -> Json:
    """A document as Argo's kinds are stored and answered: its gateway speaks protocol buffers to its server, which carry neither
    apiVersion nor kind.
    """
    return {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}


@dataclass(frozen=True)
class StoredObject:
    """An object as stored. kind: Workflow, WorkflowTemplate, ClusterWorkflowTemplate, CronWorkflow, ConfigMap, Secret,
    PersistentVolumeClaim, ServiceAccount, Namespace, Pod, Event… `namespace` is "" for cluster-wide kinds.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: int
    text: str
    """The object as JSON text, metadata.resourceVersion included (no apiVersion/kind for Argo's kinds)."""
    status_at: int = 0
    """Where in the text the status of a workflow begins, where that is known: it can be read without the rest."""


@dataclass(frozen=True)
class ObjectChange:
    """type: ADDED, MODIFIED or DELETED; `stored` is the state after it (before it for DELETED).

    A workflow's `stored.text` may be empty: ask `get` for the latest state (changes of a run are coalesced). over: it is a run that
    has ended.
    """

    type: str
    stored: StoredObject
    over: bool = False


@dataclass
class StoredRun:
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
    templates: str = "{}"
    """The stored templates of its status: they may be large, and hardly ever change."""
    nodes: dict[str, str] = field(default_factory=dict)
    start: str = ""
    """Its startedAt, where the status is not in memory."""
    joined: str = ""
    """Instead of `nodes`, of a run that is only read: one text. Thousands of small ones would keep the memory that was around them."""

    @property
    def started(self) -> str:
        """The time of its start as its status has it, "" before."""
        found = _STARTED.search(self.status)
        return found[1] if found else self.start

    def text(self, *, with_nodes: bool = True, messages: dict[str, str] | None = None) -> str:
        """The whole Workflow, put together from the parts: a copy of text, nothing is encoded again.

        messages: node id → the present message of a pending node, which is not stored; "" → that of pods that run.
        """
        inner = [part for part in (self.status[1:-1], self.templates[1:-1]) if part]
        if with_nodes and (nodes := self.joined or self._joined(messages)):
            inner.append(f'"nodes":{{{nodes}}}')
        return f'{{"metadata":{self.metadata},"spec":{self.spec},"status":{{{",".join(inner)}}}}}'

    def _joined(self, messages: dict[str, str] | None) -> str:
        texts = self.nodes
        if messages:
            texts = texts | {id: _with_message(texts[id], text) for id, text in messages.items() if id in texts}
            if of_running := messages.get(""):
                texts = {id: _with_message(text, of_running, phase="Running") for id, text in texts.items()}
        return ",".join([f'"{node}":{text}' for node, text in texts.items()])

    def compact(self) -> StoredRun:
        return replace(self, nodes={}, joined=self.joined or self._joined(None))

    def as_object(
        self, *, with_text: bool = True, with_nodes: bool = True, messages: dict[str, str] | None = None
    ) -> StoredObject:
        text = self.text(with_nodes=with_nodes, messages=messages) if with_text else ""
        at = len('{"metadata":,"spec":,"status":') + len(self.metadata) + len(self.spec)
        return StoredObject("Workflow", self.namespace, self.name, self.uid, self.version, text, at if text else 0)


def _with_message(node: str, message: str, *, phase: str = "Pending") -> str:
    """A pod's node with a message, while it is in that phase."""
    if f'"phase":"{phase}"' not in node or (phase != "Pending" and '"type":"Pod"' not in node):
        return node
    if '"message":' in node:
        return encode({**json.loads(node), "message": message})
    return f'{node[:-1]},"message":{json.dumps(message)}}}'


_ENDED = ('{"phase":"Succeeded"', '{"phase":"Failed"')  # pods.py writes the phase first


@lru_cache(maxsize=64)  # as many as run at once; each has sixty objects, which keep the memory around them
def _parsed(text: str) -> Json:
    document: Json = json.loads(text)
    return document


class StoredPod(NamedTuple):
    """A pod: `body` is the Kubernetes document without status and resourceVersion, `status` its status; both JSON text.

    A new pod has its document instead, and no `written` text: of thousands that wait, what they have in common is there once.
    """

    uid: str
    run: str
    node: str
    namespace: str
    name: str
    version: int
    visibility: int
    """VISIBLE: the Kubernetes API shows it; HIDDEN: no more (podGC), its logs are kept with the run; NO_POD: an agent's work."""
    position: int
    written: str
    status: str
    new_body: Json | None = None

    @property
    def body(self) -> str:
        return self.written or encode(self.new_body)

    @property
    def document(self) -> Json:
        """The body as JSON data, shared by all that read it: nobody changes it."""
        return self.new_body if self.new_body is not None else _parsed(self.written)

    def as_object(self) -> StoredObject:
        # The body begins with its metadata (pods.document sees to it): the version goes in front.
        head = '{"metadata":{'
        body = self.body
        if self.status.startswith(_ENDED):  # Argo's controller labels a pod that is over
            body = body.replace(
                '"workflows.argoproj.io/completed":"false"', '"workflows.argoproj.io/completed":"true"', 1
            )
        text = f'{head}"resourceVersion":"{self.version}",{body[len(head) : -1]},"status":{self.status}}}'
        return StoredObject("Pod", self.namespace, self.name, self.uid, self.version, text)


def with_children(node: str, children: str) -> str:
    """A node's text with its children's put in."""
    return f'{{"children":[{children}],{node[1:]}'


@dataclass
class RunUpdate:
    """What a turn changes of a run: the new record without nodes, and the nodes that changed.

    nodes: id → the text of its row (None: removed). whole_nodes: id → what readers see, where that is more. children: rows to add;
    childless: nodes whose rows of children go first. fixed: the part of the memory that never changes, written with the whole. notes:
    (part, entry, its text or None: removed); dropped_parts: parts of which all entries go first.
    """

    record: StoredRun
    whole: bool
    fresh: bool
    memory: str
    nodes: dict[str, str | None]
    positions: dict[str, int]
    whole_nodes: dict[str, str] = field(default_factory=dict)
    children: list[tuple[str, int, str]] = field(default_factory=list)
    childless: list[str] = field(default_factory=list)
    fixed: str = "{}"
    notes: list[tuple[str, str, str | None]] = field(default_factory=list)
    dropped_parts: list[str] = field(default_factory=list)
