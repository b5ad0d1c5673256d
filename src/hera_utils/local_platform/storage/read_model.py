"""The committed state that readers see: kept in memory where it is small or in use, otherwise read from the journal.

The controller publishes a turn after it is written; readers of any thread see all of a turn or nothing of it.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, Protocol

from hera_utils.local_platform.storage.journal import Journal, JournalError, encode, failure
from hera_utils.local_platform.storage.owners import OwnerIndex
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

Listener = Callable[[ObjectChange], None]
CACHED_RUNS = 8
"""How many finished runs keep their text in memory: the last ones that were read."""
CACHED_SIZE = 64 * 2**20
"""Characters that the nodes of all of them may take; a single run may have more."""


class WrittenTurn(Protocol):
    """The part of a written turn of the controller that readers see."""

    version: int
    objects: dict[Key, StoredObject | None]
    """None: deleted."""
    updates: dict[str, RunUpdate]
    deleted: dict[str, StoredRun]
    pods: dict[str, StoredPod]
    new_pods: set[str]
    hidden: set[str]
    changes: list[ObjectChange]


class ReadModel:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.RLock()
        self._listeners: dict[str, list[Listener]] = {}
        self.version = int(journal.meta("version", "1"))
        self._objects: dict[Key, StoredObject] = {}
        for kind, namespace, name, uid, version, text in journal.read("all_objects"):
            self._objects[kind, namespace, name] = StoredObject(kind, namespace, name, uid, version, text)
        self.characters = sum(len(stored.text) for stored in self._objects.values())
        """Characters of all objects except runs and pods."""
        self._owners: OwnerIndex[Key] | None = None
        """Created when it is first used, because a server should start quickly."""
        self._index: dict[tuple[str, str], StoredRun] = {}
        self._by_uid: dict[str, StoredRun] = {}
        for uid, namespace, name, version, created, finished, start in journal.read("run_names"):
            self._enter(StoredRun(uid, namespace, name, version, created, finished, start=start))
        self._full: dict[str, StoredRun] = {}
        """Records of runs in progress, kept up to date."""
        self._cache: OrderedDict[str, StoredRun] = OrderedDict()
        self._newest: tuple[str, int, list[StoredRun]] = ("", 0, [])
        self._owners_of_runs: OwnerIndex[str] | None = None
        """By the uids of runs. Created when it is first used."""
        self._annotations: tuple[str, int, dict[str, str]] = ("", 0, {})

    def _enter(self, record: StoredRun) -> None:
        self._index[record.namespace, record.name] = record
        self._by_uid[record.uid] = record

    # --- reading -----------------------------------------------------------------------------------------------------
    def object(self, key: Key) -> StoredObject | None:
        with self._lock:
            return self._objects.get(key)

    def objects(self, kind: str, namespace: str = "") -> list[StoredObject]:
        with self._lock:
            objects = [s for k, s in self._objects.items() if k[0] == kind and (not namespace or k[1] == namespace)]
        return sorted(objects, key=lambda stored: (stored.namespace, stored.name))

    def all_objects(self) -> list[StoredObject]:
        with self._lock:
            return list(self._objects.values())

    def owned_by(self, uid: str) -> list[StoredObject]:
        """The objects whose owner references name that uid (Kubernetes collects them with their owner)."""
        with self._lock:
            if self._owners is None:
                self._owners = OwnerIndex()
                for key, stored in self._objects.items():
                    self._owners.put(key, stored.text)
            return [self._objects[key] for key in self._owners.of(uid)]

    def run(self, namespace: str, name: str) -> StoredRun | None:
        """The record of a run, with names and versions only; `workflow` gives the rest."""
        with self._lock:
            return self._index.get((namespace, name))

    def annotations(self, uid: str) -> dict[str, str]:
        """The annotations of a run, not to be modified; {} when there is no such run. The last ones are cached, for all pods of a turn."""
        with self._lock:
            full = self._full.get(uid) or self._cache.get(uid)
            known, version, annotations = self._annotations
            if full is not None and (known, version) == (uid, full.version):
                return annotations
        if full is None:
            full = self.load(uid, with_nodes=False)
        annotations = json.loads(full.metadata).get("annotations") or {} if full is not None else {}
        if full is not None:
            self._annotations = (uid, full.version, annotations)
        return annotations

    def secrets_of(self, namespace: str) -> Callable[[str, str], str | None]:
        """A function that looks up (secret, key) in a namespace: the value, its bytes as latin-1; None when there is no such key."""

        def value(name: str, key: str) -> str | None:
            secret = self.object(("Secret", namespace, name))
            text = (json.loads(secret.text).get("data") or {}).get(key) if secret is not None else None
            return base64.b64decode(text).decode("latin-1") if text is not None else None

        return value

    def run_of_uid(self, uid: str) -> StoredRun | None:
        with self._lock:
            return self._by_uid.get(uid)

    def runs(self, namespace: str = "") -> list[StoredRun]:
        with self._lock:
            records = [r for r in self._by_uid.values() if not namespace or r.namespace == namespace]
        return sorted(records, key=lambda record: (record.namespace, record.name))

    def owned_runs(self, owner: str) -> list[StoredRun]:
        """The runs whose owner references name that uid."""
        with self._lock:
            if self._owners_of_runs is None:
                self._owners_of_runs = OwnerIndex()
                for uid, metadata in self.rows("owned_runs"):
                    self._owners_of_runs.put(uid, _object_with(metadata))
            return [self._by_uid[uid] for uid in self._owners_of_runs.of(owner) if uid in self._by_uid]

    def newest(self, namespace: str = "") -> list[StoredRun]:
        """Names and versions of the runs in Argo's order: first those that have not started, then the last started first."""
        with self._lock:
            known, version, listed = self._newest
            if (known, version) == (namespace, self.version):
                return listed  # a client asks for the next page of its list
            records = [r for r in self._by_uid.values() if not namespace or r.namespace == namespace]
            keyed = [(record.started or "9", record.name, record) for record in records]
            keyed.sort(key=itemgetter(0, 1), reverse=True)
            listed = [record for _, _, record in keyed]
            self._newest = (namespace, self.version, listed)
            return listed

    def workflow(
        self, uid: str, *, with_nodes: bool = True, messages: dict[str, str] | None = None
    ) -> StoredObject | None:
        """A run's latest published state as a Workflow; None when there is no such run. messages: as in StoredRun.text."""
        with self._lock:
            full = self._full.get(uid) or self._cache.get(uid)
            if full is not None:
                if uid in self._cache:
                    self._cache.move_to_end(uid)
                return full.as_object(with_nodes=with_nodes, messages=messages)
            indexed = self._by_uid.get(uid)
        if indexed is None:
            return None
        record = self.load(uid, with_nodes=with_nodes)
        if record is None:
            return None
        with self._lock:
            # Only a finished run that no turn has changed since it was read may be cached.
            if (
                with_nodes
                and uid not in self._full
                and self._by_uid.get(uid) is indexed
                and indexed.version == record.version
            ):
                self._remember(record)
        return record.as_object(with_nodes=with_nodes)

    def headers(self, namespace: str = "") -> list[StoredObject]:
        """All runs as Workflows without their nodes, sorted by name. Those that are not in memory are read with one query."""
        with self._lock:
            records = self.runs(namespace)
            known = {uid: record for held in (self._cache, self._full) for uid, record in held.items()}
            if any(record.uid not in known for record in records):
                rows = self.rows("headers", namespace, namespace)
                known = {row[0]: StoredRun(*row) for row in rows if row[0] not in known} | known
            return [known[record.uid].as_object(with_nodes=False) for record in records if record.uid in known]

    def load(self, uid: str, *, with_nodes: bool = True) -> StoredRun | None:
        """A run's record from the journal; None when there is no such run."""
        rows = self.rows("get_run", uid)
        if not rows:
            return None
        record = StoredRun(*rows[0])
        if with_nodes:
            record.nodes = dict(self.rows("run_nodes", uid))
            for node, group in itertools.groupby(self.rows("run_children", uid), key=itemgetter(0)):
                if node in record.nodes:
                    children = encode([child for _, child in group])[1:-1]
                    record.nodes[node] = with_children(record.nodes[node], children)
        return record

    def pods_of_run(self, run: str) -> list[StoredPod]:
        return [StoredPod(*row) for row in self.rows("run_pods", run)]

    def pods(self, namespace: str = "") -> list[StoredPod]:
        return [StoredPod(*row) for row in self.rows("all_pods", namespace, namespace)]

    def pods_named(self, namespace: str, name: str) -> list[StoredPod]:
        """All pods with a name, the oldest first, including those that podGC has hidden."""
        return [StoredPod(*row) for row in self.rows("named_pods", namespace, name)]

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._journal.read(statement, *values)
        except JournalError as error:
            raise failure(self._journal.path, error) from error

    def subscribe(self, kind: str, listener: Listener) -> Callable[[], None]:
        with self._lock:
            self._listeners.setdefault(kind, []).append(listener)

        def stop() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._listeners[kind].remove(listener)

        return stop

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Block publishing: everything that is read inside belongs to one version."""
        with self._lock:
            yield

    # --- publishing: the controller's thread -------------------------------------------------------------------------
    def publish(self, turn: WrittenTurn) -> None:
        """Show readers a turn that was written, and call the listeners."""
        changes = list(turn.changes)
        with self._lock:
            self.version = turn.version
            for key, stored in turn.objects.items():
                self._replace(key, stored)
            for update in turn.updates.values():
                if update.record.uid not in turn.deleted:
                    what = "ADDED" if update.fresh else "MODIFIED"
                    over = update.record.finished is not None
                    changes.append(ObjectChange(what, self._publish_run(update), over))
            for uid, record in turn.deleted.items():
                self.release(uid)
                self._cache.pop(uid, None)
                if self._by_uid.pop(uid, None) is not None:
                    del self._index[record.namespace, record.name]
            listeners = {
                kind: list(listeners_of_kind)
                for kind, listeners_of_kind in self._listeners.items()
                if listeners_of_kind
            }
        if listeners.get("Pod"):
            for pod in (
                pod
                for pod in turn.pods.values()
                if pod.visibility == VISIBLE and pod.uid not in turn.hidden and pod.run not in turn.deleted
            ):
                changes.append(ObjectChange("ADDED" if pod.uid in turn.new_pods else "MODIFIED", pod.as_object()))
        for change in changes:
            for listener in listeners.get(change.stored.kind, ()):
                listener(change)

    def _replace(self, key: Key, stored: StoredObject | None) -> None:
        before = self._objects.pop(key, None)
        if before is not None:
            self.characters -= len(before.text)
            if self._owners is not None:
                self._owners.drop(key, before.text)
        if stored is not None:
            self._objects[key] = stored
            self.characters += len(stored.text)
            if self._owners is not None:
                self._owners.put(key, stored.text)

    def _publish_run(self, update: RunUpdate) -> StoredObject:
        record = update.record
        full = self._full.get(record.uid)
        if full is None:
            full = self._full[record.uid] = record
            self._cache.pop(record.uid, None)
        nodes = full.nodes
        for name in ("version", "finished", "metadata", "spec", "status", "templates"):
            setattr(full, name, getattr(record, name))
        for node, text in update.nodes.items():
            if text is None:
                nodes.pop(node, None)
            else:
                nodes[node] = update.whole_nodes.get(node, text)
        self._enter(full)
        if update.fresh and self._owners_of_runs is not None:
            self._owners_of_runs.put(record.uid, _object_with(record.metadata))
        return full.as_object(with_text=False)

    def hold(self, record: StoredRun) -> None:
        """Keep a run in memory, because it is in progress (again)."""
        with self._lock:
            self._cache.pop(record.uid, None)
            self._full[record.uid] = record
            self._enter(record)

    def release(self, uid: str) -> None:
        """Keep a run in the journal only, because it no longer changes."""
        with self._lock:
            full = self._full.pop(uid, None)
            if full is not None and uid in self._by_uid:
                name = (full.uid, full.namespace, full.name, full.version, full.created, full.finished)
                self._enter(StoredRun(*name, start=full.started))
                self._remember(full)

    def _remember(self, record: StoredRun) -> None:
        """Cache the text of a finished run for its next readers."""
        self._cache[record.uid] = record.compact()
        sizes = [len(cached.joined) for cached in self._cache.values()]
        while len(sizes) > 1 and (len(sizes) > CACHED_RUNS or sum(sizes) > CACHED_SIZE):
            self._cache.popitem(last=False)
            del sizes[0]


def _object_with(metadata: str) -> str:
    """An object with nothing but this metadata, as JSON."""
    return f'{{"metadata":{metadata}}}'
