"""The local platform as its two APIs see it: objects with resource versions, runs, pods. Thread-safe.

Handlers never touch the journal or a run: they read through here and hand changes to the controller, the single writer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hera_utils.interpreter.events import Event

Json = dict[str, Any]


@dataclass(frozen=True)
class Stored:
    """An object as stored. kind: Workflow, WorkflowTemplate, ClusterWorkflowTemplate, CronWorkflow, ConfigMap, Secret,
    PersistentVolumeClaim, ServiceAccount, Namespace, Pod, Event… `namespace` is "" for cluster-wide kinds.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: int
    text: str
    """The object as JSON text, metadata.resourceVersion included (no apiVersion/kind for Argo's kinds)."""


@dataclass(frozen=True)
class Change:
    """type: ADDED, MODIFIED or DELETED; `stored` is the state after it (before it for DELETED).

    A workflow's `stored.text` may be empty: ask `get` for the latest state (changes of a run are coalesced).
    """

    type: str
    stored: Stored


class LocalPlatform:
    """Every method raises errors.Refused (gRPC code, Kubernetes reason) when the answer is no."""

    # --- reading -------------------------------------------------------------------------------------------------
    def get(self, kind: str, namespace: str, name: str) -> Stored:
        raise NotImplementedError

    def list(self, kind: str, namespace: str = "") -> tuple[list[Stored], int]:
        """All objects of a kind (namespace "" = of every namespace), sorted by name, and the resource version of the whole."""
        raise NotImplementedError

    def subscribe(self, kind: str, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` (from the writer's thread; it must return at once) for each change; returns how to stop."""
        raise NotImplementedError

    # --- writing: through the controller -------------------------------------------------------------------------
    def create(self, kind: str, namespace: str, document: Json, *, dry_run: bool = False) -> Stored:
        """Create any object but a workflow: name or generateName, uid, creationTimestamp are filled in."""
        raise NotImplementedError

    def update(self, kind: str, namespace: str, document: Json) -> Stored:
        """Replace an object; a stale metadata.resourceVersion is refused (Conflict)."""
        raise NotImplementedError

    def delete(self, kind: str, namespace: str, name: str) -> Stored:
        """Delete an object (a workflow: its pods are killed, its claims of volumeClaimTemplates released)."""
        raise NotImplementedError

    def lint(self, namespace: str, document: Json, kind: str = "Workflow") -> Json:
        """The normalised document, or InvalidWorkflow with Argo's message."""
        raise NotImplementedError

    def submit(self, namespace: str, document: Json, *, dry_run: bool = False) -> Stored:
        """Validate and start a workflow; when it returns, the run is stored and already `Running` for the next GET."""
        raise NotImplementedError

    def act(self, namespace: str, name: str, event: Event) -> Stored:
        """Give a run a user's event (stop, suspend, resume, retry, set…); `at` and `seed` are filled in here."""
        raise NotImplementedError

    def resubmit(self, namespace: str, name: str, *, memoized: bool = False, parameters: tuple[str, ...] = ()) -> Stored:
        raise NotImplementedError

    # --- pods ----------------------------------------------------------------------------------------------------
    def pods(self, namespace: str, workflow: str = "") -> list[Stored]:
        """The pods of a namespace or of one run, as Kubernetes Pod objects with status, oldest first."""
        raise NotImplementedError

    def pod_log(self, namespace: str, pod: str, container: str, *, follow: bool = False) -> Iterator[tuple[float, str]]:
        """(time, line) of a container of a pod, also after the pod is gone as long as its run is kept.

        With follow, (0.0, "") comes at least once a second while there is nothing new, so that a reader who left can close it.
        """
        raise NotImplementedError

    def artifact(self, namespace: str, workflow: str, node_id: str, name: str, *, output: bool = True) -> str:
        """The path, on this machine, of the file or folder that holds a node's artifact."""
        raise NotImplementedError
