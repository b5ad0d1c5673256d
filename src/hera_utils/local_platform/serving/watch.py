"""Watches of objects: each watcher gets the latest state of changed objects, coalesced, never a queue of changes.

An Argo event carries the whole workflow, so a queue for each watcher would cost O(n²) bytes for n tasks. A watcher therefore remembers
only *which* objects changed; when its turn comes, it reads their latest state. It is served at most ten times a second, and less often
when its documents are large or there are many watchers: neither side should need more than a few hundredths of one core for them, and
the server not more than a fifth for all (`pause_after`). The last change is never lost, and the end of a run is sent at once.

    writer's thread ── listener: mark the object ──▶ pending {uid: change} ── at its turn ──▶ latest text ──▶ the watcher's client
                                                                                                 └ shared by all watchers (latest.py)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from hera_utils.argo.faults import INVALID_ARGUMENT
from hera_utils.argo.selectors import FieldSelector, LabelSelector, field_value
from hera_utils.errors import Refused
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.serving.latest import Latest
from hera_utils.local_platform.storage.records import Key, ObjectChange, StoredObject

Json = dict[str, Any]

SHORTEST_PAUSE = 0.1
"""Seconds between two turns of a watcher."""
LONGEST_PAUSE = 15.0
SHARE = 0.02
"""The share of one core that a watcher's documents may cost the server."""
SHARE_OF_ALL = 0.2
"""The same for all watchers together, with the time that sending takes: requests wait while the server sends."""
SENDING_SECONDS = 2e-9
"""Seconds to send a byte."""
CLIENT_SHARE = 0.03
"""The share of one core that they may cost the client, which decodes them: in Go, Python or a browser a megabyte takes about 15 ms."""
CLIENT_SECONDS = 15e-9
"""Seconds of a client to decode a byte (a character of ASCII text)."""

_BATCH = 2**20
_THREADS = 2
_REMEMBERED_DELETIONS = 1000
_REMEMBERED_CHARACTERS = 16_000_000
"""Characters of the deleted objects of a kind that are remembered: a run of 20,000 pods has thirty million."""
_DECODER = json.JSONDecoder()
_METADATA_FIRST = '{"metadata":'


def pause_after(cost: float, size: int, watchers: int = 1) -> float:
    """Seconds until a watcher's next turn. cost: seconds of our processor time for the last one; size: bytes of its texts; watchers: the
    number of all watchers.
    """
    of_all = (cost + size * SENDING_SECONDS) * watchers / SHARE_OF_ALL
    return min(max(SHORTEST_PAUSE, cost / SHARE, size * CLIENT_SECONDS / CLIENT_SHARE, of_all), LONGEST_PAUSE)


def metadata_of(text: str) -> Json:
    """The metadata of a stored object's text, without parsing the rest of a document that may be megabytes."""
    if text.startswith(_METADATA_FIRST):
        metadata, _ = _DECODER.raw_decode(text, len(_METADATA_FIRST))
    else:
        metadata = json.loads(text).get("metadata", {})
    return metadata if isinstance(metadata, dict) else {}


def status_of(stored: StoredObject) -> Json:
    """The status of a workflow, without parsing the text before it where its position is known."""
    if stored.status_at:
        status = _DECODER.raw_decode(stored.text, stored.status_at)[0]
    else:
        status = json.loads(stored.text).get("status")
    return status if isinstance(status, dict) else {}


@dataclass(frozen=True)
class ObjectSelector:
    """Selects objects: by kind, namespace ("" = any) and two selectors. nodes=False: workflows come without status.nodes."""

    kind: str
    namespace: str = ""
    labels: LabelSelector = field(default_factory=LabelSelector)
    fields: FieldSelector = field(default_factory=FieldSelector)
    nodes: bool = True

    def names(self, stored: StoredObject) -> bool:
        """Whether the object may match, by its name and namespace."""
        if self.namespace and stored.namespace != self.namespace:
            return False
        for path, value in (("metadata.name", stored.name), ("metadata.namespace", stored.namespace)):
            required = self.fields.required_value(path)
            if required is not None and required != value:
                return False
        return True

    def matches(self, text: str) -> bool:
        """Whether the text of an object of the right namespace matches the selectors."""
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
    """What a watcher that reconnects needs beside the present state: deletions, and which objects are new.

    Kept in memory while the server runs. To an older version the answer is `Gone`, and the client lists again.
    """

    def __init__(self, platform: LocalPlatform, kinds: Iterable[str]) -> None:
        self._platform = platform
        self._lock = threading.Lock()
        self._created: dict[str, int] = {}
        self._deleted: dict[str, deque[StoredObject]] = {}
        self._characters: Counter[str] = Counter()
        self._horizon: dict[str, int] = {}
        self.latest = Latest(platform)
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="watch")
        """The threads of watchers and of readers of logs: hundreds of them take no thread from other requests."""
        for kind in kinds:
            self._deleted[kind] = deque()
            platform.subscribe(kind, self._note)
        version = platform.list("Namespace")[1]  # the version of the whole store, whichever kind is listed
        self._horizon.update(dict.fromkeys(self._deleted, version))

    def _note(self, change: ObjectChange) -> None:
        stored = change.stored
        # A deleted object keeps its last version, but the version of its deletion is needed.
        if change.type == "DELETED":
            stored = replace(stored, resource_version=self._platform.list("Namespace")[1])
        with self._lock:
            if change.type == "ADDED":
                self._created.setdefault(stored.uid, stored.resource_version)
            elif change.type == "DELETED":
                self._created.pop(stored.uid, None)
                deleted = self._deleted[stored.kind]
                deleted.append(stored)
                self._characters[stored.kind] += len(stored.text)
                while len(deleted) > _REMEMBERED_DELETIONS or self._characters[stored.kind] > _REMEMBERED_CHARACTERS:
                    oldest = deleted.popleft()
                    self._characters[stored.kind] -= len(oldest.text)
                    self._horizon[stored.kind] = oldest.resource_version

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
"""(ADDED | MODIFIED | DELETED, the object with its text) → the text of the event; None for no event."""


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
        self._urgent: asyncio.Event | None = None
        self._ended: set[str] = set()
        self._stop: Callable[[], None] = lambda: None
        self.version = self.served_version = 0
        """The version of the present state when the watch began; the newest version that was sent."""

    def open(self, since: int | None = None) -> ObjectWatch:
        """Start to listen, before the reply to the client begins. Raises Refused when `since` is too old."""
        stop = self._platform.subscribe(self._selector.kind, self._note)
        self._history.latest.enter()

        def leave() -> None:
            self._stop = lambda: None
            stop()
            self._history.latest.leave()

        self._stop = leave
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
                    # The text is read when the object's turn comes, as for its changes.
                    stored = replace(stored, text="")
                if since is None or stored.resource_version > since:
                    new = since is None or self._history.is_new(stored, since)
                    self._pending.setdefault(stored.uid, ObjectChange("ADDED" if new else "MODIFIED", stored))
                else:
                    self._sent.add(stored.uid)  # the client has seen it in its list
        return self

    def close(self) -> None:
        self._stop()

    def _note(self, change: ObjectChange) -> None:
        """Mark a changed object. Called in the writer's thread, so it returns at once."""
        if not self._selector.names(change.stored):
            return
        with self._lock:
            waiting = self._pending.get(change.stored.uid)
            if waiting is not None and waiting.type == "ADDED" and change.type == "MODIFIED":
                change = replace(change, type="ADDED")
            self._pending[change.stored.uid] = change
            first = len(self._pending) == 1
            ends = (change.over or change.type == "DELETED") and change.stored.uid not in self._ended
            (self._ended.add if change.over else self._ended.discard)(change.stored.uid)
        if first:
            self._set(self._wake)
        if ends:
            self._set(self._urgent)

    def _set(self, event: asyncio.Event | None) -> None:
        """Set an event of the loop, from any thread. It does nothing before `batches` runs: nothing waits for the event then."""
        if event is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(event.set)

    def serve_now(self) -> list[str]:
        """The next events that are due at this moment, without waiting; [] when there are no more."""
        return self._serve()[0]

    async def batches(self) -> AsyncIterator[list[str]]:
        """Rendered events, as they become due; ends when the generator is closed."""
        self._wake, self._urgent = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._wake.set()
        # A watcher of one run gets its end at once; a watcher of many runs gets their ends no sooner than other changes.
        least = 0.0 if self._selector.fields.required_value("metadata.name") else SHORTEST_PAUSE
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                self._urgent.clear()
                events, pause = await self._loop.run_in_executor(self._history.threads, self._serve)
                if events:
                    yield events
                await asyncio.sleep(least)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._urgent.wait(), pause - least)
        finally:
            self.close()

    def _serve(self) -> tuple[list[str], float]:
        """The events that are due, up to _BATCH characters, and how many seconds to pause after them. The bound limits what each watcher
        keeps in memory until its client has received it.
        """
        started = time.thread_time()
        events, size = list[str](), 0
        for _ in range(len(self._pending)):  # an outdated object is put back, for the next turn
            with self._lock:
                _, change = self._pending.popitem(last=False)
                self.served_version = max(self.served_version, change.stored.resource_version)
            due = self._due(change)
            rendered = self._render(*due) if due else None
            if rendered is not None:
                events.append(rendered)
                size += len(rendered)
            if size >= _BATCH:
                break
        if self._pending:
            self._set(self._wake)
        return events, pause_after(time.thread_time() - started, size, self._history.latest.watchers)

    def _due(self, change: ObjectChange) -> tuple[str, StoredObject] | None:
        """(type, object) of the event to send: the latest state, or DELETED when the object is deleted or matches no longer."""
        stored, uid = change.stored, change.stored.uid
        if not self._selector.names(stored):
            return None
        if change.type != "DELETED":
            # The change may be old when its turn comes, so the state of this moment is sent.
            place = (stored.kind, stored.namespace, stored.name)
            try:
                latest = stored if stored.text else self._latest(change, place)
            except Refused:
                return None  # the object has been deleted meanwhile: that event follows
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

    def _latest(self, change: ObjectChange, place: Key) -> StoredObject:
        """The workflow's latest state, or an outdated one that is shared with other watchers; then the object is marked again."""
        uid = change.stored.uid
        new = change.over or change.type == "ADDED" or uid not in self._sent
        latest, stale = self._history.latest.get(place, nodes=self._selector.nodes, at_once=new)
        if stale:
            with self._lock:
                self._pending.setdefault(uid, change)
                first = len(self._pending) == 1
            if first:
                self._set(self._wake)
        return latest
