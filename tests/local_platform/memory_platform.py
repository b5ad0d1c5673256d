"""A platform that only stores objects with resource versions and executes nothing, for tests of LocalPlatform's users."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hera_utils.argo import faults, timestamps
from hera_utils.argo.phases import COMPLETED
from hera_utils.argo.schema import decode
from hera_utils.errors import InvalidWorkflow, Refused
from hera_utils.interpreter.events import Event
from hera_utils.local_platform.platform import LocalPlatform
from hera_utils.local_platform.storage.records import ObjectChange, StoredObject, StoredRun

Json = dict[str, Any]

RESOURCES = {
    "Workflow": "workflows.argoproj.io",
    "WorkflowTemplate": "workflowtemplates.argoproj.io",
    "ClusterWorkflowTemplate": "clusterworkflowtemplates.argoproj.io",
    "CronWorkflow": "cronworkflows.argoproj.io",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "Namespace": "namespaces",
    "Pod": "pods",
    "ServiceAccount": "serviceaccounts",
    "PersistentVolumeClaim": "persistentvolumeclaims",
}
ARGO = ("Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate", "CronWorkflow")


class EmptyArchive:
    def records(self, namespace=""):
        return []

    def uid_of(self, namespace, name):
        return ""

    def document(self, uid, *, nodes=True):
        return None


def _is_over(document: Json) -> bool:
    return (document.get("status") or {}).get("phase") in COMPLETED


class MemoryPlatform(LocalPlatform):
    archive = EmptyArchive()

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.version = 100
        self.objects: dict[tuple[str, str, str], StoredObject] = {}
        self.listeners: dict[str, list[Callable[[ObjectChange], None]]] = {}
        self.acted: list[tuple[str, Event]] = []
        self.lines: dict[tuple[str, str], list[tuple[float, str]]] = {}
        self.live: set[str] = set()
        self.artifacts: dict[tuple[str, str, str], Path] = {}
        for name in ("default", "argo"):
            self.create("Namespace", "", {"metadata": {"name": name}})

    # --- reading
    def get(self, kind: str, namespace: str, name: str, *, nodes: bool = True) -> StoredObject:
        with self.lock:
            found = self.objects.get((kind, namespace, name))
        if found is None:
            raise faults.not_found(RESOURCES.get(kind, kind.lower() + "s"), name)
        return found

    def list(self, kind: str, namespace: str = "", *, nodes: bool = True) -> tuple[list[StoredObject], int]:
        with self.lock:
            found = [s for k, s in sorted(self.objects.items()) if k[0] == kind and namespace in ("", k[1])]
            return found, self.version

    def newest_runs(self, namespace: str = "") -> tuple[list[StoredRun], int]:
        found, version = self.list("Workflow", namespace)
        runs = []
        for one in found:
            document = json.loads(one.text)
            created = timestamps.seconds(document["metadata"]["creationTimestamp"])
            start = (document.get("status") or {}).get("startedAt") or ""
            end = (document.get("status") or {}).get("finishedAt")
            finished = timestamps.seconds(end) if end else None
            runs.append(
                StoredRun(one.uid, one.namespace, one.name, one.resource_version, created, finished, start=start)
            )
        return sorted(runs, key=lambda run: (run.start or "9", run.name), reverse=True), version

    def subscribe(self, kind: str, listener: Callable[[ObjectChange], None]) -> Callable[[], None]:
        self.listeners.setdefault(kind, []).append(listener)
        return lambda: self.listeners[kind].remove(listener)

    # --- writing
    def put(self, kind: str, document: Json, change: str = "MODIFIED") -> StoredObject:
        with self.lock:
            self.version += 1
            metadata = document["metadata"]
            metadata["resourceVersion"] = str(self.version)
            stored = StoredObject(
                kind, metadata.get("namespace", ""), metadata["name"], metadata["uid"], self.version,
                json.dumps(document, separators=(",", ":")),
            )  # fmt: skip
            self.objects[kind, stored.namespace, stored.name] = stored
            shown = (
                StoredObject(kind, stored.namespace, stored.name, stored.uid, self.version, "")
                if kind == "Workflow"
                else stored
            )
        for listener in list(self.listeners.get(kind, ())):
            listener(ObjectChange(change, shown, _is_over(document)))
        return stored

    def create(self, kind: str, namespace: str, document: Json, *, dry_run: bool = False) -> StoredObject:
        metadata = dict(document.get("metadata") or {})
        metadata.setdefault("name", f"{metadata.get('generateName', 'x-')}{uuid.uuid4().hex[:5]}")
        metadata |= {"uid": str(uuid.uuid4()), "creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        if namespace:
            metadata["namespace"] = namespace
        if (kind, namespace, metadata["name"]) in self.objects:
            raise faults.already_exists(RESOURCES[kind], metadata["name"])
        return self.put(kind, {"metadata": metadata, **{k: v for k, v in document.items() if k != "metadata"}}, "ADDED")

    def update(self, kind: str, namespace: str, document: Json) -> StoredObject:
        name = document["metadata"]["name"]
        old = json.loads(self.get(kind, namespace, name).text)["metadata"]
        given = document["metadata"].get("resourceVersion")
        if given and given != old["resourceVersion"]:
            raise faults.conflict(RESOURCES[kind], name)
        return self.put(
            kind,
            {**document, "metadata": {**document["metadata"], **{k: old[k] for k in ("uid", "creationTimestamp")}}},
        )

    def delete(self, kind: str, namespace: str, name: str) -> StoredObject:
        stored = self.get(kind, namespace, name)
        with self.lock:
            del self.objects[kind, namespace, name]
            self.version += 1
            stored = StoredObject(kind, namespace, name, stored.uid, self.version, stored.text)
        for listener in list(self.listeners.get(kind, ())):
            listener(ObjectChange("DELETED", stored))
        return stored

    def lint(self, namespace: str, document: Json, kind: str = "Workflow") -> Json:
        decoded = decode(document, kind) if kind in ARGO else document
        spec = decoded.get("spec") or {}
        names = {t.get("name") for t in spec.get("templates") or ()}
        if kind == "Workflow" and not spec.get("workflowTemplateRef") and spec.get("entrypoint") not in names:
            raise InvalidWorkflow(f"template name '{spec.get('entrypoint')}' undefined")
        return decoded

    def submit(self, namespace: str, document: Json, *, dry_run: bool = False) -> StoredObject:
        document = self.lint(namespace, document)
        for key in ("apiVersion", "kind"):
            document.pop(key, None)
        document["status"] = {"phase": "Running", "startedAt": "2026-11-23T10:00:00Z", "finishedAt": None}
        document["metadata"] = dict(document.get("metadata") or {})
        document["metadata"]["labels"] = {
            **(document["metadata"].get("labels") or {}), "workflows.argoproj.io/phase": "Running",
        }  # fmt: skip
        return self.create("Workflow", namespace, document)

    def act(self, namespace: str, name: str, event: Event) -> StoredObject:
        self.acted.append((name, event))
        return self.get("Workflow", namespace, name)

    def resubmit(
        self, namespace: str, name: str, *, memoized: bool = False, parameters: tuple[str, ...] = ()
    ) -> StoredObject:
        if memoized:
            raise Refused(faults.INVALID_ARGUMENT, "workflow must be Failed/Error to resubmit in memoized mode")
        document = json.loads(self.get("Workflow", namespace, name).text)
        document["metadata"] = {"generateName": "again-"}
        return self.submit(namespace, document)

    # --- pods
    def add_pod(
        self, namespace: str, workflow: str, name: str, started: float, phase: str = "Succeeded"
    ) -> StoredObject:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started))
        return self.create(
            "Pod",
            namespace,
            {
                "metadata": {"name": name, "labels": {"workflows.argoproj.io/workflow": workflow, "step": name[-1]}},
                "spec": {"containers": [{"name": "main"}], "initContainers": [{"name": "init"}]},
                "status": {"phase": phase, "startTime": stamp},
            },
        )

    def pods(self, namespace: str, workflow: str = "") -> list[StoredObject]:
        found = [s for s in MemoryPlatform.list(self, "Pod", namespace)[0]]
        if workflow:
            found = [
                s
                for s in found
                if json.loads(s.text)["metadata"]["labels"]["workflows.argoproj.io/workflow"] == workflow
            ]
        return sorted(found, key=lambda s: json.loads(s.text)["status"]["startTime"])

    def pod_log(
        self, namespace: str, pod: str, container: str, *, uid: str = "", follow: bool = False, tail: int | None = None
    ) -> Iterator[tuple[float, str]]:
        self.get("Pod", namespace, pod)
        at = 0 if tail is None else max(0, len(self.lines.get((pod, container), [])) - tail)
        while True:
            lines = self.lines.get((pod, container), [])
            while at < len(lines):
                yield lines[at]
                at += 1
            if not follow or pod not in self.live:
                return
            yield 0.0, ""
            time.sleep(0.02)

    def artifact_of(self, document: Json, node_id: str, name: str, *, output: bool = True, folder: str = "") -> str:
        return str(self.artifacts[document["metadata"]["name"], node_id, name])
