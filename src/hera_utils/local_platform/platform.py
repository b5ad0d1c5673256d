"""The local platform for its two APIs: objects with resource versions, runs, pods. Thread-safe.

Handlers never use the journal or a run directly: they read through this class, which gives changes to the controller, the only writer.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hera_utils.argo import faults
from hera_utils.errors import Refused
from hera_utils.interpreter import retry_in_place
from hera_utils.interpreter.cron.cron_workflow import is_enabled
from hera_utils.interpreter.events import Event, RetryRequested, Submitted
from hera_utils.interpreter.state import Run
from hera_utils.interpreter.validation.stored import check_stored
from hera_utils.local_platform.artifacts import locations, remote_stores
from hera_utils.local_platform.artifacts.store import ArtifactStore
from hera_utils.local_platform.clock import new_uid, seed
from hera_utils.local_platform.controller import edits, jobs
from hera_utils.local_platform.controller.admission import Admission
from hera_utils.local_platform.controller.controller import Advance, Controller
from hera_utils.local_platform.controller.cron_clock import CronClock, CronCounts
from hera_utils.local_platform.controller.metrics import Metrics
from hera_utils.local_platform.controller.turn import Turn
from hera_utils.local_platform.pods.launcher import Launcher, Runtimes
from hera_utils.local_platform.pods.pod.disk_room import shortage
from hera_utils.local_platform.pods.runtime import Report, Runtime
from hera_utils.local_platform.state_folder import folder_error
from hera_utils.local_platform.storage import objects
from hera_utils.local_platform.storage.archive import Archive, forget
from hera_utils.local_platform.storage.journal import Journal, JournalError, failure
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import NO_POD, VISIBLE, ObjectChange, StoredObject, StoredRun
from hera_utils.local_platform.storage.reserve import Reserve
from hera_utils.local_platform.this_machine import NODE, node
from hera_utils.private_folders import make_private

__all__ = ["ObjectChange", "LocalPlatform", "StoredObject"]

Json = dict[str, Any]
Found = list[StoredObject]
RuntimeOf = Callable[[Path, Report], Runtime]
_NAMES_TRIED = 8
"""How often a generated name is drawn before the creation fails, as in Kubernetes: among 10,000 runs of one prefix two would collide."""
NAMESPACES = ("default", "argo")
"""Namespaces that exist from the start, each with its service account `default`."""


class LocalPlatform:
    """state: the state folder. Every method raises errors.Refused (with a gRPC code and a Kubernetes reason) when it refuses a request.

    advance, runtime: the interpreter and the runtime of pods; tests pass their own.
    """

    def __init__(
        self,
        state: Path,
        *,
        advance: Advance | None = None,
        runtime: RuntimeOf | None = None,
    ) -> None:
        self.state = state
        _make_folder(state)
        if shortage(str(state)):
            Reserve(state).give_up()
        self._journal = Journal(state / "journal.sqlite")
        try:
            self._read_model = ReadModel(self._journal)
            self.admission = Admission(self._read_model)
            self.archive = Archive(self._read_model)
            self._controller = Controller(state, self._journal, self._read_model, advance)
            report = self._controller.report
            runtimes = Runtimes((runtime or _process_runtime)(state, report), self._agents())
            self._launcher = Launcher(state, self._read_model, report, runtimes)
            self._controller.start(self._launcher)
        except JournalError as error:
            raise failure(self._journal.path, error) from error
        self._begin()
        self._cron = CronClock(self, self._controller, self._read_model)
        self._cron.start()

    def _agents(self) -> Runtime:
        from hera_utils.local_platform.agents import Agents, performers

        return Agents(self._controller.report, performers(self))

    def _begin(self) -> None:
        for name in NAMESPACES:
            if self._read_model.object(("Namespace", "", name)) is None:
                self.create("Namespace", "", {"metadata": {"name": name}})
        self._show_this_machine()

    def _show_this_machine(self) -> None:
        """Update the only node: the state folder may have been moved to another machine, or this machine may have got more memory."""
        document = node(time.time())
        if self._read_model.object(("Node", "", NODE)) is None:
            self.create("Node", "", document)
        else:
            self.update("Node", "", document)

    def prepare(self) -> None:
        """Prepare for the first pods, after the platform answers requests."""
        self._launcher.runtime.prepare()

    def end_pods(self) -> None:
        """Kill all pods. Needed when the state folder was removed, because no later server could find them."""
        for pod in list(self._controller.effects.outstanding.every()):
            self._launcher.kill(pod, force=True)

    def close(self) -> None:
        """End the controller; pods continue, and the next server finds them."""
        self._cron.stop()
        self._controller.stop()
        self._journal.close()

    def busy(self) -> bool:
        """Whether a run is in progress, or an enabled cron workflow may start one."""
        if self._controller.busy():
            return True
        return any(is_enabled(json.loads(stored.text)) for stored in self._read_model.objects("CronWorkflow"))

    def forget_archived(self, uid: str) -> None:
        """Delete the archive's record of a run; the run itself, if it exists, stays."""

        def act(turn: Turn) -> Callable[[], None]:
            forget(turn, uid, self._read_model.run_of_uid(uid))
            return lambda: None

        self._controller.call(act)

    def retry_archived(self, document: Json, **how: Any) -> StoredObject:
        """Retry an archived run that was deleted, under a new uid: its failed nodes run again."""
        namespace = str(document["metadata"]["namespace"])
        self._check_namespace("Workflow", namespace)
        rest = {key: document[key] for key in ("spec", "status")}
        invalid = self.admission.fault_of_retry(document, how["parameters"])

        def act(turn: Turn) -> Callable[[], StoredObject]:
            created = objects.new_object("Workflow", namespace, document, uid=new_uid(), at=turn.at, seed=seed())
            run = Run({**created, **rest})
            if self._controller.is_name_used(run.namespace, run.name):
                raise objects.already_exists("Workflow", run.name)
            event = RetryRequested(turn.at, seed(), invalid=invalid, **how)
            # This is checked first, because `enter` creates the run even when its first event is refused.
            retry_in_place.check(run, event)
            self._controller.enter(turn, run, event)
            return lambda: self._workflow(run.uid)

        return self._controller.call(act)

    def phases(self, kind: str) -> dict[str, int]:
        """Phase → how many workflows, or visible pods, are in it."""
        statement = {"Workflow": "phases_of_runs", "Pod": "phases_of_pods"}[kind]
        return {str(phase or "Pending"): int(count) for phase, count in self._read_model.rows(statement)}

    def cron_counts(self) -> CronCounts:
        return self._cron.counts

    def lock_counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """(lock → number of holders, lock → number of waiting requests)."""
        return self._controller.effects.locks.counts()

    @property
    def metrics(self) -> Metrics:
        return self._controller.effects.metrics

    # --- reading -------------------------------------------------------------------------------------------------
    def get(self, kind: str, namespace: str, name: str, *, nodes: bool = True) -> StoredObject:
        """One object. nodes=False leaves `status.nodes` out of a workflow, as in `list`."""
        if kind == "Workflow":
            record = self._read_model.run(namespace, name)
            waiting = self._launcher.waiting() if nodes and record is not None else {}
            stored = self._run(record.uid, waiting, nodes=nodes) if record is not None else None
        elif kind == "Pod":
            pods = [pod for pod in self._read_model.pods_named(namespace, name) if pod.visibility == VISIBLE]
            stored = pods[-1].as_object() if pods else None
        else:
            stored = self._read_model.object((kind, "" if kind in objects.CLUSTER_WIDE else namespace, name))
        if stored is None:
            raise objects.not_found(kind, name)
        return stored

    def _run(self, uid: str, waiting: dict[str, dict[str, str]], *, nodes: bool) -> StoredObject | None:
        messages, failure = waiting.get(uid), self._controller.failure
        if failure is not None and nodes:  # events cannot be written: the disk is full or read-only
            messages = {**(messages or {}), "": failure.with_fix}
        return self._read_model.workflow(uid, with_nodes=nodes, messages=messages)

    def list(self, kind: str, namespace: str = "", *, nodes: bool = True) -> tuple[Found, int]:
        """(all objects of a kind, sorted by name; the resource version of the list). namespace: "" for all namespaces.

        nodes=False leaves `status.nodes` out of workflows, so that a list of large runs costs as little as one of small ones.
        """
        waiting = self._launcher.waiting() if nodes and kind == "Workflow" else {}
        with self._read_model.quiet():
            version = self._read_model.version
            if kind == "Workflow" and not nodes:
                return self._read_model.headers(namespace), version
            if kind == "Workflow":
                runs = self._read_model.runs(namespace)
                texts = [self._run(record.uid, waiting, nodes=nodes) for record in runs]
                return [stored for stored in texts if stored is not None], version
            if kind != "Pod":
                return self._read_model.objects(kind, "" if kind in objects.CLUSTER_WIDE else namespace), version
            pods = self._read_model.pods(namespace)
        # The texts are built after `quiet`, so that others can read and write: ten thousand pods take a second.
        objects_found = [pod.as_object() for pod in pods]
        return sorted(objects_found, key=lambda stored: (stored.namespace, stored.name)), version

    def newest_runs(self, namespace: str = "") -> tuple[Sequence[StoredRun], int]:
        """(all runs, the last started first; the resource version as in `list`). Documents are not read, so it is cheap."""
        with self._read_model.quiet():
            return self._read_model.newest(namespace), self._read_model.version

    def subscribe(self, kind: str, listener: Callable[[ObjectChange], None]) -> Callable[[], None]:
        """Call `listener` for each change, in the writer's thread, so it must return at once. Gives a function that ends this."""
        return self._read_model.subscribe(kind, listener)

    # --- writing: through the controller -------------------------------------------------------------------------
    def create(self, kind: str, namespace: str, document: Json, *, dry_run: bool = False) -> StoredObject:
        """Create an object of any kind but Workflow; a missing name, the uid and the creationTimestamp are filled in."""
        self._check_namespace(kind, namespace)
        objects.check_room(self._read_model.characters)

        def act(turn: Turn) -> Callable[[], StoredObject]:
            if kind == "Pod":
                return self._controller.lifecycle.create_pod(turn, namespace, document, dry_run=dry_run).as_object
            if kind == "Job":
                job = jobs.create(self._controller.lifecycle, turn, namespace, document, dry_run=dry_run)
                return lambda: job
            created = objects.new_object(kind, namespace, document, uid=new_uid(), at=turn.at, seed=seed())
            if kind in objects.ARGO_KINDS:
                check_stored(created, kind)
            stored = objects.stored_object(kind, created, turn.version)
            if turn.look(kind, stored.namespace, stored.name) is not None:
                raise objects.already_exists(kind, stored.name)
            if dry_run:
                return stored.as_dry_run
            turn.put(stored)
            self._follow(turn, stored)
            return lambda: stored

        return self._controller.call(act)

    def update(self, kind: str, namespace: str, document: Json) -> StoredObject:
        """Replace an object. Raises Refused (Conflict) for an outdated metadata.resourceVersion."""
        name = str((document.get("metadata") or {}).get("name") or "")
        place = "" if kind in objects.CLUSTER_WIDE else namespace
        objects.check_namespace(kind, namespace, document)
        if kind in ("Workflow", "Pod"):
            return self._update_execution(kind, namespace, name, document)
        objects.check_room(self._read_model.characters)

        def act(turn: Turn) -> Callable[[], StoredObject]:
            known = turn.look(kind, place, name)
            if known is None:
                raise objects.not_found(kind, name)
            stored = objects.stored_object(
                kind, objects.updated_document(kind, json.loads(known.text), document, turn.at), turn.version
            )
            turn.put(stored)
            self._follow(turn, stored)
            return lambda: stored

        return self._controller.call(act)

    def _update_execution(self, kind: str, namespace: str, name: str, document: Json) -> StoredObject:
        """Change a workflow or a pod. A user may change its labels and annotations, and suspend or stop a workflow."""
        stored = self.get(kind, namespace, name)
        old = json.loads(stored.text)
        new = objects.updated_document(kind, old, document, 0.0)["metadata"]
        labels, annotations = new.get("labels") or {}, new.get("annotations") or {}
        if kind == "Workflow":
            for event in edits.events_of(old.get("spec") or {}, document.get("spec") or {}, name):
                self.act(namespace, name, event)

        def act(turn: Turn) -> Callable[[], StoredObject]:
            if kind == "Pod":
                pod = self._read_model.pods_named(namespace, name)[-1]
                changed = self._controller.lifecycle.update_pod(turn, pod, labels, annotations)
                return changed.as_object
            active = self._controller.active(stored.uid)
            if active is None or stored.uid in turn.deleted:
                raise objects.not_found(kind, name)
            metadata, before = active.run.document["metadata"], old["metadata"]
            for part, after in (("labels", labels), ("annotations", annotations)):
                metadata[part] = edits.merge_edit(metadata.get(part) or {}, before.get(part) or {}, after)
            turn.touched[stored.uid] = active
            return lambda: self._workflow(stored.uid)

        return self._controller.call(act)

    def _follow(self, turn: Turn, stored: StoredObject) -> None:
        """Do what follows from the creation or change of an object."""
        if stored.kind == "Namespace" and turn.look("ServiceAccount", stored.name, "default") is None:
            account = {"metadata": {"name": "default"}}
            created = objects.new_object("ServiceAccount", stored.name, account, uid=new_uid(), at=turn.at, seed=seed())
            turn.put(objects.stored_object("ServiceAccount", created, turn.version))
        elif stored.kind == "ConfigMap":
            self._controller.give(turn, self._controller.effects.limits_changed(turn))

    def delete(self, kind: str, namespace: str, name: str) -> StoredObject:
        """Delete an object. With a workflow its pods are killed and the claims of its volumeClaimTemplates are deleted."""
        stored = self.get(kind, namespace, name)

        def act(turn: Turn) -> Callable[[], StoredObject]:
            if kind == "Workflow":
                record = self._read_model.run(namespace, name)
                if record is None or record.uid != stored.uid:
                    raise objects.not_found(kind, name)
                self._controller.lifecycle.delete_run(turn, record)
            elif kind == "Pod":
                self._controller.lifecycle.delete_pod(turn, stored.uid)
            elif turn.look(kind, stored.namespace, name) is None:
                raise objects.not_found(kind, name)
            else:
                self._controller.lifecycle.delete_object(turn, stored)
            return lambda: stored

        return self._controller.call(act)

    def lint(self, namespace: str, document: Json, kind: str = "Workflow") -> Json:
        """The normalised document. Raises InvalidWorkflow with Argo's message."""
        if kind not in objects.CLUSTER_WIDE:
            self._check_namespace(kind, namespace)
        return self.admission.lint(kind, namespace, document)

    def submit(self, namespace: str, document: Json, *, dry_run: bool = False) -> StoredObject:
        """Validate and start a workflow. When this returns, the run is stored, and the next GET shows it as `Running`.

        Raises HeraUtilsError for one that must not start, also because its containers cannot run on this machine.
        A status in the document belongs to another run (the document was read from a server) and is ignored.
        """
        new = {**document, "status": {"startedAt": None, "finishedAt": None}} if "status" in document else document
        return self._submit(namespace, new, dry_run=dry_run)

    def _submit(self, namespace: str, document: Json, *, dry_run: bool = False) -> StoredObject:
        self._check_namespace("Workflow", namespace)
        admitted = self.admission.admit(namespace, document)
        if not dry_run and admitted.has_containers and (refusal := self._launcher.runtime.refusal()) is not None:
            raise refusal
        # Argo answers before the workflow has nodes, but for those of the one that is resubmitted.
        carries_nodes = bool((admitted.document.get("status") or {}).get("nodes"))
        first = Submitted(0.0, "", admitted.templates, admitted.config_maps, admitted.repository, admitted.durations)

        def act(turn: Turn) -> Callable[[], StoredObject]:
            for _ in range(_NAMES_TRIED):
                created = objects.new_object(
                    "Workflow", namespace, admitted.document, uid=new_uid(), at=turn.at, seed=seed()
                )
                run = Run(admitted.with_warnings(created))
                taken = self._controller.is_name_used(run.namespace, run.name)
                if not taken or (admitted.document.get("metadata") or {}).get("name"):
                    break
            if taken:
                raise objects.already_exists("Workflow", run.name)
            if dry_run:
                return objects.stored_object("Workflow", created, turn.version).as_dry_run
            started = dataclasses.replace(first, at=turn.at, seed=seed())
            self._controller.enter(turn, run, started, warnings=admitted.warnings)
            return lambda: self._workflow(run.uid, nodes=carries_nodes)

        return self._controller.call(act)

    def act(self, namespace: str, name: str, event: Event) -> StoredObject:
        """Advance a run by a user's request (stop, suspend, resume, retry, set…); `at` and `seed` are filled in here."""
        if isinstance(event, RetryRequested):
            old = json.loads(self.get("Workflow", namespace, name, nodes=False).text)
            event = dataclasses.replace(event, invalid=self.admission.fault_of_retry(old, event.parameters))

        def act(turn: Turn) -> Callable[[], StoredObject]:
            record = self._read_model.run(namespace, name)
            active = self._controller.active(record.uid) if record is not None else None
            if record is None or active is None or record.uid in turn.deleted:
                raise objects.not_found("Workflow", name)
            edits.check_alive(active.run, event)
            self._controller.advance(turn, active, dataclasses.replace(event, at=turn.at, seed=seed()), refusable=True)
            return lambda: self._workflow(record.uid)

        return self._controller.call(act)

    def _workflow(self, uid: str, *, nodes: bool = True) -> StoredObject:
        stored = self._read_model.workflow(uid, with_nodes=nodes)
        if stored is None:
            raise objects.not_found("Workflow", uid)
        return stored

    def resubmit(
        self, namespace: str, name: str, *, memoized: bool = False, parameters: tuple[str, ...] = ()
    ) -> StoredObject:
        """Run a workflow again as a new one. memoized: nodes that succeeded are not computed again."""
        document = json.loads(self.get("Workflow", namespace, name).text)
        return self.run_again(document, memoized=memoized, parameters=parameters)

    def run_again(self, document: Json, *, memoized: bool, parameters: tuple[str, ...]) -> StoredObject:
        """Resubmit a stored document of a workflow, which need not exist any more."""
        again = self.admission.again(document, memoized=memoized, parameters=parameters)
        return self._submit(document["metadata"]["namespace"], again)

    def _check_namespace(self, kind: str, namespace: str) -> None:
        if kind in objects.CLUSTER_WIDE:
            return
        if self._read_model.object(("Namespace", "", namespace)) is None:
            raise objects.not_found("Namespace", namespace)

    # --- pods ----------------------------------------------------------------------------------------------------
    def pods(self, namespace: str, workflow: str = "") -> Found:
        """The pods of a namespace or of one run, as Kubernetes Pod objects with status, the oldest first.

        For one run, pods that podGC hid are included, because their logs still exist. Of several pods of one name only the newest is
        included: a retry deletes the earlier pods, as in Argo.
        """
        if not workflow:
            return [pod.as_object() for pod in self._read_model.pods(namespace)]
        record = self._read_model.run(namespace, workflow)
        if record is None:
            return []
        newest = {pod.name: pod for pod in self._read_model.pods_of_run(record.uid) if pod.visibility != NO_POD}
        return [pod.as_object() for pod in newest.values()]

    def pod_log(
        self, namespace: str, pod: str, container: str, *, uid: str = "", follow: bool = False, tail: int | None = None
    ) -> Iterator[tuple[float, str]]:
        """(time, line) pairs of a container's log, also of a deleted pod as long as its run is kept.

        tail: how many of the last lines. uid: which of several pods of that name (a retried task has several); "" for the newest.
        """
        named = [stored for stored in self._read_model.pods_named(namespace, pod) if uid in ("", stored.uid)]
        if not named:
            raise objects.not_found("Pod", pod)
        return self._launcher.runtime.logs(named[-1].uid, container, follow=follow, tail=tail)

    def artifact(
        self, namespace: str, workflow: str, node_id: str, name: str, *, output: bool = True, folder: str = ""
    ) -> str:
        """The path of a node's artifact on this machine. One in a store on the network is downloaded to `folder`."""
        document = json.loads(self.get("Workflow", namespace, workflow).text)
        return self.artifact_of(document, node_id, name, output=output, folder=folder)

    def artifact_of(self, document: Json, node_id: str, name: str, *, output: bool = True, folder: str = "") -> str:
        """The same as `artifact`. document: a stored workflow, which may be in the archive."""
        namespace, workflow = document["metadata"]["namespace"], document["metadata"]["name"]
        node = (document.get("status", {}).get("nodes") or {}).get(node_id)
        if node is None:
            raise Refused(faults.NOT_FOUND, f'node "{node_id}" of workflow "{workflow}" not found', reason="NotFound")
        artifacts = (node.get("outputs" if output else "inputs") or {}).get("artifacts") or ()
        artifact = next((each for each in artifacts if each.get("name") == name), None)
        if artifact is None:
            raise Refused(faults.NOT_FOUND, f'artifact "{name}" of node "{node_id}" not found', reason="NotFound")
        archive = locations.archive_of(document, str(node.get("templateName") or ""))
        place = locations.place_of(artifact, archive, self._read_model.secrets_of(namespace))
        if place is not None and folder:
            fetched = Path(folder) / "fetched"
            remote_stores.fetch(place, fetched)
            return str(fetched)
        path = ArtifactStore(self.state, namespace).find(artifact)
        if path is None:
            raise Refused(faults.NOT_FOUND, f'artifact "{name}" is not in the store', reason="NotFound")
        return str(path)

    def events(self, namespace: str, workflow: str) -> Iterator[Json]:
        """Every event of a run as JSON data, in order, for bug reports."""
        record = self._read_model.run(namespace, workflow)
        if record is None:
            raise objects.not_found("Workflow", workflow)
        return (json.loads(text) for (text,) in self._read_model.rows("run_events", record.uid))


def _make_folder(state: Path) -> None:
    try:
        for folder in (state, state / "pods", state / "artifacts", state / "claims"):
            make_private(folder)
    except FileExistsError as error:
        raise folder_error(Path(error.filename), error) from error
    except OSError as error:
        raise failure(state / "journal.sqlite", error) from error
    if not os.access(state, os.W_OK | os.X_OK):
        raise failure(state / "journal.sqlite", PermissionError("Permission denied"))


def _process_runtime(state: Path, report: Report) -> Runtime:
    from hera_utils.images.table import ImageTable
    from hera_utils.local_platform.pods.process import ProcessRuntime

    return ProcessRuntime(state, report, images=ImageTable.from_environment(os.environ))
