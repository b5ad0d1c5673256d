"""Pods that no workflow created, and deletions: what is deleted together with a run, a pod, a claim or a namespace.

A pod that no workflow created (but a resource template, a Job or a user) runs like a workflow's pod and belongs to the run "".
A container that ended is not started again: a restartPolicy other than Never becomes a Warning event.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from hera_utils.interpreter.events import POD_DELETED, PodFinished
from hera_utils.local_platform.artifacts import gc
from hera_utils.local_platform.clock import new_uid, seed
from hera_utils.local_platform.controller import jobs
from hera_utils.local_platform.controller.effects import Effects, EventsOfRuns
from hera_utils.local_platform.controller.turn import Turn
from hera_utils.local_platform.pods import pod_object
from hera_utils.local_platform.pods.launcher import Launcher, is_agents
from hera_utils.local_platform.pods.runtime import Launch
from hera_utils.local_platform.storage import archive, objects
from hera_utils.local_platform.storage.journal import encode
from hera_utils.local_platform.storage.owners import OwnerIndex, owners_in
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import VISIBLE, ObjectChange, StoredObject, StoredPod, StoredRun
from hera_utils.local_platform.this_machine import NODE

Json = dict[str, Any]
NO_RUN = ""
log = logging.getLogger("hera_utils.controller")
PODS_AT_ONCE, CHARACTERS_AT_ONCE = 500, 8_000_000
"""How many pods of a deleted run one turn removes; about as many as have this number of characters, if these are fewer."""
_READ_AT_ONCE = 20


class Runs(Protocol):
    """The methods of the controller that a Lifecycle uses."""

    def drop_run(self, uid: str, size: int) -> None:
        """Forget a deleted run. size: bytes of its document."""

    def give(self, turn: Turn, events: EventsOfRuns) -> None:
        """Advance each run by its event (a lock became free…)."""

    def later(self, act: Callable[[Turn], None]) -> None:
        """Run `act` in a later turn."""


class Lifecycle:
    """Used by the controller's thread, within its turns. Implements jobs.JobPods."""

    def __init__(self, read_model: ReadModel, effects: Effects, launcher: Launcher, runs: Runs) -> None:
        self._read_model, self._effects, self._launcher, self._runs = read_model, effects, launcher, runs
        self._dying: dict[tuple[str, str], str] = {}
        """(run, node) of pods that were deleted while they ran → pod uid."""

    # --- pods that no workflow created --------------------------------------------------------------------------------
    def create_pod(self, turn: Turn, namespace: str, document: Json, *, dry_run: bool = False) -> StoredPod:
        """Add a pod to the turn; it is launched after the turn is written. Raises Refused as Kubernetes does."""
        body = _new_body(turn, namespace, document)
        metadata = body["metadata"]
        uid, name = str(metadata["uid"]), str(metadata["name"])
        namesakes = self._effects.pods_named(turn, namespace, name)
        if any(pod.visibility == VISIBLE and pod.uid not in turn.hidden for pod in namesakes):
            raise objects.already_exists("Pod", name)
        status = encode(pod_object.status_when_pending(body, turn.at))
        pod = StoredPod(uid, NO_RUN, uid, namespace, name, turn.version, VISIBLE, 0, encode(body), status)
        if dry_run:
            return pod
        policy = body["spec"]["restartPolicy"]
        if policy != "Never" and not _is_controlled(body):
            text = f"spec.restartPolicy {policy} has no effect here: a container that ended is not started again"
            self._effects.record_event(turn, ("v1", "Pod", namespace, name, uid), "Warning", "NoEffect", text)
        return self._effects.launch(turn, pod, {"template": {}, "include_script_output": False})

    def update_pod(self, turn: Turn, pod: StoredPod, labels: Json, annotations: Json) -> StoredPod:
        """Set a pod's labels and annotations, at a user's request."""
        outstanding = self._effects.outstanding
        running = outstanding.get((pod.run, pod.node))
        is_running = running is not None and running.uid == pod.uid
        latest = turn.pods.get(pod.uid) or (running if running is not None and is_running else pod)
        body = json.loads(latest.body)
        body["metadata"] |= {"labels": labels, "annotations": annotations}
        changed = latest._replace(written=encode(body), new_body=None, version=turn.version)
        turn.put_pod(changed, whole=True)
        if is_running:
            outstanding.put(changed)
        return changed

    def pod_ended(self, turn: Turn, pod: StoredPod, event: PodFinished) -> None:
        """Tell the Job that created an ended pod, if any, so that it may start its next pods."""
        if pod.run == NO_RUN:
            jobs.pod_ended(self, turn, pod, succeeded=event.phase == "Succeeded")

    def delete_pod(self, turn: Turn, pod_uid: str) -> None:
        """Delete a pod at a user's request: kill it if it runs, and hide it. A pod that no workflow created is removed completely."""
        key = self._effects.outstanding.key_of(pod_uid)
        launched = self._effects.outstanding.get(key) if key is not None and key[0] != NO_RUN else None
        if launched is not None:
            self._effects.kill_deleted(turn, launched)
            return
        for pod in [StoredPod(*row) for row in self._read_model.rows("get_pod", pod_uid)]:
            if pod.run != NO_RUN:
                turn.hide_pod(pod)
            elif self._remove_pod(turn, pod):
                jobs.pod_ended(self, turn, pod, succeeded=False)

    def deleted_pod_ended(self, turn: Turn, pod: StoredPod, event: PodFinished) -> PodFinished | None:
        """The end of a pod that a user deleted, as its node gets it; None if another pod takes its place.

        Argo's controller finds that the pod is missing, and knows only what its executor has reported. It creates a pending pod again.
        """
        if json.loads(pod.status)["phase"] == "Pending":
            self._effects.launch_again(turn, pod)
            return None
        reported = {key: value for key, value in event.outputs.items() if key != "exitCode"}
        return PodFinished(event.at, event.seed, event.node_id, "Failed", message=POD_DELETED, outputs=reported)

    def kill_owned_pods(self, turn: Turn, uid: str) -> None:
        """End the pods whose owner references name that uid."""
        for pod in BarePods(self._read_model).owned_by(uid):
            if (pod.run, pod.node) in self._effects.outstanding:
                self._effects.kill(turn, pod)

    def _remove_pod(self, turn: Turn, pod: StoredPod) -> bool:
        """Remove a pod that no workflow created; a second call does nothing. Gives whether the pod still ran."""
        if pod.uid in turn.hidden:
            return False
        return bool(self._remove_pods(turn, [pod]))

    # --- pods that are removed completely, with their rows and files ----------------------------------------------------------
    def _remove_pods(self, turn: Turn, pods: Iterable[StoredPod]) -> int:
        """Remove the pods with their rows and files, after ending those that run. Gives how many ran."""
        doomed, orders, ended = list(pods), list[Json](), list[str]()
        for pod in doomed:
            turn.hide_pod(pod)
            running = self._effects.outstanding.uid_of((pod.run, pod.node)) == pod.uid
            orders.append(self._end(turn, pod) if running else {})
            if not running:
                ended.append(pod.uid)
        # This is a loop of its own, because statements of one kind are written together.
        for pod, order in zip(doomed, orders, strict=True):
            position = self._effects.next_position()
            turn.add_statement("put_outbox", pod.uid, "forget", pod.run, pod.node, position, encode(order))
        for pod in doomed:
            turn.add_statement("delete_pod", pod.uid)
        if ended:
            turn.after_write.append(lambda: self._forget(ended))
        return len(doomed) - len(ended)

    def _end(self, turn: Turn, pod: StoredPod) -> Json:
        """Kill a pod that is being removed. Gives what a later server needs to finish this."""
        self._effects.settle_pod(turn, (pod.run, pod.node))
        self._dying[pod.run, pod.node] = pod.uid
        turn.after_write.append(lambda: self._launcher.kill(pod))
        # An agent's work ends with the server. A process may outlive the server and must be found again to be ended.
        return {} if is_agents(self._template_of(pod.uid)) else {"body": json.loads(pod.body)}

    def remove_pods_of_run(self, turn: Turn, run: str) -> None:
        """Remove the pods of a deleted run: some in this turn, as there may be tens of thousands, the others in the next turns.

        Until then they are pods without a run, as on Kubernetes until garbage collection. After a restart they are found by that.
        """
        fresh = [pod for pod in turn.pods.values() if pod.run == run and pod.uid in turn.new_pods]
        stored, more = self._first_pods(run)
        self._remove_pods(turn, {pod.uid: pod for pod in [*fresh, *stored]}.values())
        if more:
            turn.after_write.append(lambda: self._runs.later(lambda turn: self.remove_pods_of_run(turn, run)))

    def _first_pods(self, run: str) -> tuple[list[StoredPod], bool]:
        """(the first pods of a run, as many as one turn removes; whether there may be more)."""
        pods: list[StoredPod] = []
        characters = 0
        while len(pods) < PODS_AT_ONCE and characters < CHARACTERS_AT_ONCE:
            most = min(_READ_AT_ONCE, PODS_AT_ONCE - len(pods))
            rows = self._read_model.rows("first_run_pods", run, most, len(pods))
            pods += [StoredPod(*row) for row in rows]
            characters = sum(len(pod.written) for pod in pods)
            if len(rows) < most:
                return pods, False
        return pods, True

    def _template_of(self, pod_uid: str) -> Json:
        for (text,) in self._read_model.rows("get_launch", pod_uid):
            template: Json = json.loads(text)["template"]
            return template
        return {}

    def _forget(self, pod_uids: list[str]) -> None:
        def settle(turn: Turn) -> None:
            for uid in pod_uids:
                turn.add_statement("settle_pod", uid)

        for uid in pod_uids:
            self._launcher.forget(uid)
        self._runs.later(settle)

    def bury_pod(self, turn: Turn, run: str, node: str) -> bool:
        """Finish the removal of an ended pod. Gives whether the pod was being removed."""
        pod_uid = self._dying.pop((run, node), None)
        if pod_uid is None:
            return False
        turn.add_statement("settle_pod", pod_uid)
        turn.after_write.append(lambda: self._launcher.forget(pod_uid))
        return True

    def resume_forgetting(self, pod_uid: str, run: str, node: str, order: Json) -> None:
        """Continue the removal of a pod after a restart of the server; the pod may still be running."""
        runtime = self._launcher.runtime
        if "body" in order:
            self._dying[run, node] = pod_uid
            runtime.reattach(Launch(run, node, order["body"], {}))
            runtime.kill(pod_uid, force=True)
        else:
            self._forget([pod_uid])

    # --- runs and objects ---------------------------------------------------------------------------------------------
    def delete_run(self, turn: Turn, record: StoredRun, bare: BarePods | None = None) -> None:
        """Delete a run: its pods are killed and forgotten, and what it owns (claims of its templates, events, other runs) is deleted.

        bare: the pods that no workflow created, if they have been read.
        """
        bare = bare or BarePods(self._read_model)
        doomed = [record]
        while doomed:
            run = doomed.pop()
            if run.uid not in turn.deleted:
                self._delete_one_run(turn, run, bare)
                doomed += self._runs_of_owner(turn, run.uid)

    def _runs_of_owner(self, turn: Turn, uid: str) -> list[StoredRun]:
        """The runs that have no other owner left. Kubernetes deletes them with their last owner."""
        return [run for run in self._read_model.owned_runs(uid) if not self._has_other_owner(turn, run, uid)]

    def _has_other_owner(self, turn: Turn, record: StoredRun, uid: str) -> bool:
        stored = self._read_model.workflow(record.uid, with_nodes=False)
        others = set(owners_in(stored.text) if stored is not None else ()) - {uid}
        runs = [self._read_model.run_of_uid(other) for other in others]
        if any(run is not None and run.uid not in turn.deleted for run in runs):
            return True
        named = [each for each in self._read_model.all_objects() if each.uid in others] if others else []
        return any(turn.look(each.kind, each.namespace, each.name) is not None for each in named)

    def _delete_one_run(self, turn: Turn, record: StoredRun, bare: BarePods) -> None:
        uid = record.uid
        last = self._read_model.workflow(uid)
        self.remove_pods_of_run(turn, uid)
        for pod in bare.owned_by(uid):
            self._remove_pod(turn, pod)
        events = self._effects.run_deleted(turn, uid)
        turn.deleted[uid] = record
        turn.touched.pop(uid, None)
        self._runs.drop_run(uid, len(last.text) if last is not None else 0)
        if last is not None:
            archive.keep(turn, record, last.text)
            turn.changes.append(ObjectChange("DELETED", last))
        for stored in self._read_model.owned_by(uid):
            self._delete_object(turn, stored, bare)
        self._delete_artifacts(turn, record, last)
        self._runs.give(turn, events)

    def _delete_artifacts(self, turn: Turn, record: StoredRun, last: StoredObject | None) -> None:
        document = json.loads(last.text) if last is not None and '"artifactGC"' in last.text else {}
        doomed = list(gc.artifacts_to_collect(document, gc.DELETION))
        self._effects.remove_artifacts(turn, record.namespace, doomed, lambda outcome: _log_kept(record, outcome))
        keys = gc.keys_to_remove(document, record.name)
        turn.after_write.append(lambda: self._effects.artifacts.remove(record.namespace, keys))

    def delete_object(self, turn: Turn, stored: StoredObject) -> None:
        """Delete an object with the objects that it owns; with a claim its folder, with a namespace everything in it."""
        self._delete_object(turn, stored, BarePods(self._read_model))

    def _delete_object(self, turn: Turn, stored: StoredObject, bare: BarePods) -> None:
        doomed = [stored]
        while doomed:
            current = doomed.pop()
            if turn.look(current.kind, current.namespace, current.name) is None:
                continue  # owners may own each other
            turn.drop(current)
            for record in self._runs_of_owner(turn, current.uid):
                self.delete_run(turn, record, bare)
            if current.kind == "Namespace":
                for record in self._read_model.runs(current.name):
                    self.delete_run(turn, record, bare)
                doomed += [other for other in self._read_model.all_objects() if other.namespace == current.name]
                gone = [pod for pod in bare.pods if pod.namespace == current.name]
            else:
                doomed += self._read_model.owned_by(current.uid)
                gone = bare.owned_by(current.uid)
            for pod in gone:
                self._remove_pod(turn, pod)


def _new_body(turn: Turn, namespace: str, document: Json) -> Json:
    """A new pod's metadata (without a resource version) and spec as they are stored."""
    name = str((document.get("metadata") or {}).get("name") or "")
    spec = objects.check_pod_spec("Pod", name, document.get("spec"), "spec")
    created = objects.new_object("Pod", namespace, document, uid=new_uid(), at=turn.at, seed=seed())
    metadata = {key: value for key, value in created["metadata"].items() if key != "resourceVersion"}
    defaults = {"nodeName": NODE, "restartPolicy": "Always", "serviceAccountName": "default"}
    return {"metadata": metadata, "spec": {**defaults, **spec}}


class BarePods:
    """The pods that no workflow created, for a deletion."""

    def __init__(self, read_model: ReadModel) -> None:
        self.pods = read_model.pods_of_run(NO_RUN)
        self._owners = OwnerIndex[int]()
        for place, pod in enumerate(self.pods):
            self._owners.put(place, pod.body)

    def owned_by(self, uid: str) -> list[StoredPod]:
        return [self.pods[place] for place in self._owners.of(uid)]


def _is_controlled(body: Json) -> bool:
    return any(owner.get("controller") for owner in body["metadata"].get("ownerReferences") or ())


def _log_kept(record: StoredRun, outcome: dict[tuple[str, str], str]) -> None:
    """Log artifacts that could not be deleted. Argo keeps such a workflow unless forceFinalizerRemoval is set; here it goes."""
    for (_, name), problem in outcome.items():
        if problem:
            log.warning("the artifact %s of %s/%s stays: %s", name, record.namespace, record.name, problem)
