"""Carries out a run's commands within a turn: rows to write, events that follow at once, actions after the turn is written.

Only launching, killing and forgetting pods act outside of this process; they stay in the outbox until they are done. Timers, locks and
objects are rows in the same transaction as the state that asked for them.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import threading
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from hera_utils.argo import claim_folders, timestamps
from hera_utils.argo.durations import seconds_or_duration
from hera_utils.argo.merge_patches import merge_patch
from hera_utils.argo.selectors import label_selector_of
from hera_utils.argo.whole_numbers import whole_number
from hera_utils.deep_folders import remove_tree
from hera_utils.errors import HeraUtilsError, InvalidWorkflow
from hera_utils.interpreter import commands as c
from hera_utils.interpreter import metrics as metrics_of_runs
from hera_utils.interpreter.events import Event, LockAnswered, ObjectRead
from hera_utils.interpreter.state import Run
from hera_utils.local_platform.artifacts import gc
from hera_utils.local_platform.artifacts.removal import ArtifactRemoval, Outcome
from hera_utils.local_platform.clock import new_uid, seed
from hera_utils.local_platform.controller.lock_table import (
    Holder,
    ImpossibleName,
    LockAnswer,
    LockRequest,
    LockTable,
    locks_of,
)
from hera_utils.local_platform.controller.metrics import Metrics
from hera_utils.local_platform.controller.outstanding import Outstanding
from hera_utils.local_platform.controller.turn import ActiveRun, Turn
from hera_utils.local_platform.pods import pod_object
from hera_utils.local_platform.pods.launcher import Launcher
from hera_utils.local_platform.storage import objects
from hera_utils.local_platform.storage.journal import Journal, encode
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import NO_POD, VISIBLE, StoredPod

Json = dict[str, Any]
EventsOfRuns = list[tuple[str, Event]]
"""(run uid, event) pairs."""
About = tuple[str, str, str, str, str]
"""(apiVersion, kind, namespace, name, uid) of the object that an event is about."""
DELETE_KEY = "hera-utils/delete"
"""The key of the timer that deletes a finished run (ttlStrategy). Keys of the interpreter never begin like this."""
COLLECT_KEY = "hera-utils/collect/"
"""The key of a timer that hides a pod (podGC) is this and the pod's uid."""
COLLECT_SECONDS = 5.0
"""Seconds from a pod's end to its deletion by podGC; Argo's default of podGC.deleteDelayDuration."""
CLAIM = "PersistentVolumeClaim"
PODLESS = ("http", "plugin")
"""Templates that run in Argo's agent, so that no pod of their own is shown."""


class Effects:
    """state: the state folder.

    on_artifacts_removed: called, from any thread, with a run's uid and the outcome for its artifacts in stores on the network.
    """

    def __init__(
        self,
        state: Path,
        journal: Journal,
        read_model: ReadModel,
        launcher: Launcher,
        artifacts: ArtifactRemoval,
        on_artifacts_removed: Callable[[str, Outcome], None],
    ) -> None:
        self._state, self._journal, self._read_model, self._launcher = state, journal, read_model, launcher
        self.artifacts = artifacts
        self._on_artifacts_removed = on_artifacts_removed
        self.metrics = Metrics()
        self.restore()

    def restore(self) -> None:
        """Read timers, locks and outstanding pods from the journal."""
        self.timers = Timers()
        for run, key, at in self._journal.read("all_timers"):
            self.timers.set(run, key, at)
        self.locks = LockTable()
        for run, key, position, granted, text in self._journal.read("all_locks"):
            request = json.loads(text)
            locks = locks_of(request["synchronization"], request["namespace"])
            holder = Holder(run, key, request["lock_key"])
            self.locks.restore(
                LockRequest(holder, locks, request["priority"], request["created"], position, bool(granted))
            )
        self.deleted = {pod for (pod,) in self._journal.read("deleted_pods")}
        """Pods that a user deleted and that have not ended yet."""
        self.outstanding = Outstanding(self._read_model)
        for pod, run, node in self._journal.read("launched_pods"):
            self.outstanding.expect((run, node), pod)
        pod_position, outbox_position, lock_position = self._journal.read("last_positions")[0]
        self._position: int = max(pod_position, outbox_position, lock_position)

    def next_position(self) -> int:
        self._position += 1
        return self._position

    def settle_pod(self, turn: Turn, key: tuple[str, str]) -> None:
        """Remove a pod's entries from the outbox, because this turn stores the pod's end."""
        pod = self.outstanding.settle(key)
        self.deleted.discard(pod)
        turn.add_statement("settle_pod", pod)

    def carry_out(self, turn: Turn, active: ActiveRun, command: c.Command) -> EventsOfRuns:
        """Add a command to the turn. Gives the events that follow at once, each with its run."""
        return _METHODS[type(command)](self, turn, active, command)

    # --- pods ---------------------------------------------------------------------------------------------------------
    def launch_pod(self, turn: Turn, active: ActiveRun, command: c.LaunchPod) -> EventsOfRuns:
        run = active.run
        name = str(command.pod["metadata"]["name"])
        for old in [p for p in self.pods_named(turn, run.namespace, name) if p.visibility == VISIBLE]:
            turn.hide_pod(old)  # the new pod of a retried node has the name of the old one
        uid = new_uid()
        body = pod_object.document(command.pod, uid=uid, namespace=run.namespace, owner=(run.name, run.uid), at=turn.at)
        status = encode(pod_object.status_when_pending(body, turn.at))
        visibility = NO_POD if any(kind in command.template for kind in PODLESS) else VISIBLE
        pod = StoredPod(
            uid, run.uid, command.node_id, run.namespace, name, turn.version, visibility, 0, "", status, body
        )
        order = {"template": command.template, "include_script_output": command.include_script_output}
        self.launch(turn, pod, order)
        return []

    def launch(self, turn: Turn, pod: StoredPod, order: Json) -> StoredPod:
        """Add a new pod, of a workflow or not, to the turn, and assign its position."""
        pod = pod._replace(position=self.next_position())
        turn.put_pod(pod, new=True)
        self.metrics.count("pods_total_count", phase="Pending", namespace=pod.namespace)
        self.outstanding.put(pod)
        turn.add_statement("put_outbox", pod.uid, "launch", pod.run, pod.node, pod.position, encode(order))

        def begin() -> None:
            self._launcher.launch(pod, order)
            self.outstanding.set_aside(pod)

        turn.after_write.append(begin)
        return pod

    def pods_named(self, turn: Turn, namespace: str, name: str) -> list[StoredPod]:
        fresh = turn.named_pods.get((namespace, name))
        return [*([turn.pods[fresh]] if fresh else []), *self._read_model.pods_named(namespace, name)]

    def kill_pod(self, turn: Turn, active: ActiveRun, command: c.KillPod) -> EventsOfRuns:
        pod = self.outstanding.get((active.run.uid, command.node_id))
        if pod is not None:
            self.deleted.discard(pod.uid)  # its run ends it: how it ends counts, not that a user deleted it
            self.kill(turn, pod, force=command.force)
        return []

    def kill_deleted(self, turn: Turn, pod: StoredPod) -> None:
        """Kill a pod that a user deletes before it has ended."""
        self.deleted.add(pod.uid)
        turn.add_statement("put_outbox", pod.uid, "delete", pod.run, pod.node, self.next_position(), encode({}))
        turn.after_write.append(lambda: self._launcher.kill(pod))

    def launch_again(self, turn: Turn, pod: StoredPod) -> None:
        """Launch another pod instead of one that has not begun."""
        order = json.loads(self._read_model.rows("get_launch", pod.uid)[0][0])
        self.settle_pod(turn, (pod.run, pod.node))
        turn.hide_pod(pod)
        uid = new_uid()
        metadata = {**pod.document["metadata"], "uid": uid, "creationTimestamp": timestamps.text(turn.at)}
        body = {**pod.document, "metadata": metadata}
        status = encode(pod_object.status_when_pending(body, turn.at))
        self.launch(turn, pod._replace(uid=uid, version=turn.version, written="", status=status, new_body=body), order)

    def kill(self, turn: Turn, pod: StoredPod, *, force: bool = False) -> None:
        turn.add_statement(
            "put_outbox", pod.uid, "kill", pod.run, pod.node, self.next_position(), encode({"force": force})
        )
        turn.after_write.append(lambda: self._launcher.kill(pod, force=force))

    def delete_pod(self, turn: Turn, active: ActiveRun, command: c.DeletePod) -> EventsOfRuns:
        selector = label_selector_of(command.selector) if command.selector else None
        for pod in self.pods_named(turn, active.run.namespace, command.pod_name):
            is_shown = pod.run == active.run.uid and pod.visibility == VISIBLE and pod.uid not in turn.hidden
            if is_shown and (selector is None or selector.matches(pod.document["metadata"].get("labels") or {})):
                self._hide_later(turn, turn.pods.get(pod.uid, pod), collect_delay(active.run.document))
        return []

    def _hide_later(self, turn: Turn, pod: StoredPod, delay: float) -> None:
        if delay <= 0:
            turn.hide_pod(pod)
            return
        key = COLLECT_KEY + pod.uid
        self.timers.set(pod.run, key, turn.at + delay)
        turn.add_statement("put_timer", pod.run, key, turn.at + delay)

    # --- timers -------------------------------------------------------------------------------------------------------
    def set_timer(self, turn: Turn, active: ActiveRun, command: c.SetTimer) -> EventsOfRuns:
        uid = active.run.uid
        if command.at:
            self.timers.set(uid, command.key, command.at)
            turn.add_statement("put_timer", uid, command.key, command.at)
        else:
            self.timers.cancel(uid, command.key)
            turn.add_statement("delete_timer", uid, command.key)
        return []

    # --- locks --------------------------------------------------------------------------------------------------------
    def ask_lock(self, turn: Turn, active: ActiveRun, command: c.AskLock) -> EventsOfRuns:
        run = active.run
        lock_key = f"{run.namespace}/{run.name}"
        if command.holder not in ("", run.name, run.uid, lock_key):
            lock_key += f"/{command.holder.rpartition('/')[2]}"
        holder = Holder(run.uid, command.holder, lock_key)
        try:
            locks = locks_of(command.synchronization, run.namespace)
            limit_of = partial(self._limit_of, turn)
            answer = self.locks.ask(limit_of, holder, locks, priority=command.priority, created=command.created_at)
        except InvalidWorkflow as error:
            # As in Argo, a lock that can never be granted is an error of the node or workflow that requests it.
            status = {"error": error.message, "bug": isinstance(error, ImpossibleName)}
            return [(run.uid, LockAnswered(turn.at, seed(), command.holder, False, error.message, status))]
        request = {
            "synchronization": command.synchronization, "namespace": run.namespace, "lock_key": lock_key,
            "priority": command.priority, "created": command.created_at,
        }  # fmt: skip
        turn.add_statement(
            "put_lock", run.uid, command.holder, self.next_position(), int(answer.granted), encode(request)
        )
        return self._answers(turn, [answer], written=True)

    def release_lock(self, turn: Turn, active: ActiveRun, command: c.ReleaseLock) -> EventsOfRuns:
        turn.add_statement("delete_lock", active.run.uid, command.holder)
        return self._release(turn, active.run.uid, command.holder)

    def release_all(self, turn: Turn, run: str) -> EventsOfRuns:
        """Release all locks of a run that has ended or was deleted, and remove its requests for locks."""
        events: EventsOfRuns = []
        turn.add_statement("delete_locks", run)
        for request in self.locks.of(run):
            events += self._release(turn, run, request.holder.key)
        return events

    def _release(self, turn: Turn, run: str, holder: str) -> EventsOfRuns:
        return self._answers(turn, self.locks.release(partial(self._limit_of, turn), run, holder))

    def run_deleted(self, turn: Turn, run: str) -> EventsOfRuns:
        """Remove the timers, locks and realtime metrics of a deleted run."""
        self.timers.cancel_all(run)
        self.metrics.forget(run)
        return self.release_all(turn, run)

    def limits_changed(self, turn: Turn) -> EventsOfRuns:
        return self._answers(turn, self.locks.limits_changed(partial(self._limit_of, turn)))

    def _answers(self, turn: Turn, answers: list[LockAnswer], *, written: bool = False) -> EventsOfRuns:
        events: EventsOfRuns = []
        for answer in answers:
            holder = answer.holder
            if answer.granted and not written:
                turn.add_statement("grant_lock", holder.run, holder.key)
            status: Json = {"holding": list(answer.names)}
            if answer.impossible:
                turn.add_statement("delete_lock", holder.run, holder.key)
                status = {"error": answer.message}
            elif not answer.granted:
                held = {name: keys for name in answer.names if (keys := self.locks.holders(name))}
                status = {"waiting": answer.waiting_for, "limit": answer.limit, "holders": held}
            events.append(
                (holder.run, LockAnswered(turn.at, seed(), holder.key, answer.granted, answer.message, status))
            )
        return events

    def _limit_of(self, turn: Turn, place: tuple[str, str, str]) -> int:
        namespace, name, key = place
        config_map = turn.look("ConfigMap", namespace, name)
        value = str(_data(config_map.text).get(key) if config_map is not None else "")
        lock = f"{namespace}/ConfigMap/{name}/{key}"
        limit = whole_number(value)
        if limit is None or (limit == 0 and not any(lock in counts for counts in self.locks.counts())):
            # Argo has one message for a missing config map, a missing key, a value that is no number, and a limit that is 0 from the
            # start. When a limit becomes 0 later, runs wait for it to rise.
            raise InvalidWorkflow(f"failed to initialize semaphore {lock} with limit")
        if limit < 0:
            raise InvalidWorkflow("semaphore: n < 0")
        return limit

    # --- objects ------------------------------------------------------------------------------------------------------
    def read_object(self, turn: Turn, active: ActiveRun, command: c.ReadObject) -> EventsOfRuns:
        stored = turn.look(command.kind, active.run.namespace, command.name)
        document = json.loads(stored.text) if stored is not None else None
        return [(active.run.uid, ObjectRead(turn.at, seed(), command.key, document))]

    def write_object(self, turn: Turn, active: ActiveRun, command: c.WriteObject) -> EventsOfRuns:
        run, manifest = active.run, dict(command.document)
        kind = str(manifest.get("kind", "ConfigMap"))
        name = str((manifest.get("metadata") or {}).get("name", ""))
        stored = turn.look(kind, run.namespace, name) if name else None
        try:
            if stored is not None:
                old = json.loads(stored.text)
                document = objects.complete_object(kind, merge_patch(old, manifest), turn.at)
                document["metadata"] = {
                    **old["metadata"],
                    **(manifest.get("metadata") or {}),
                    "uid": old["metadata"]["uid"],
                }
            else:
                document = objects.new_object(kind, run.namespace, manifest, uid=new_uid(), at=turn.at, seed=seed())
        except HeraUtilsError as error:
            self.record_event(turn, about(run), "Warning", "WorkflowObjectRefused", error.message)
            return []
        turn.put(objects.stored_object(kind, document, turn.version))
        return self.limits_changed(turn) if kind == "ConfigMap" else []

    def delete_object(self, turn: Turn, active: ActiveRun, command: c.DeleteObject) -> EventsOfRuns:
        stored = turn.look(command.kind, active.run.namespace, command.name)
        if stored is not None:
            turn.drop(stored)
        return []

    def objects_written(self, turn: Turn) -> None:
        """After a turn is written: move the folders of deleted claims away, and start pods that waited for an object."""
        gone = [
            change.stored.text for change in turn.changes if change.type == "DELETED" and change.stored.kind == CLAIM
        ]
        doomed = [folder for text in gone if (folder := _set_aside(self._state, json.loads(text)))]
        if doomed:
            # In another thread, because deleting may take long and runs wait for this one.
            threading.Thread(target=_remove, args=(doomed,), daemon=True).start()
        kinds = (CLAIM, "ConfigMap", "Secret")
        changed = (key for key, stored in turn.objects.items() if stored is not None)
        for namespace in {namespace for kind, namespace, _ in changed if kind in kinds}:
            self._launcher.objects_changed(namespace)

    def emit_event(self, turn: Turn, active: ActiveRun, command: c.EmitEvent) -> EventsOfRuns:
        self.record_event(turn, about(active.run), command.type, command.reason, command.message)
        return []

    def emit_metric(self, turn: Turn, active: ActiveRun, command: c.EmitMetric) -> EventsOfRuns:
        problem = self.metrics.emit(active.run.uid, command)
        if problem:
            metrics_of_runs.record_problem(active.run.document, problem)
        return []

    def record_event(self, turn: Turn, about: About, type_: str, reason: str, message: str) -> None:
        """Create a Kubernetes Event about an object, which is deleted together with the object."""
        version, kind, namespace, name, uid = about
        owner = {"apiVersion": version, "kind": kind, "name": name, "uid": uid}
        time = timestamps.text(turn.at)
        document = {
            "metadata": {"name": f"{name}.{new_uid().replace('-', '')[:16]}", "ownerReferences": [owner]},
            "involvedObject": {**owner, "namespace": namespace}, "reason": reason, "message": message, "type": type_, "count": 1,
            "firstTimestamp": time, "lastTimestamp": time, "source": {"component": "workflow-controller"},
        }  # fmt: skip
        with contextlib.suppress(HeraUtilsError):
            created = objects.new_object("Event", namespace, document, uid=new_uid(), at=turn.at, seed=seed())
            turn.put(objects.stored_object("Event", created, turn.version))

    # --- the end ------------------------------------------------------------------------------------------------------
    def finish(self, turn: Turn, active: ActiveRun, command: c.Finish) -> EventsOfRuns:
        if command.delete_after is not None:
            at = turn.at + command.delete_after
            self.timers.set(active.run.uid, DELETE_KEY, at)
            turn.add_statement("put_timer", active.run.uid, DELETE_KEY, at)
        self._collect_artifacts(turn, active)
        return self.release_all(turn, active.run.uid)

    def _collect_artifacts(self, turn: Turn, active: ActiveRun) -> None:
        run = active.run
        doomed = list(gc.artifacts_to_collect(run.document, gc.COMPLETION))
        on_removed = partial(self._on_artifacts_removed, run.uid)
        outcome = self.remove_artifacts(turn, run.namespace, doomed, on_removed)
        active.run.changed.update(gc.record_outcome(run.document, outcome, gc.COMPLETION)[0])

    def remove_artifacts(
        self,
        turn: Turn,
        namespace: str,
        doomed: list[tuple[str, Json, Json | None]],
        on_removed: Callable[[Outcome], None],
    ) -> Outcome:
        """Remove artifacts after the turn is written. doomed: (node id, artifact, archive location) of each.

        Gives the outcome for those in the platform's own store; `on_removed` is called later with the outcome for the others.
        """
        outcome, removal = self.artifacts.prepare(namespace, doomed, on_removed)
        turn.after_write.append(removal)
        return outcome


def about(run: Run) -> About:
    return ("argoproj.io/v1alpha1", "Workflow", run.namespace, run.name, run.uid)


def collect_delay(document: Json) -> float:
    """Seconds between a pod's end and its deletion; 0 without podGC, where only a retry deletes pods."""
    stored = (document.get("status") or {}).get("storedWorkflowTemplateSpec") or {}
    pod_gc = (document.get("spec") or {}).get("podGC") or stored.get("podGC") or {}
    if not pod_gc.get("strategy"):
        return 0.0
    try:
        delay = pod_gc.get("deleteDelayDuration")
        return seconds_or_duration(str(delay)) if delay else COLLECT_SECONDS
    except (HeraUtilsError, ValueError):
        return COLLECT_SECONDS


_METHODS: dict[type[c.Command], Callable[[Effects, Turn, ActiveRun, Any], EventsOfRuns]] = {
    c.LaunchPod: Effects.launch_pod,
    c.KillPod: Effects.kill_pod,
    c.DeletePod: Effects.delete_pod,
    c.SetTimer: Effects.set_timer,
    c.AskLock: Effects.ask_lock,
    c.ReleaseLock: Effects.release_lock,
    c.ReadObject: Effects.read_object,
    c.WriteObject: Effects.write_object,
    c.DeleteObject: Effects.delete_object,
    c.EmitEvent: Effects.emit_event,
    c.EmitMetric: Effects.emit_metric,
    c.Finish: Effects.finish,
}


@lru_cache(maxsize=4)
def _data(text: str) -> Json:
    """The data of a config map, cached because a node may ask for thousands of its keys."""
    return json.loads(text).get("data") or {}


def _set_aside(state: Path, claim: Json) -> Path | None:
    """Move a deleted claim's folder away, so that a new claim of the name is empty, as on Kubernetes. `gc` deletes the old folder later.

    A folder that the user named belongs to the user and stays. The folder of a claim that a workflow created must be deleted at once, and
    is returned for that.
    """
    folder = Path(claim_folders.folder_of_claim(claim, str(state)))
    if claim_folders.folder_chosen_by_user(claim) or not folder.exists():
        return None
    metadata = claim["metadata"]
    target = state / "claims" / ".deleted" / f"{metadata['namespace']}-{metadata['name']}-{metadata['uid']}"
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(target)
    except OSError:
        return None
    owners = metadata.get("ownerReferences") or ()
    return target if any(reference.get("kind") == "Workflow" for reference in owners) else None


def _remove(folders: list[Path]) -> None:
    for folder in folders:
        remove_tree(folder)


class Timers:
    """The timers that runs have set, by (run uid, timer key); setting a key again replaces its time."""

    def __init__(self) -> None:
        self._at: dict[tuple[str, str], float] = {}
        self._heap: list[tuple[float, tuple[str, str]]] = []

    def set(self, run: str, key: str, at: float) -> None:
        self._at[run, key] = at
        heapq.heappush(self._heap, (at, (run, key)))

    def cancel(self, run: str, key: str) -> None:
        self._at.pop((run, key), None)  # its entry in the heap is skipped later

    def cancel_all(self, run: str) -> None:
        for key in [key for key in self._at if key[0] == run]:
            del self._at[key]

    def next(self) -> float | None:
        """When the next timer is due, or None."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def first_due(self, at: float) -> tuple[str, str] | None:
        """The earliest timer that is due at that time, or None."""
        first = self.next()
        return self._heap[0][1] if first is not None and first <= at else None
