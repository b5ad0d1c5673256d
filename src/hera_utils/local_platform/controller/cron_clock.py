"""The clock of cron workflows: starts due workflows, counts ended ones, and deletes those beyond the history limits.

interpreter.cron decides what is to be done at each time; here one thread waits for that time and asks the platform to act. It follows
the changes of workflows that cron workflows own, so that they are listed only once, when the server starts.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from hera_utils.argo.faults import ALREADY_EXISTS
from hera_utils.errors import HeraUtilsError, Refused
from hera_utils.interpreter.cron import cron_workflow
from hera_utils.interpreter.cron.schedules import ScheduleError
from hera_utils.interpreter.events import Event, ShutdownRequested
from hera_utils.interpreter.submission import CRON_LABEL
from hera_utils.local_platform.clock import now
from hera_utils.local_platform.controller.controller import Controller
from hera_utils.local_platform.controller.turn import Turn
from hera_utils.local_platform.storage import objects
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import ObjectChange, StoredObject

log = logging.getLogger(__name__)
Json = dict[str, Any]
Key = tuple[str, str]
"""(namespace, name) of a cron workflow."""
LONGEST_WAIT = 10.0
"""Seconds within which it is noticed that the machine slept or that its clock was set."""


_MISSING = re.compile(r'(cluster)?workflowtemplates\.argoproj\.io "([^"]*)" not found')


def _missing(cluster: str | None, name: str, namespace: str) -> str:
    """The words of Argo's controller about a template that does not exist; its server says it in Kubernetes' words."""
    if cluster:
        return f'ClusterWorkflowTemplate Informer cannot find ClusterWorkflowTemplate of name "{name}"'
    return f'WorkflowTemplate Informer cannot find WorkflowTemplate of name "{name}" in namespace "{namespace}"'


class Workflows(Protocol):
    """The methods of the local platform that the clock uses."""

    def subscribe(self, kind: str, listener: Callable[[ObjectChange], None]) -> Callable[[], None]: ...
    def submit(self, namespace: str, document: Json) -> StoredObject: ...
    def act(self, namespace: str, name: str, event: Event) -> StoredObject: ...
    def delete(self, kind: str, namespace: str, name: str) -> StoredObject: ...
    def lint(self, namespace: str, document: Json, kind: str) -> Json: ...


@dataclass
class _Entry:
    """A cron workflow. next: when it is due, None for never. children: the workflows that it owns, by uid."""

    uid: str
    next: float | None = None
    children: dict[str, cron_workflow.Child] = field(default_factory=dict)


@dataclass
class CronCounts:
    """Counts since the server started: started workflows, applied concurrency policies, errors by cause."""

    triggered: Counter[Key] = field(default_factory=Counter)
    limited: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


class CronClock:
    def __init__(self, platform: Workflows, controller: Controller, read_model: ReadModel) -> None:
        self._platform, self._controller, self._read_model = platform, controller, read_model
        self.counts = CronCounts()
        self._entries: dict[Key, _Entry] = {}
        self._owners: dict[str, Key] = {}
        """uid of a workflow → the cron workflow that owns it."""
        self._inbox: queue.SimpleQueue[ObjectChange | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="cron", daemon=True)

    def start(self) -> None:
        self._platform.subscribe("CronWorkflow", self._inbox.put)
        self._platform.subscribe("Workflow", self._on_workflow_change)
        self._thread.start()

    def stop(self) -> None:
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _on_workflow_change(self, change: ObjectChange) -> None:
        """Queue the change of a workflow if it is new or belongs to a cron workflow. The controller's thread calls this."""
        if self._entries and (change.type == "ADDED" or change.stored.uid in self._owners):
            self._inbox.put(change)

    # --- the loop -----------------------------------------------------------------------------------------------------
    def _loop(self) -> None:
        self._log_errors(self._begin)
        while True:
            changes = self._gather()
            if changes is None:
                return
            for key in [key for key, entry in self._entries.items() if entry.next is not None and entry.next <= now()]:
                self._log_errors(lambda key=key: self._fire(key))  # type: ignore[misc]
            for change in changes:
                self._log_errors(lambda change=change: self._take(change))  # type: ignore[misc]

    def _log_errors(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception:
            log.exception("a cron workflow could not be processed")

    def _gather(self) -> list[ObjectChange] | None:
        """The waiting changes, only the last one of each object, after waiting for a change or a due time."""
        changes: dict[tuple[str, str], ObjectChange] = {}
        due = [entry.next for entry in self._entries.values() if entry.next is not None]
        try:
            change = self._inbox.get(timeout=min(max(0.0, min(due) - now()), LONGEST_WAIT) if due else None)
            while change is not None:
                earlier = changes.pop((change.stored.kind, change.stored.uid), change)
                is_new = earlier.type == "ADDED" and change.type == "MODIFIED"
                changes[change.stored.kind, change.stored.uid] = (
                    ObjectChange("ADDED", change.stored) if is_new else change
                )
                change = self._inbox.get_nowait()
            return None
        except queue.Empty:
            return list(changes.values())

    def _begin(self) -> None:
        stored_crons = self._read_model.objects("CronWorkflow")
        if not stored_crons:
            return
        for stored in stored_crons:
            self._entries[stored.namespace, stored.name] = _Entry(stored.uid)
        for record in self._read_model.runs():
            self._know(record.uid)
        for stored in stored_crons:
            self._log_errors(lambda stored=stored: self._settle((stored.namespace, stored.name)))  # type: ignore[misc]
            self._log_errors(lambda stored=stored: self._schedule((stored.namespace, stored.name)))  # type: ignore[misc]

    def _take(self, change: ObjectChange) -> None:
        stored = change.stored
        if stored.kind == "Workflow":
            key = self._forget(stored.uid) if change.type == "DELETED" else self._know(stored.uid)
            if key is not None and key in self._entries:
                self._settle(key)
            return
        key = (stored.namespace, stored.name)
        entry = self._entries.get(key)
        if entry is not None and entry.uid != stored.uid or change.type == "DELETED":
            self._remove(key)
        if change.type != "DELETED":
            self._entries.setdefault(key, _Entry(stored.uid))
            self._settle(key)
            self._schedule(key)

    def _remove(self, key: Key) -> None:
        """Delete the workflows that a deleted cron workflow owned, as Kubernetes does."""
        entry = self._entries.pop(key, None)
        for child in entry.children.values() if entry is not None else ():
            self._owners.pop(child.uid, None)
            with contextlib.suppress(Refused):
                self._platform.delete("Workflow", key[0], child.name)

    # --- its workflows ------------------------------------------------------------------------------------------------
    def _know(self, uid: str) -> Key | None:
        """Record a workflow among its owner's children. Gives the key of the owning cron workflow if the workflow is new or has ended."""
        record = self._read_model.run_of_uid(uid)
        key = self._owners.get(uid)
        if record is None or (key is not None and record.finished is None):
            return None
        stored = self._read_model.workflow(uid, with_nodes=False)
        if stored is None or f'"{CRON_LABEL}"' not in stored.text and key is None and "CronWorkflow" not in stored.text:
            return None
        document = json.loads(stored.text)
        key = key or self._owner_of(document["metadata"])
        entry = self._entries.get(key) if key is not None else None
        if key is None or entry is None:
            return None
        status, labels = document.get("status") or {}, document["metadata"].get("labels") or {}
        self._owners[uid] = key
        entry.children[uid] = cron_workflow.Child(
            stored.name,
            uid,
            str(stored.resource_version),
            str(status.get("phase") or ""),
            str(status.get("finishedAt") or ""),
            labels.get(CRON_LABEL) == key[1],
        )
        return key

    def _owner_of(self, metadata: Json) -> Key | None:
        for reference in metadata.get("ownerReferences") or ():
            key = (str(metadata["namespace"]), str(reference.get("name")))
            entry = self._entries.get(key)
            if reference.get("controller") and entry is not None and entry.uid == reference.get("uid"):
                return key
        return None

    def _forget(self, uid: str) -> Key | None:
        key = self._owners.pop(uid, None)
        if key is not None and key in self._entries:
            self._entries[key].children.pop(uid, None)
        return key

    def _settle(self, key: Key) -> None:
        document = self._document(key)
        if document is None:
            return
        new, doomed = cron_workflow.settle(document, self._entries[key].children.values(), now())
        self._write(key, new)
        for name in doomed:
            with contextlib.suppress(Refused):
                self._platform.delete("Workflow", key[0], name)

    # --- its times ----------------------------------------------------------------------------------------------------
    def _schedule(self, key: Key) -> None:
        """Handle a new or changed cron workflow: run a missed time now, and compute the next time.

        One that is not valid keeps its times: each of them says so in a condition, until what it refers to is there again. It has none
        if a schedule cannot be read: a machine may not know the time zone that another one stored.
        """
        document = self._document(key)
        entry = self._entries[key]
        entry.next = None
        if document is None or cron_workflow.is_labelled(document):
            return
        with contextlib.suppress(ScheduleError):
            missed = cron_workflow.missed_time(document, now())
            if missed is not None and not self._fault(key, document):
                self._run(key, document, missed)
            entry.next = cron_workflow.next_time(document, now())

    def _fire(self, key: Key) -> None:
        entry, document = self._entries[key], self._document(key)
        scheduled, entry.next = entry.next, None
        if document is None or scheduled is None:
            return
        self._run(key, document, scheduled)
        entry.next = cron_workflow.next_time(document, now())

    def _run(self, key: Key, document: Json, scheduled: float) -> None:
        decision = cron_workflow.decide(document, scheduled, now(), self._fault(key, document))
        if decision.policy:
            self.counts.limited[(*key, decision.policy)] += 1
        for name in decision.terminate:
            with contextlib.suppress(Refused):  # it may have ended, be ending, or be deleted
                self._platform.act(key[0], name, ShutdownRequested(0.0, strategy="Terminate"))
        new = decision.document
        if decision.start is not None:
            self.counts.triggered[key] += 1
            try:
                stored = self._platform.submit(key[0], decision.start)
                new = cron_workflow.with_started(new, scheduled, _child(stored))
            except Refused as refused:
                if refused.code != ALREADY_EXISTS:  # the workflow of this time exists already
                    new = cron_workflow.with_refused(new, f"Failed to submit Workflow: {refused}")
            except HeraUtilsError as error:
                new = cron_workflow.with_refused(new, f"Failed to submit Workflow: {error}")
        for kind in cron_workflow.new_faults(document, new):
            self.counts.errors[f"CronWorkflow{kind}"] += 1
        self._write(key, new)

    def _fault(self, key: Key, document: Json) -> str:
        try:
            self._platform.lint(key[0], document, "CronWorkflow")
        except HeraUtilsError as error:
            return _MISSING.sub(lambda found: _missing(found[1], found[2], key[0]), error.message)
        return ""

    # --- its document -------------------------------------------------------------------------------------------------
    def _document(self, key: Key) -> Json | None:
        stored = self._read_model.object(("CronWorkflow", *key))
        document: Json | None = json.loads(stored.text) if stored is not None else None
        return document

    def _write(self, key: Key, new: Json) -> None:
        """Store the status, the label and the annotation that the clock maintains; users' changes in the meantime stay."""

        def act(turn: Turn) -> Callable[[], None]:
            known = turn.look("CronWorkflow", *key)
            old = json.loads(known.text) if known is not None else {}
            if known is None or old["metadata"]["uid"] != new["metadata"]["uid"]:
                return lambda: None
            document = {**old, "metadata": dict(old["metadata"])}
            if cron_workflow.status_of(old) != new["status"]:
                document["status"] = new["status"]
            for part, name in (
                ("labels", cron_workflow.COMPLETED_LABEL),
                ("annotations", cron_workflow.SCHEDULE_ANNOTATION),
            ):
                value = (new["metadata"].get(part) or {}).get(name)
                if value is not None:
                    document["metadata"][part] = {**(old["metadata"].get(part) or {}), name: value}
            if document != old:
                replaced = objects.updated_document("CronWorkflow", old, document, turn.at)
                turn.put(objects.stored_object("CronWorkflow", replaced, turn.version))
            return lambda: None

        self._controller.call(act)


def _child(stored: StoredObject) -> cron_workflow.Child:
    return cron_workflow.Child(stored.name, stored.uid, str(stored.resource_version), "", "")
