"""What a run's commands mean for the turn they were given in: rows to write, answers to give at once, things to do afterwards.

Only launching, killing and forgetting pods leave the process; they wait in the outbox until they are settled. Timers, locks and
objects are rows of the same transaction as the state that asked for them.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from hera_utils.argo import timestamps
from hera_utils.argo.durations import seconds_or_duration
from hera_utils.errors import HeraUtilsError, InvalidWorkflow
from hera_utils.interpreter import commands as c
from hera_utils.interpreter import metrics
from hera_utils.interpreter.events import Event, LockAnswered, ObjectRead
from hera_utils.interpreter.state import Run
from hera_utils.local_platform.artifacts import gc
from hera_utils.local_platform.clock import Timers, new_uid, seed
from hera_utils.local_platform.controller.locks import Answer, Asked, Holder, LockTable, wanted_locks
from hera_utils.local_platform.controller.metrics import Meters
from hera_utils.local_platform.controller.turn import Active, Turn
from hera_utils.local_platform.pods import pod_object
from hera_utils.local_platform.pods.launcher import Outcome
from hera_utils.local_platform.pods.pod.store import key_of
from hera_utils.local_platform.storage import objects
from hera_utils.local_platform.storage.journal import Journal, encode
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import StoredPod

Json = dict[str, Any]
Answers = list[tuple[str, Event]]
About = tuple[str, str, str, str, str]
"""(apiVersion, kind, namespace, name, uid) of the object that an event is about."""
DELETE_KEY = "hera-utils/delete"
"""The timer by which a finished run deletes itself (ttlStrategy). Interpreters' own keys never begin so."""
COLLECT_KEY = "hera-utils/collect/"
"""Timers that hide a pod (podGC) are called so, with the pod's uid."""
COLLECT_SECONDS = 5.0
"""Argo: so long after its end a pod goes, unless podGC.deleteDelayDuration says otherwise."""
PODLESS = ("http", "plugin")
"""Templates that run in Argo's agent: no pod of their own is shown."""


class Hands(Protocol):
    """What is done outside of the journal, after a turn was written (launching.Launcher)."""

    def launch(self, pod: StoredPod, order: Json) -> None: ...
    def kill(self, pod: StoredPod, *, force: bool = False) -> None: ...
    def forget(self, pod_uid: str) -> None: ...
    def remove_artifacts(self, namespace: str, keys: list[str]) -> None: ...
    def elsewhere(self, namespace: str, artifact: Json, archive: Json | None) -> Json | None: ...
    def remove_elsewhere(self, doomed: list[tuple[str, Json, Json]], told: Callable[[Outcome], None]) -> None: ...
    def objects_changed(self, kind: str, namespace: str) -> None: ...


class Orders:
    def __init__(self, journal: Journal, read_model: ReadModel, hands: Hands) -> None:
        self._journal, self._read_model, self._hands = journal, read_model, hands
        self.meters = Meters()
        self.collected: Callable[[str, Outcome], None] = lambda run, outcome: None
        """Told, from any thread, what became of a run's artifacts in stores on the network."""
        self.restore()

    def restore(self) -> None:
        """Timers, locks and outstanding pods as the journal has them."""
        self.timers = Timers()
        for run, key, at in self._journal.read("all_timers"):
            self.timers.set(run, key, at)
        self._turn: Turn | None = None
        self.locks = LockTable(self._limit_of)
        for run, holder, position, granted, text in self._journal.read("all_locks"):
            asked = json.loads(text)
            wanted = wanted_locks(asked["synchronization"], asked["namespace"])
            who = Holder(run, holder, asked["lock_key"])
            self.locks.restore(Asked(who, wanted, asked["priority"], asked["created"], position, bool(granted)))
        self.outstanding: dict[tuple[str, str], StoredPod] = {}
        """(run, node) → the pod that was launched for it and whose end is not yet known."""
        self.per_run: dict[str, int] = {}
        for pod, command, run, node, _, _ in self._journal.read("all_outbox"):
            rows = self._journal.read("get_pod", pod) if command == "launch" else []
            if rows:
                self._expect((run, node), StoredPod(*rows[0]))
        pod_position, outbox_position, lock_position = self._journal.read("last_positions")[0]
        self._position: int = max(pod_position, outbox_position, lock_position)

    def following(self) -> int:
        self._position += 1
        return self._position

    def _expect(self, key: tuple[str, str], pod: StoredPod) -> None:
        if key not in self.outstanding:
            self.per_run[key[0]] = self.per_run.get(key[0], 0) + 1
        self.outstanding[key] = pod

    def settled(self, turn: Turn, key: tuple[str, str]) -> None:
        """The end of a pod is stored in this turn: nothing is to be done for it any more."""
        pod = self.outstanding.pop(key)
        self.per_run[key[0]] -= 1
        if not self.per_run[key[0]]:
            del self.per_run[key[0]]
        turn.say("settle_pod", pod.uid)

    def carry_out(self, turn: Turn, active: Active, command: c.Command) -> Answers:
        """Enter a command into the turn; what it answers at once is for the runs named beside it."""
        self._turn = turn
        return _HOW[type(command)](self, turn, active, command)

    # --- pods ---------------------------------------------------------------------------------------------------------
    def launch_pod(self, turn: Turn, active: Active, command: c.LaunchPod) -> Answers:
        run = active.run
        name = str(command.pod["metadata"]["name"])
        for old in [p for p in self.named(turn, run.namespace, name) if p.shown == 1]:
            turn.hide_pod(old)  # a retried node's new pod has the name of its old one
        uid = new_uid()
        body = pod_object.document(command.pod, uid=uid, namespace=run.namespace, owner=(run.name, run.uid), at=turn.at)
        status = encode(pod_object.pending(body, turn.at))
        shown = -1 if any(kind in command.template for kind in PODLESS) else 1
        pod = StoredPod(
            uid, run.uid, command.node_id, run.namespace, name, turn.version, shown, 0, encode(body), status
        )  # fmt: skip
        order = {"template": command.template, "include_script_output": command.include_script_output}
        self.launch(turn, pod, order)
        return []

    def launch(self, turn: Turn, pod: StoredPod, order: Json) -> StoredPod:
        """Enter a new pod into the turn, whoever made it; its position is given here."""
        pod = replace(pod, position=self.following())
        turn.put_pod(pod, new=True)
        self.meters.count("pods_total_count", phase="Pending", namespace=pod.namespace)
        self._expect((pod.run, pod.node), pod)
        turn.say("put_outbox", pod.uid, "launch", pod.run, pod.node, pod.position, encode(order))
        turn.then.append(lambda: self._hands.launch(pod, order))
        return pod

    def named(self, turn: Turn, namespace: str, name: str) -> list[StoredPod]:
        fresh = turn.named_pods.get((namespace, name))
        return [*([turn.pods[fresh]] if fresh else []), *self._read_model.pods_named(namespace, name)]

    def kill_pod(self, turn: Turn, active: Active, command: c.KillPod) -> Answers:
        pod = self.outstanding.get((active.run.uid, command.node_id))
        if pod is not None:
            self.kill(turn, pod, force=command.force)
        return []

    def kill(self, turn: Turn, pod: StoredPod, *, force: bool = False) -> None:
        turn.say("put_outbox", pod.uid, "kill", pod.run, pod.node, self.following(), encode({"force": force}))
        turn.then.append(lambda: self._hands.kill(pod, force=force))

    def delete_pod(self, turn: Turn, active: Active, command: c.DeletePod) -> Answers:
        for pod in self.named(turn, active.run.namespace, command.pod_name):
            if pod.run == active.run.uid and pod.shown == 1 and pod.uid not in turn.hidden:
                self._hide_later(turn, turn.pods.get(pod.uid, pod), collect_delay(active.run.document))
        return []

    def _hide_later(self, turn: Turn, pod: StoredPod, delay: float) -> None:
        if delay <= 0:
            turn.hide_pod(pod)
            return
        key = COLLECT_KEY + pod.uid
        self.timers.set(pod.run, key, turn.at + delay)
        turn.say("put_timer", pod.run, key, turn.at + delay)

    # --- timers -------------------------------------------------------------------------------------------------------
    def set_timer(self, turn: Turn, active: Active, command: c.SetTimer) -> Answers:
        uid = active.run.uid
        if command.at:
            self.timers.set(uid, command.key, command.at)
            turn.say("put_timer", uid, command.key, command.at)
        else:
            self.timers.cancel(uid, command.key)
            turn.say("delete_timer", uid, command.key)
        return []

    # --- locks --------------------------------------------------------------------------------------------------------
    def ask_lock(self, turn: Turn, active: Active, command: c.AskLock) -> Answers:
        run = active.run
        lock_key = f"{run.namespace}/{run.name}"
        if command.holder not in ("", run.name, run.uid, lock_key):
            lock_key += f"/{command.holder.rpartition('/')[2]}"
        holder = Holder(run.uid, command.holder, lock_key)
        try:
            wanted = wanted_locks(command.synchronization, run.namespace)
            answer = self.locks.ask(holder, wanted, priority=command.priority, created=command.created_at)
        except InvalidWorkflow as error:
            # Argo: a lock that cannot be had at all is an error of whoever asks.
            return [
                (run.uid, LockAnswered(turn.at, seed(), command.holder, False, error.message, {"error": error.message}))
            ]
        asked = {
            "synchronization": command.synchronization, "namespace": run.namespace, "lock_key": lock_key,
            "priority": command.priority, "created": command.created_at,
        }  # fmt: skip
        turn.say("put_lock", run.uid, command.holder, self.following(), int(answer.granted), encode(asked))
        return self._answers(turn, [answer], written=True)

    def release_lock(self, turn: Turn, active: Active, command: c.ReleaseLock) -> Answers:
        turn.say("delete_lock", active.run.uid, command.holder)
        return self._answers(turn, self.locks.release(active.run.uid, command.holder))

    def release_all(self, turn: Turn, run: str) -> Answers:
        """A run is over or gone: so are its locks and its waiting for them."""
        answers: Answers = []
        turn.say("delete_locks", run)
        for asked in self.locks.of(run):
            answers += self._answers(turn, self.locks.release(run, asked.holder.key))
        return answers

    def limits_changed(self, turn: Turn) -> Answers:
        self._turn = turn
        return self._answers(turn, self.locks.limits_changed())

    def _answers(self, turn: Turn, answers: list[Answer], *, written: bool = False) -> Answers:
        found: Answers = []
        for answer in answers:
            who = answer.holder
            if answer.granted and not written:
                turn.say("grant_lock", who.run, who.key)
            status: Json = {"holding": list(answer.names)}
            if answer.impossible:
                turn.say("delete_lock", who.run, who.key)
                status = {"error": answer.message}
            elif not answer.granted:
                status = {"waiting": answer.waiting_for, "holders": self.locks.holders(answer.waiting_for)}
            found.append((who.run, LockAnswered(turn.at, seed(), who.key, answer.granted, answer.message, status)))
        return found

    def _limit_of(self, place: tuple[str, str, str]) -> int:
        namespace, name, key = place
        key_of = ("ConfigMap", namespace, name)
        found = self._turn.look(*key_of) if self._turn is not None else self._read_model.object(key_of)
        value = str((json.loads(found.text).get("data") or {}).get(key) if found is not None else "")
        lock = f"{namespace}/ConfigMap/{name}/{key}"
        limit = int(value) if re.fullmatch(r"[+-]?[0-9]+", value) else None
        if limit is None or (limit == 0 and not any(lock in known for known in self.locks.counts())):
            # One sentence of Argo's for a config map that is not there, a key that is not, what is no number, and a 0 from the start:
            # a limit that becomes 0 is waited for.
            raise InvalidWorkflow(f"failed to initialize semaphore {lock} with limit")
        return limit

    # --- objects ------------------------------------------------------------------------------------------------------
    def read_object(self, turn: Turn, active: Active, command: c.ReadObject) -> Answers:
        found = turn.look(command.kind, active.run.namespace, command.name)
        document = json.loads(found.text) if found is not None else None
        return [(active.run.uid, ObjectRead(turn.at, seed(), command.key, document))]

    def write_object(self, turn: Turn, active: Active, command: c.WriteObject) -> Answers:
        run, given = active.run, dict(command.document)
        kind = str(given.get("kind", "ConfigMap"))
        name = str((given.get("metadata") or {}).get("name", ""))
        known = turn.look(kind, run.namespace, name) if name else None
        try:
            if known is not None:
                old = json.loads(known.text)
                document = objects.completed(kind, objects.merged(old, given), turn.at)
                document["metadata"] = {
                    **old["metadata"],
                    **(given.get("metadata") or {}),
                    "uid": old["metadata"]["uid"],
                }
            else:
                document = objects.born(kind, run.namespace, given, uid=new_uid(), at=turn.at, seed=seed())
        except HeraUtilsError as error:
            self.record_event(turn, about(run), "Warning", "WorkflowObjectRefused", error.message)
            return []
        turn.put(objects.stored(kind, document, turn.version))
        turn.then.append(lambda: self._hands.objects_changed(kind, run.namespace))
        return self.limits_changed(turn) if kind == "ConfigMap" else []

    def delete_object(self, turn: Turn, active: Active, command: c.DeleteObject) -> Answers:
        known = turn.look(command.kind, active.run.namespace, command.name)
        if known is not None:
            turn.drop(known)
        return []

    def warn(self, turn: Turn, active: Active, command: c.Warn) -> Answers:
        self.record_event(turn, about(active.run), command.type, command.reason, command.message)
        return []

    def emit_metric(self, turn: Turn, active: Active, command: c.EmitMetric) -> Answers:
        problem = self.meters.emit(active.run.uid, command)
        if problem:
            metrics.problem(active.run.document, problem)
        return []

    def record_event(self, turn: Turn, about: About, type_: str, reason: str, message: str) -> None:
        """A Kubernetes Event on an object; it goes when the object goes."""
        version, kind, namespace, name, uid = about
        owner = {"apiVersion": version, "kind": kind, "name": name, "uid": uid}
        time = timestamps.text(turn.at)
        document = {
            "metadata": {"name": f"{name}.{new_uid().replace('-', '')[:16]}", "ownerReferences": [owner]},
            "involvedObject": {**owner, "namespace": namespace}, "reason": reason, "message": message, "type": type_, "count": 1,
            "firstTimestamp": time, "lastTimestamp": time, "source": {"component": "workflow-controller"},
        }  # fmt: skip
        with contextlib.suppress(HeraUtilsError):
            born = objects.born("Event", namespace, document, uid=new_uid(), at=turn.at, seed=seed())
            turn.put(objects.stored("Event", born, turn.version))

    # --- the end ------------------------------------------------------------------------------------------------------
    def finish(self, turn: Turn, active: Active, command: c.Finish) -> Answers:
        if command.delete_after is not None:
            at = turn.at + command.delete_after
            self.timers.set(active.run.uid, DELETE_KEY, at)
            turn.say("put_timer", active.run.uid, DELETE_KEY, at)
        self._collect_artifacts(turn, active)
        return self.release_all(turn, active.run.uid)

    def _collect_artifacts(self, turn: Turn, active: Active) -> None:
        run = active.run

        def told(outcome: Outcome) -> None:
            self.collected(run.uid, outcome)

        going = list(gc.doomed(run.document, gc.COMPLETION))
        gone = self.remove(turn, run.namespace, going, told)
        active.run.changed.update(gc.note(run.document, gone, gc.COMPLETION)[0])

    def remove(
        self, turn: Turn, namespace: str, going: list[tuple[str, Json, Json | None]], told: Callable[[Outcome], None]
    ) -> Outcome:
        """Have artifacts removed after the turn; answers those of the platform's own store, `told` hears of the others later."""
        found = [(node, one, self._hands.elsewhere(namespace, one, archive)) for node, one, archive in going]
        far = [(node, one, place) for node, one, place in found if place is not None]
        near = [(node, one) for node, one, place in found if place is None]
        if near:
            keys = [str(key_of(one)) for _, one in near]
            turn.then.append(lambda: self._hands.remove_artifacts(namespace, keys))
        if far:
            turn.then.append(lambda: self._hands.remove_elsewhere(far, told))
        return {(node, str(one["name"])): "" for node, one in near}


def about(run: Run) -> About:
    return ("argoproj.io/v1alpha1", "Workflow", run.namespace, run.name, run.uid)


def collect_delay(document: Json) -> float:
    """Seconds between a pod's end and its collection; 0 when the workflow says nothing of podGC (a retry takes its pods back)."""
    stored = (document.get("status") or {}).get("storedWorkflowTemplateSpec") or {}
    found = (document.get("spec") or {}).get("podGC") or stored.get("podGC") or {}
    if not found.get("strategy"):
        return 0.0
    try:
        given = found.get("deleteDelayDuration")
        return seconds_or_duration(str(given)) if given else COLLECT_SECONDS
    except (HeraUtilsError, ValueError):
        return COLLECT_SECONDS


_HOW: dict[type[c.Command], Callable[[Orders, Turn, Active, Any], Answers]] = {
    c.LaunchPod: Orders.launch_pod,
    c.KillPod: Orders.kill_pod,
    c.DeletePod: Orders.delete_pod,
    c.SetTimer: Orders.set_timer,
    c.AskLock: Orders.ask_lock,
    c.ReleaseLock: Orders.release_lock,
    c.ReadObject: Orders.read_object,
    c.WriteObject: Orders.write_object,
    c.DeleteObject: Orders.delete_object,
    c.Warn: Orders.warn,
    c.EmitMetric: Orders.emit_metric,
    c.Finish: Orders.finish,
}
