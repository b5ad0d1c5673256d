"""Watching objects: the latest state of each, coalesced, never a queue.

An Argo event carries the whole workflow, so a queue for each watcher would cost O(n²) bytes for n tasks. A watcher therefore remembers
only *which* objects changed; when it is its turn it reads their latest state. It is served at most ten times a second, and less often
when its documents are large: building them may take a twentieth of one core. What changed last is never lost.

    writer's thread ── listener: mark the object ──▶ pending {uid: change} ── at its turn ──▶ latest text ──▶ the watcher's client
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.argo.selectors import FieldSelector, LabelSelector, field_value
from hera_utils.errors import Refused
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.storage.records import ObjectChange, StoredObject

Json = dict[str, Any]

SHORTEST_PAUSE = 0.1
"""Seconds between two servings of a watcher."""
LONGEST_PAUSE = 10.0
SHARE = 0.05
"""How much of one core a watcher's documents may cost."""

_REMEMBERED_DELETIONS = 1000
_DECODER = json.JSONDecoder()
_METADATA_FIRST = '{"metadata":'


def metadata_of(text: str) -> Json:
    """The metadata of an object as stored, without reading the rest of a document that may be megabytes."""
    if text.startswith(_METADATA_FIRST):
        metadata, _ = _DECODER.raw_decode(text, len(_METADATA_FIRST))
    else:
        metadata = json.loads(text).get("metadata", {})
    return metadata if isinstance(metadata, dict) else {}


@dataclass(frozen=True)
class ObjectSelector:
    """Which objects are read: a namespace ("" = any) and two selectors. nodes=False: workflows without status.nodes."""

    kind: str
    namespace: str = ""
    labels: LabelSelector = field(default_factory=LabelSelector)
    fields: FieldSelector = field(default_factory=FieldSelector)
    nodes: bool = True

    def names(self, stored: StoredObject) -> bool:
        """Whether the object may match, by its name and namespace."""
        if self.namespace and stored.namespace != self.namespace:
            return False
        for path, known in (("metadata.name", stored.name), ("metadata.namespace", stored.namespace)):
            required = self.fields.required_value(path)
            if required is not None and required != known:
                return False
        return True

    def matches(self, text: str) -> bool:
        """Whether an object of the right namespace fits the selectors."""
        if self.labels.requirements and not self.labels.matches(metadata_of(text).get("labels")):
            return False
        if not self.fields.fields:
            return True
        if all(path.startswith("metadata.") for path in self.fields.fields):
            document: Json = {"metadata": metadata_of(text)}
        else:
            document = json.loads(text)
        return self.fields.matches(lambda path: field_value(document, path))


class WatchHistory:
    """What a watcher that comes back needs beside the present state: deletions, and which objects are new.

    Kept in memory for as long as the server lives; a version from before is answered `Gone`, and the client lists again.
    """

    def __init__(self, platform: LocalPlatform, kinds: Iterable[str]) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._created: dict[str, int] = {}
        self._deleted: dict[str, deque[StoredObject]] = {}
        self._horizon: dict[str, int] = {}
        for kind in kinds:
            self._deleted[kind] = deque()
            platform.subscribe(kind, self._note)
            self._horizon[kind] = platform.list(kind, nodes=False)[1]

    def _note(self, change: ObjectChange) -> None:
        stored = change.stored
        if change.type == "DELETED":  # an object keeps its last version when it goes; what counts is when it went
            stored = replace(stored, resource_version=self._platform.list("Namespace")[1])
        with self._lock:
            if change.type == "ADDED":
                self._created.setdefault(stored.uid, stored.resource_version)
            elif change.type == "DELETED":
                self._created.pop(stored.uid, None)
                deleted = self._deleted[stored.kind]
                deleted.append(stored)
                if len(deleted) > _REMEMBERED_DELETIONS:
                    self._horizon[stored.kind] = deleted.popleft().resource_version

    def deleted_since(self, kind: str, version: int, newest: int) -> list[StoredObject]:
        """The objects deleted after a version. Raises Refused (reason Expired) when the version is too old, or not from this server."""
        with self._lock:
            horizon = self._horizon.get(kind, 0)
            if version < horizon or version > newest:
                message = f"too old resource version: {version} ({newest if version > newest else horizon})"
                raise Refused(INVALID_ARGUMENT, message, reason="Expired")
            return [stored for stored in self._deleted.get(kind, ()) if stored.resource_version > version]

    def is_new(self, stored: StoredObject, version: int) -> bool:
        with self._lock:
            return self._created.get(stored.uid, 0) > version


Render = Callable[[str, StoredObject], str | None]
"""(ADDED | MODIFIED | DELETED, the object with its text) → what is sent; None sends nothing."""


class ObjectWatch:
    """One watcher: `async for batch in watch.batches(): …`; each batch is a list of rendered events.

    since: None starts with the present state as ADDED events; a resource version starts with what changed after it.
    """

    def __init__(
        self, platform: LocalPlatform, history: WatchHistory, selector: ObjectSelector, render: Render
    ) -> None:
        self._platform = platform
        self._history = history
        self._selector = selector
        self._render = render
        self._lock = threading.Lock()
        self._pending: OrderedDict[str, ObjectChange] = OrderedDict()
        self._sent: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._stop: Callable[[], None] = lambda: None
        self.version = self.served_version = 0
        """The version of the present state when the watch began; the newest version that was served."""

    def open(self, since: int | None = None) -> ObjectWatch:
        """Start to listen, before the client is promised anything. Raises Refused when `since` is too old."""
        self._stop = self._platform.subscribe(self._selector.kind, self._note)
        try:
            present, self.version = self._platform.list(self._selector.kind, self._selector.namespace, nodes=False)
            deleted = [] if since is None else self._history.deleted_since(self._selector.kind, since, self.version)
        except BaseException:
            self._stop()
            raise
        with self._lock:
            self.served_version = self.version
            for stored in deleted:
                self._sent.add(stored.uid)
                self._pending.setdefault(stored.uid, ObjectChange("DELETED", stored))
            for stored in present:
                if not self._selector.names(stored) or not self._selector.matches(stored.text):
                    continue
                if stored.kind == "Workflow":
                    stored = replace(stored, text="")  # as in its changes: read when its turn comes
                if since is None or stored.resource_version > since:
                    new = since is None or self._history.is_new(stored, since)
                    self._pending.setdefault(stored.uid, ObjectChange("ADDED" if new else "MODIFIED", stored))
                else:
                    self._sent.add(stored.uid)  # the client has seen it in its list
        return self

    def close(self) -> None:
        self._stop()

    def _note(self, change: ObjectChange) -> None:
        """In the writer's thread: mark and return."""
        if not self._selector.names(change.stored):
            return
        with self._lock:
            waiting = self._pending.get(change.stored.uid)
            if waiting is not None and waiting.type == "ADDED" and change.type == "MODIFIED":
                change = replace(change, type="ADDED")
            self._pending[change.stored.uid] = change
            first = len(self._pending) == 1
        if first and self._loop is not None and self._wake is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    def serve_now(self) -> list[str]:
        """What is due at this moment, without waiting."""
        return self._serve()[0]

    async def batches(self) -> AsyncIterator[list[str]]:
        """Rendered events, as they become due; ends when the generator is closed."""
        self._loop, self._wake = asyncio.get_running_loop(), asyncio.Event()
        self._wake.set()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                events, cost = await asyncio.to_thread(self._serve)
                if events:
                    yield events
                await asyncio.sleep(min(max(SHORTEST_PAUSE, cost / SHARE), LONGEST_PAUSE))
        finally:
            self.close()

    def _serve(self) -> tuple[list[str], float]:
        """The events that are due and the seconds of processor time that they took."""
        started = time.thread_time()
        with self._lock:
            pending, self._pending = self._pending, OrderedDict()
            self.served_version = max(
                [self.served_version, *(change.stored.resource_version for change in pending.values())]
            )
        events = []
        for change in pending.values():
            due = self._due(change)
            rendered = self._render(*due) if due else None
            if rendered is not None:
                events.append(rendered)
        return events, time.thread_time() - started

    def _due(self, change: ObjectChange) -> tuple[str, StoredObject] | None:
        """What is sent to the client: the latest state, or that the object is gone (or no longer fits its selectors)."""
        stored, uid = change.stored, change.stored.uid
        if not self._selector.names(stored):
            return None
        if change.type != "DELETED":
            # A change may be a while old when its turn comes; the state of this moment is what counts.
            place = (stored.kind, stored.namespace, stored.name)
            try:
                latest = stored if stored.text else self._platform.get(*place, nodes=self._selector.nodes)
            except Refused:
                return None  # deleted meanwhile: that event follows
            if latest.uid != uid:
                return None
            if self._selector.matches(latest.text):
                selected = bool(self._selector.labels.requirements or self._selector.fields.fields)
                new = uid not in self._sent and (change.type == "ADDED" or selected)
                self._sent.add(uid)
                return ("ADDED" if new else "MODIFIED"), latest
            stored = latest
        if uid not in self._sent and not (
            change.type == "DELETED" and stored.text and self._selector.matches(stored.text)
        ):
            return None
        self._sent.discard(uid)
        return "DELETED", stored
