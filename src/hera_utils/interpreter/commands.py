"""The commands that `advance` returns: all actions that a run can request.

They are frozen values that survive JSON unchanged. The controller stores them in its outbox in the same transaction as the state,
then performs them; after a crash it repeats those that were not settled, so each must be idempotent by its key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Command:
    pass


@dataclass(frozen=True)
class LaunchPod(Command):
    """Run a pod. Settled by PodFinished of the same node.

    pod: a Kubernetes Pod document as Argo's controller would create it, without the executor's containers: metadata (name as Argo's
    v2 pod names, labels, annotations) and spec (initContainers, containers with `main` and the sidecars, volumes, activeDeadlineSeconds…).
    template: the Argo template after substitution; the executor reads inputs, outputs and kind (container, script, containerSet,
    http, resource, data) from it.
    """

    node_id: str
    pod: Json
    template: Json
    include_script_output: bool = False


@dataclass(frozen=True)
class KillPod(Command):
    """End a pod early: SIGTERM, then SIGKILL after its grace period. `PodFinished` follows unless the pod had already ended."""

    node_id: str
    pod_name: str
    force: bool = False


@dataclass(frozen=True)
class DeletePod(Command):
    """Remove a finished pod (podGC). Its logs stay with the run.

    selector: a label selector as an object; a pod whose labels it does not match stays.
    """

    pod_name: str
    selector: Json | None = None


@dataclass(frozen=True)
class SetTimer(Command):
    """Send TimerFired(key) at that time (seconds since the epoch). A later SetTimer of the same key replaces it; at=0 cancels."""

    key: str
    at: float


@dataclass(frozen=True)
class AskLock(Command):
    """Acquire mutexes and semaphores for `holder` (a key of the run). Answered by LockAnswered, perhaps several times."""

    holder: str
    synchronization: Json
    priority: int = 0
    created_at: float = 0.0


@dataclass(frozen=True)
class ReleaseLock(Command):
    holder: str


@dataclass(frozen=True)
class ReadObject(Command):
    """Read a Kubernetes object of the run's namespace (config maps for memoization). Answered by ObjectRead(key)."""

    key: str
    kind: str
    name: str


@dataclass(frozen=True)
class WriteObject(Command):
    """Create or merge a Kubernetes object of the run's namespace (claims of volumeClaimTemplates, memoization entries…)."""

    document: Json


@dataclass(frozen=True)
class DeleteObject(Command):
    kind: str
    name: str


@dataclass(frozen=True)
class EmitEvent(Command):
    """Record a Kubernetes event on the run (type Normal or Warning)."""

    reason: str
    message: str
    type: str = "Warning"


@dataclass(frozen=True)
class EmitMetric(Command):
    """Report a custom metric (Argo: metrics.prometheus). kind: counter | gauge | histogram; `operation` (Set, Add, Sub): of a gauge.

    since: the start of a real-time gauge, whose value is the seconds since then (up to `until`, once set); its `value` is unused.
    """

    name: str
    help: str
    kind: str
    labels: dict[str, str] = field(default_factory=dict)
    value: float = 0.0
    operation: str = "Set"
    buckets: tuple[float, ...] = ()
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class Finish(Command):
    """The run is over; performed once after its last state was stored (ttlStrategy, archive, artifact and pod garbage collection)."""

    delete_after: float | None = None
    metadata: Json = field(default_factory=dict)
