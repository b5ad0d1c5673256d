"""From an order to a launch: what a pod refers to is looked up, then the pod goes to its runtime or agent.

A claim, config map or secret that does not exist keeps the pod waiting, as on Kubernetes; unlike there it does not wait for ever:
on one machine nobody else will create it, so after `patience` seconds the pod fails with the sentence that names the fix.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hera_utils.interpreter.events import REJECTED, PodFinished, PodWaiting
from hera_utils.local_platform.artifacts import locations, remote
from hera_utils.local_platform.artifacts.store import ArtifactStore
from hera_utils.local_platform.clock import now, seed
from hera_utils.local_platform.pods.runtime import Launch, Report, Runtime
from hera_utils.local_platform.storage.read_model import ReadModel
from hera_utils.local_platform.storage.records import StoredPod

Json = dict[str, Any]
Refs = dict[tuple[str, str], bool]
"""(kind, name) → whether the pod can do without it."""
AGENTS = ("http", "resource", "data")
FOLDER_ANNOTATION = "hera-utils/folder"
Outcome = dict[tuple[str, str], str]
"""(node id, artifact) → what kept it from being removed, "" when it is gone."""
PATIENCE = 20.0


class Missing(Exception):
    """What a pod refers to is not there: the kubelet's or scheduler's sentence, and its fix."""


def references(pod: Json, template: Json) -> Refs:
    """Every claim, config map and secret that a pod's spec refers to, and the secrets of artifacts at web addresses."""
    found: Refs = {("Secret", name): False for name, _ in locations.required(template)}

    def note(kind: str, name: object, optional: object = False) -> None:
        if name:
            key = (kind, str(name))
            found[key] = found.get(key, True) and bool(optional)

    spec = pod.get("spec") or {}
    for volume in spec.get("volumes") or ():
        note("PersistentVolumeClaim", (volume.get("persistentVolumeClaim") or {}).get("claimName"))
        for source in [volume, *((volume.get("projected") or {}).get("sources") or ())]:
            config_map, secret = source.get("configMap") or {}, source.get("secret") or {}
            note("ConfigMap", config_map.get("name"), config_map.get("optional"))
            note("Secret", secret.get("secretName") or secret.get("name"), secret.get("optional"))
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        for variable in container.get("env") or ():
            source = variable.get("valueFrom") or {}
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                reference = source.get(field) or {}
                note(kind, reference.get("name"), reference.get("optional"))
        for source in container.get("envFrom") or ():
            for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                reference = source.get(field) or {}
                note(kind, reference.get("name"), reference.get("optional"))
    return found


class Launcher:
    """state: the state folder. report: where a pod's fate is told. Called by the controller's thread after a turn was written."""

    def __init__(self, state: Path, read_model: ReadModel, report: Report, *, patience: float = PATIENCE) -> None:
        self._state, self._read_model, self._report = state, read_model, report
        self._patience = patience
        self._waiting: dict[str, tuple[StoredPod, Json, threading.Timer]] = {}
        self.runtime: Runtime | None = None
        self.agents: Runtime | None = None

    # --- orders -------------------------------------------------------------------------------------------------------
    def launch(self, pod: StoredPod, order: Json) -> None:
        self._start(pod, order, lambda runtime, launch: runtime.launch(launch))

    def reattach(self, pod: StoredPod, order: Json) -> None:
        """After a restart: find the pod again, or launch it if it never started."""
        self._start(pod, order, lambda runtime, launch: runtime.reattach(launch))

    def _start(self, pod: StoredPod, order: Json, begin: Callable[[Runtime, Launch], None]) -> None:
        runtime = self._runtime_for(order["template"])
        driver = artifact_driver(order["template"])
        if driver:
            self._fail(pod, f"artifact driver {driver} not found", reason=REJECTED)
            return
        try:
            launch = self.prepare(pod, order)
        except Missing as missing:
            self._wait(pod, order, str(missing))
            return
        except Exception as error:  # noqa: BLE001 - a pod that a user wrote may be of any shape
            self._fail(pod, f"the pod cannot be read: {type(error).__name__}: {error}")
            return
        try:
            begin(runtime, launch)
        except Exception as error:  # noqa: BLE001 - whatever keeps a pod from starting is the end of that pod, not of the server
            self._fail(pod, f"the task could not be started: {error}")

    def is_agents(self, template: Json) -> bool:
        """Whether a template is an agent's to run."""
        return any(kind in template for kind in AGENTS)

    def _runtime_for(self, template: Json) -> Runtime:
        runtime = self.agents if self.is_agents(template) else self.runtime
        assert runtime is not None, "the controller sets both before it starts"
        return runtime

    def runtime_of(self, pod: StoredPod) -> Runtime:
        """Who has the logs of a pod."""
        assert self.runtime is not None, "the controller sets it before it starts"
        return self.runtime

    def kill(self, pod: StoredPod, *, force: bool = False) -> None:
        waiting = self._waiting.pop(pod.uid, None)
        if waiting is not None:
            waiting[2].cancel()
            self._fail(pod, "")
            return
        grace = float(json.loads(pod.body)["spec"].get("terminationGracePeriodSeconds") or 30)
        for runtime in self._runtimes():
            runtime.kill(pod.uid, grace=grace, force=force)

    def waiting(self) -> dict[str, dict[str, str]]:
        """{run uid: {node id: why its pod waits}} of the pods that wait for room (an agent's work never does)."""
        return self.runtime.waiting() if self.runtime is not None else {}

    def forget(self, pod_uid: str) -> None:
        for runtime in self._runtimes():
            runtime.forget(pod_uid)

    def remove_artifacts(self, namespace: str, keys: list[str]) -> None:
        """From the platform's own store."""
        store = ArtifactStore(self._state, namespace)
        for key in keys:
            store.remove(key)

    def elsewhere(self, namespace: str, artifact: Json, archive: Json | None) -> Json | None:
        """The place of an artifact that is not in the platform's own store."""
        try:
            return locations.place_of(artifact, archive, self._read_model.secrets_of(namespace))
        except LookupError as error:
            return {"error": str(error.args[0])}

    def remove_elsewhere(self, doomed: list[tuple[str, Json, Json]], told: Callable[[Outcome], None]) -> None:
        """Remove artifacts, (node id, artifact, place) each, from their stores in a thread of its own; then tell what became of them."""

        def remove() -> None:
            problems = _removed([place for _, _, place in doomed])
            names = [(node_id, str(artifact["name"])) for node_id, artifact, _ in doomed]
            told(dict(zip(names, problems, strict=True)))

        threading.Thread(target=remove, name="artifact-gc", daemon=True).start()

    def _runtimes(self) -> Iterator[Runtime]:
        for runtime in (self.runtime, self.agents):
            if runtime is not None:
                yield runtime

    def objects_changed(self, kind: str, namespace: str) -> None:
        """An object was created or changed: pods that waited may start now."""
        for uid, (pod, order, timer) in list(self._waiting.items()):
            if (
                pod.namespace == namespace
                and self._obstacle(json.loads(pod.body), order["template"], namespace) is None
            ):
                del self._waiting[uid]
                timer.cancel()
                self.launch(pod, order)

    def close(self) -> None:
        for _, _, timer in self._waiting.values():
            timer.cancel()
        for runtime in self._runtimes():
            runtime.close()

    # --- what a pod refers to -----------------------------------------------------------------------------------------
    def prepare(self, pod: StoredPod, order: Json) -> Launch:
        """Raises Missing."""
        body = json.loads(pod.body)
        template = order["template"]
        missing = self._obstacle(body, template, pod.namespace)
        if missing is not None:
            raise Missing(missing)
        claims: dict[str, str] = {}
        config_maps: dict[str, dict[str, str]] = {}
        secrets: dict[str, dict[str, str]] = {}
        for kind, name in references(body, template):
            found = self._read_model.object((kind, pod.namespace, name))
            if found is None:
                continue
            document = json.loads(found.text)
            if kind == "PersistentVolumeClaim":
                claims[name] = str(claim_folder(self._state, document, create=True))
            else:
                (config_maps if kind == "ConfigMap" else secrets)[name] = texts(kind, document)
        return Launch(
            pod.run, pod.node, body, template, bool(order.get("include_script_output")),
            claims, config_maps, secrets, self._read_model.annotations(pod.run), self._places(template, pod.namespace),
        )  # fmt: skip

    def _places(self, template: Json, namespace: str) -> Json:
        """Raises Missing."""
        archive = template.get("archiveLocation")
        secret = self._read_model.secrets_of(namespace)
        found: Json = {}
        try:
            for side in ("inputs", "outputs"):
                listed = (template.get(side) or {}).get("artifacts") or ()
                pairs = [(one["name"], locations.place_of(one, archive, secret)) for one in listed]
                found[side] = {name: place for name, place in pairs if place is not None}
            if (archive or {}).get("archiveLogs"):
                found["logs"] = locations.place_of({}, archive, secret)
            if source := ((template.get("data") or {}).get("source") or {}).get("artifactPaths"):
                found["source"] = locations.place_of(source, archive, secret)
        except LookupError as error:
            raise Missing(f"CreateContainerConfigError: {error.args[0]}: create it in namespace {namespace}") from None
        return found if any(found.values()) else {}

    def _obstacle(self, body: Json, template: Json, namespace: str) -> str | None:
        for (kind, name), optional in references(body, template).items():
            if optional or self._read_model.object((kind, namespace, name)) is not None:
                continue
            if kind == "PersistentVolumeClaim":
                fix = (
                    f"name its folder in the settings (volumes.{name}), let the experiment's Environment create it, "
                    f"or create it with kubectl -n {namespace} create -f -"
                )
                return f'Unschedulable: persistentvolumeclaim "{name}" not found in namespace "{namespace}": {fix}'
            what = kind.lower()
            fix = f"create it in namespace {namespace} (kubectl -n {namespace} create {what} {name} …)"
            return f'CreateContainerConfigError: {what} "{name}" not found: {fix}'
        return None

    def _wait(self, pod: StoredPod, order: Json, message: str) -> None:
        self._report(pod.run, PodWaiting(now(), seed(), pod.node, message))
        timer = threading.Timer(self._patience, self._give_up, (pod.uid, message))
        timer.daemon = True
        self._waiting[pod.uid] = (pod, order, timer)
        timer.start()

    def _give_up(self, uid: str, message: str) -> None:
        waiting = self._waiting.pop(uid, None)
        if waiting is not None:
            self._fail(waiting[0], message)

    def _fail(self, pod: StoredPod, message: str, *, reason: str = "") -> None:
        self._report(pod.run, PodFinished(now(), seed(), pod.node, "Failed", reason, message))


def _removed(doomed: list[Json]) -> list[str]:
    """What kept the artifact of each place from being removed, "" when it is gone. One process removes them all."""
    stored = [place for place in doomed if "error" not in place and place["kind"] not in locations.WEB]
    requests = [{"do": "remove", "place": place} for place in stored]
    answer = remote.ask({"requests": requests}) if stored else {}
    answers = iter(answer.get("answers") or [answer] * len(stored))
    problems = []
    for place in doomed:
        if "error" in place:
            problems.append(str(place["error"]))
        elif place["kind"] in locations.WEB:
            problems.append("delete is not supported for this artifact storage type")
        else:
            problems.append(str(next(answers).get("error") or ""))
    return problems


def artifact_driver(template: Json) -> str:
    """The artifact plugin that a template's pod would need, "" for none. This machine has none of them: Argo creates no such pod."""
    for side in ("inputs", "outputs"):
        for artifact in (template.get(side) or {}).get("artifacts") or ():
            name = (artifact.get("plugin") or {}).get("name")
            if name:
                return str(name)
    return ""


def claim_folder(state: Path, claim: Json, *, create: bool = False) -> Path:
    """The folder that a claim is on this machine: the one its annotation names, else one in the state folder."""
    metadata = claim["metadata"]
    named = (metadata.get("annotations") or {}).get(FOLDER_ANNOTATION)
    folder = Path(named) if named else state / "claims" / metadata["namespace"] / metadata["name"]
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def texts(kind: str, document: Json) -> dict[str, str]:
    """The keys of a config map or secret as text; a secret's and binary values are decoded, their bytes as latin-1."""
    data = document.get("data") or {}
    if kind == "ConfigMap":
        binary = document.get("binaryData") or {}
        return {**data, **{key: base64.b64decode(value).decode("latin-1") for key, value in binary.items()}}
    return {key: base64.b64decode(value).decode("latin-1") for key, value in data.items()}
