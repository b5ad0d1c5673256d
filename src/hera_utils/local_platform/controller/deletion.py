"""The end of runs and objects: what goes with a workflow, a claim, a namespace."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hera_utils.local_platform.artifacts import gc
from hera_utils.local_platform.controller import bare_pods
from hera_utils.local_platform.controller.turn import Turn
from hera_utils.local_platform.pods.launcher import FOLDER_ANNOTATION, claim_folder
from hera_utils.local_platform.pods.runtime import Launch
from hera_utils.local_platform.storage import objects
from hera_utils.local_platform.storage.archive import keep
from hera_utils.local_platform.storage.journal import encode
from hera_utils.local_platform.storage.records import ObjectChange, StoredObject, StoredPod, StoredRun

if TYPE_CHECKING:
    from hera_utils.local_platform.controller.controller import Controller

Json = dict[str, Any]
log = logging.getLogger("hera_utils.controller")


def delete_run(controller: Controller, turn: Turn, record: StoredRun) -> None:
    """Delete a run: its pods are killed and forgotten, what it owns (claims of its templates, events) goes too."""
    uid = record.uid
    if uid in turn.deleted:
        return
    orders = controller.orders
    last = controller.read_model.workflow(uid)
    running = {pod.uid: pod for pod in controller.pods_of(uid)}
    known = controller.read_model.pods_of_run(uid)
    for pod in running.values():
        forget_pod(controller, turn, pod, going=True)
    for pod in known:
        if pod.shown == 1:
            turn.changes.append(ObjectChange("DELETED", pod.stored()))
        if pod.uid not in running:
            forget_pod(controller, turn, pod, going=False)
    bare_pods.delete_owned(controller, turn, uid)
    orders.timers.cancel_all(uid)
    orders.meters.forget(uid)
    released = orders.release_all(turn, uid)
    turn.deleted[uid] = record
    turn.touched.pop(uid, None)
    controller.drop_run(uid)
    if last is not None:
        keep(turn, record, last.text)
        turn.changes.append(ObjectChange("DELETED", last))
    for stored in owned_by(controller, turn, uid):
        delete_object(controller, turn, stored)
    document = json.loads(last.text) if last is not None and '"artifactGC"' in last.text else {}
    going = list(gc.doomed(document, gc.DELETION))
    orders.remove(turn, record.namespace, going, lambda outcome: _note_kept(record, outcome))
    if not gc.kept(document):
        # the folder of the default keys: nobody could name what is in it any more
        turn.then.append(lambda: controller.launcher.remove_artifacts(record.namespace, [record.name]))
    controller.give(turn, released)


def _note_kept(record: StoredRun, outcome: dict[tuple[str, str], str]) -> None:
    """Argo keeps the workflow until its artifacts are gone, or forceFinalizerRemoval is set; here it goes, as with that."""
    for (_, name), problem in outcome.items():
        if problem:
            log.warning("the artifact %s of %s/%s stays: %s", name, record.namespace, record.name, problem)


def forget_pod(controller: Controller, turn: Turn, pod: StoredPod, *, going: bool) -> None:
    """Nothing of a pod is kept, once it is ended if it goes on."""
    orders = controller.orders
    order: Json = {}
    if going:
        orders.settled(turn, (pod.run, pod.node))
        controller.doomed[pod.run, pod.node] = pod.uid
        # What an agent does ends with the server; a process may outlive it and must be found again to be ended.
        if not controller.launcher.is_agents(_template_of(controller, pod.uid)):
            order = {"body": json.loads(pod.body)}
        turn.then.append(lambda: controller.launcher.kill(pod))
    else:
        turn.then.append(lambda: _forget(controller, pod.uid))
    turn.say("put_outbox", pod.uid, "forget", pod.run, pod.node, orders.following(), encode(order))


def _template_of(controller: Controller, pod_uid: str) -> Json:
    for (text,) in controller.read_model.rows("get_launch", pod_uid):
        template: Json = json.loads(text)["template"]
        return template
    return {}


def owned_by(controller: Controller, turn: Turn, uid: str) -> list[StoredObject]:
    """The objects whose owner references name that uid (Kubernetes collects them with their owner)."""
    return [stored for stored in controller.read_model.everything() if uid in stored.text and uid in _owners(stored)]


def _owners(stored: StoredObject) -> list[str]:
    return objects.owners(json.loads(stored.text))


def _forget(controller: Controller, pod_uid: str) -> None:
    controller.launcher.forget(pod_uid)
    controller.settle_later(pod_uid)


def bury(controller: Controller, turn: Turn, pod_uid: str) -> None:
    """A pod of a deleted run has ended: nothing of it is kept."""
    turn.say("settle_pod", pod_uid)
    turn.then.append(lambda: controller.launcher.forget(pod_uid))


def take_up(controller: Controller, pod_uid: str, key: tuple[str, str], order: Json) -> None:
    """After a restart: a pod of a deleted run may still be running."""
    runtime = controller.launcher.runtime
    if "body" in order and runtime is not None:
        controller.doomed[key] = pod_uid
        runtime.reattach(Launch(key[0], key[1], order["body"], {}))
        runtime.kill(pod_uid, force=True)
    else:
        _forget(controller, pod_uid)


def delete_object(controller: Controller, turn: Turn, stored: StoredObject) -> None:
    """Delete an object, and what follows: a claim's folder is set aside, a namespace's content is deleted."""
    turn.drop(stored)
    if stored.kind == "PersistentVolumeClaim":
        document = json.loads(stored.text)
        turn.then.append(lambda: set_aside(controller.state, document))
    elif stored.kind == "Namespace":
        for record in controller.read_model.runs(stored.name):
            delete_run(controller, turn, record)
        for other in controller.read_model.everything():
            if other.namespace == stored.name and turn.look(other.kind, other.namespace, other.name) is not None:
                delete_object(controller, turn, other)
        bare_pods.delete_in_namespace(controller, turn, stored.name)
    elif stored.kind in (*objects.CORE_KINDS, *objects.ARGO_KINDS, "Job"):
        bare_pods.delete_owned(controller, turn, stored.uid)
        for other in owned_by(controller, turn, stored.uid):
            if turn.look(other.kind, other.namespace, other.name) is not None:
                delete_object(controller, turn, other)


def set_aside(state: Path, claim: Json) -> None:
    """Move a deleted claim's folder away: a new claim of the name is empty, as on Kubernetes, and `gc` removes the old one for good.

    A folder that the user named is the user's: it stays where it is. So is nothing kept of a claim that a workflow made for itself.
    """
    metadata = claim["metadata"]
    if (metadata.get("annotations") or {}).get(FOLDER_ANNOTATION):
        return
    folder = claim_folder(state, claim)
    if not folder.exists():
        return
    if any(reference.get("kind") == "Workflow" for reference in metadata.get("ownerReferences") or ()):
        shutil.rmtree(folder, ignore_errors=True)
        return
    target = state / "claims" / ".deleted" / f"{metadata['namespace']}-{metadata['name']}-{metadata['uid']}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        folder.rename(target)
