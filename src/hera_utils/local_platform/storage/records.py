"""The journal's rows in memory: objects, runs and pods as they are stored, and changes of them as listeners get them."""

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


def without_type(document: Json) -> Json:
    """A document without apiVersion and kind. Argo's kinds are stored and sent so, because Argo's gateway gets them from its server as
    protocol buffers, which have neither field.
    """
    return {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}


@dataclass(frozen=True)
class StoredObject:
    """A stored object. kind: Workflow, WorkflowTemplate, ClusterWorkflowTemplate, CronWorkflow, ConfigMap, Secret,
    PersistentVolumeClaim, ServiceAccount, Namespace, Pod, Event… `namespace` is "" for cluster-wide kinds.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: int
    text: str
    """The object as JSON text, with metadata.resourceVersion (without apiVersion and kind for Argo's kinds)."""
    status_at: int = 0
    """The position in the text where a workflow's status begins, so that it can be parsed alone; 0 when it is not known."""

    def as_dry_run(self) -> StoredObject:
        """The object as the answer to a dry run, which stores nothing: without a version."""
        document = json.loads(self.text)
        document["metadata"].pop("resourceVersion", None)
        return replace(self, text=json.dumps(document, separators=(",", ":")), status_at=0)


@dataclass(frozen=True)
class ObjectChange:
    """type: ADDED, MODIFIED or DELETED. stored: the state after the change (before it for DELETED).

    A workflow's `stored.text` may be empty: ask `get` for the latest state (changes of a run are coalesced). over: the object is a run
    that has ended.
    """

    type: str
    stored: StoredObject
    over: bool = False


@dataclass
class StoredRun:
    """A stored run: its parts as JSON text. Only the published copy is modified in place, under its lock."""

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
    """The storedTemplates of its status: they may be large, and hardly ever change."""
    nodes: dict[str, str] = field(default_factory=dict)
    start: str = ""
    """The run's startedAt, where its status is not in memory."""
    joined: str = ""
    """One text instead of `nodes`, for a run that is only read: thousands of small texts would keep the memory around them in use."""

    @property
    def started(self) -> str:
        """The status's startedAt, "" before the run has started."""
        match = _STARTED.search(self.status)
        return match[1] if match else self.start

    def text(self, *, with_nodes: bool = True, messages: dict[str, str] | None = None) -> str:
        """The whole Workflow, joined from the parts without encoding JSON again.

        messages: node id → the present message of a pending node, which is not stored; "" → the message of running pods.
        """
        inner = [part for part in (self.status[1:-1], self.templates[1:-1]) if part]
        if with_nodes and (nodes := self.joined or self._join_texts(messages)):
            inner.append(f'"nodes":{{{nodes}}}')
        return f'{{"metadata":{self.metadata},"spec":{self.spec},"status":{{{",".join(inner)}}}}}'

    def _join_texts(self, messages: dict[str, str] | None) -> str:
        texts = self.nodes
        if messages:
            texts = texts | {id: _with_message(texts[id], text) for id, text in messages.items() if id in texts}
            if of_running := messages.get(""):
                texts = {id: _with_message(text, of_running, phase="Running") for id, text in texts.items()}
        return ",".join([f'"{node}":{text}' for node, text in texts.items()])

    def compact(self) -> StoredRun:
        return replace(self, nodes={}, joined=self.joined or self._join_texts(None))

    def as_object(
        self, *, with_text: bool = True, with_nodes: bool = True, messages: dict[str, str] | None = None
    ) -> StoredObject:
        text = self.text(with_nodes=with_nodes, messages=messages) if with_text else ""
        at = len('{"metadata":,"spec":,"status":') + len(self.metadata) + len(self.spec)
        return StoredObject("Workflow", self.namespace, self.name, self.uid, self.version, text, at if text else 0)


def _with_message(node: str, message: str, *, phase: str = "Pending") -> str:
    """A node's text with a message, if the node is in that phase (and a pod's, unless the phase is Pending)."""
    if f'"phase":"{phase}"' not in node or (phase != "Pending" and '"type":"Pod"' not in node):
        return node
    if '"message":' in node:
        return encode({**json.loads(node), "message": message})
    return f'{node[:-1]},"message":{json.dumps(message)}}}'


_ENDED = ('{"phase":"Succeeded"', '{"phase":"Failed"')  # a pod's status is written with its phase first


# 64 is about the number of pods that run at once. Each has sixty objects, which keep the memory around them in use.
@lru_cache(maxsize=64)
def _parse_object(text: str) -> Json:
    document: Json = json.loads(text)
    return document


class StoredPod(NamedTuple):
    """A pod: `body` is the Kubernetes document without status and resourceVersion, `status` its status; both JSON text.

    A new pod has its document (`new_body`) and no `written` text: thousands of waiting pods share the parts that they have in common.
    """

    uid: str
    run: str
    node: str
    namespace: str
    name: str
    version: int
    visibility: int
    """VISIBLE: the Kubernetes API shows the pod. HIDDEN: no longer (podGC), but its logs are kept with the run. NO_POD: an agent's work."""
    position: int
    written: str
    status: str
    new_body: Json | None = None

    @property
    def body(self) -> str:
        return self.written or encode(self.new_body)

    @property
    def document(self) -> Json:
        """The body as JSON data, shared by all readers: do not modify it."""
        return self.new_body if self.new_body is not None else _parse_object(self.written)

    def as_object(self) -> StoredObject:
        # The body begins with its metadata (pods.document ensures that), so the version is inserted at the front.
        head = '{"metadata":{'
        body = self.body
        if self.status.startswith(_ENDED):  # Argo's controller labels completed pods
            body = body.replace(
                '"workflows.argoproj.io/completed":"false"', '"workflows.argoproj.io/completed":"true"', 1
            )
        text = f'{head}"resourceVersion":"{self.version}",{body[len(head) : -1]},"status":{self.status}}}'
        return StoredObject("Pod", self.namespace, self.name, self.uid, self.version, text)


def with_children(node: str, children: str) -> str:
    """A node's text with `children` inserted. children: the items of a JSON list."""
    return f'{{"children":[{children}],{node[1:]}'


@dataclass
class RunUpdate:
    """What a turn changes in a run: the new record without nodes, and the nodes that changed.

    nodes: id → the text of its row (None: removed). whole_nodes: id → what readers see, where that is more. children: rows to add;
    childless: nodes whose rows of children are deleted before. fixed: the part of the memory that never changes, written with the whole.
    notes: (part, entry, its text or None: removed); dropped_parts: parts of which all entries are deleted before.
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
