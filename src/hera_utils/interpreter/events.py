"""The events of a run, which are the inputs of `advance`.

They are frozen values that survive JSON unchanged (`to_json`, `from_json`): the journal stores them, a bug report is a list of them.
Time is seconds since the epoch (UTC); `seed` is random text from which every random choice of that step is drawn.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Event:
    at: float
    seed: str = ""


@dataclass(frozen=True)
class Submitted(Event):
    """The workflow was accepted.

    templates: the WorkflowTemplates and ClusterWorkflowTemplates that it can reach, whole documents (`kind` set).
    config_maps: those of its namespace that may hold parameters (label workflows.argoproj.io/configmap-type), by name: {key: text}.
    repository: the namespace's default artifact repository as Argo's status.artifactRepositoryRef, {} when it has none.
    durations: seconds that its nodes will probably take, by their names without the workflow's; `workflow`: the whole.
    """

    templates: tuple[Json, ...] = ()
    config_maps: dict[str, dict[str, str]] = field(default_factory=dict)
    repository: Json = field(default_factory=dict)
    durations: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class PodStarted(Event):
    """Every container of the pod runs (a daemon: it is ready). ip: its address. containers: those with a known image."""

    node_id: str = ""
    ip: str = "127.0.0.1"
    host: str = ""
    containers: tuple[ContainerState, ...] = ()


@dataclass(frozen=True)
class PodProgressed(Event):
    """The pod wrote its progress, as N/M (ARGO_PROGRESS_FILE), or one of its containers changed state."""

    node_id: str = ""
    progress: str = ""
    containers: tuple[ContainerState, ...] = ()


@dataclass(frozen=True)
class PodWaiting(Event):
    """The pod cannot start yet, or cannot continue (no room on the machine or its disk…). The node keeps its phase, with this message.

    An empty message means that it no longer waits for that reason.
    """

    node_id: str = ""
    message: str = ""


@dataclass(frozen=True)
class ContainerState:
    """The state of one container of a pod; `exit_code` None while it runs. `reason` as the kubelet's: Error, OOMKilled, Completed.

    image_id: the image by digest (docker.io/library/alpine@sha256:…), "" for a stand-in. python: how its interpreter started, as in
    argo.annotations.RAN; "" if unknown. tail: the end of the output of a failed container, or which memory
    limit it exceeded.
    """

    name: str
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    started_at: float | None = None
    finished_at: float | None = None
    init: bool = False
    image_id: str = ""
    python: str = ""
    tail: str = ""


REJECTED = "Rejected"
POD_DELETED = "pod deleted"
"""The message of a pod that was deleted before its end was known. For Argo that is an error of its node, not a failure."""


@dataclass(frozen=True)
class PodFinished(Event):
    """The pod has ended, with all data that the kubelet and Argo's executor would report.

    phase: Succeeded | Failed (as a pod's); reason, message: the pod's own (DeadlineExceeded, Evicted, deleted…), often empty.
    reason REJECTED: the pod could not even be created (unknown image, Kubernetes would refuse it); `message` says why. To Argo this
    is an error of the step or task, not a failed pod.
    outputs: Argo's Outputs object as the executor reports it: {"parameters": [{"name", "value"}], "artifacts": […], "result", "exitCode"}.
    error: why the executor failed (an output artifact is missing, an input artifact cannot be fetched), else "".
    warnings: sentences for the user about problems that were no failure (a part of an artifact that Argo also leaves out).
    stand_ins: a sentence for each stand-in for an image that the server chose.
    used: the resources that its processes used, as in argo.annotations.RAN; {} if unknown.
    start: the start of the pod when it was not reported before.
    """

    node_id: str = ""
    phase: str = "Succeeded"
    reason: str = ""
    message: str = ""
    containers: tuple[ContainerState, ...] = ()
    outputs: Json = field(default_factory=dict)
    error: str = ""
    warnings: tuple[str, ...] = ()
    stand_ins: tuple[str, ...] = ()
    used: Json = field(default_factory=dict)
    start: PodStarted | None = None


@dataclass(frozen=True)
class TimerFired(Event):
    """A timer of SetTimer is due."""

    key: str = ""


@dataclass(frozen=True)
class LockAnswered(Event):
    """The answer to AskLock: the locks are granted, or the holder has to wait (then `message` is Argo's).

    status: granted: {"holding": [lock names]}; waiting: {"waiting": lock name, "limit": how many may hold it,
    "holders": {lock name: who holds it}};
    impossible (no such config map, a database lock): {"error": message, "bug": whether Argo's controller panics at it}. Lock names as
    Argo's: `ns/Mutex/name`, `ns/ConfigMap/name/key`.
    """

    holder: str = ""
    granted: bool = False
    message: str = ""
    status: Json = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectRead(Event):
    """The answer to ReadObject; `document` is None when there is no such object."""

    key: str = ""
    document: Json | None = None


@dataclass(frozen=True)
class ShutdownRequested(Event):
    """A user stops (strategy Stop: exit handlers still run) or terminates (Terminate) the run, or some suspended nodes of it."""

    strategy: str = "Stop"
    message: str = ""
    node_field_selector: str = ""


@dataclass(frozen=True)
class SuspendRequested(Event):
    """A user suspends the run: nothing new starts."""


@dataclass(frozen=True)
class ResumeRequested(Event):
    """A user resumes a suspended run, or the suspend nodes that the selector names."""

    node_field_selector: str = ""


@dataclass(frozen=True)
class SetRequested(Event):
    """A user sets the phase, message or output parameters of suspend nodes."""

    node_field_selector: str = ""
    phase: str = ""
    message: str = ""
    output_parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RetryRequested(Event):
    """A user retries a failed run in place: failed nodes are removed and run again.

    invalid: the fault of the workflow, which is validated once more (a template that it refers to no longer exists…), or "".
    """

    restart_successful: bool = False
    node_field_selector: str = ""
    parameters: tuple[str, ...] = ()
    invalid: str = ""


def to_json(event: Event) -> Json:
    """The event as plain JSON data, its class name under "event"."""
    return {"event": type(event).__name__, **dataclasses.asdict(event)}


def from_json(data: Json) -> Event:
    """The inverse of `to_json`. Raises KeyError for an unknown event."""
    fields = dict(data)
    kind = _KINDS[fields.pop("event")]
    if fields.get("start"):
        fields["start"] = from_json({"event": PodStarted.__name__, **fields["start"]})
    if "containers" in fields:
        fields["containers"] = tuple(ContainerState(**c) for c in fields["containers"])
    for name in ("templates", "parameters", "warnings", "stand_ins"):
        if name in fields:
            fields[name] = tuple(fields[name])
    return kind(**fields)


_KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        Submitted, PodStarted, PodProgressed, PodWaiting, PodFinished, TimerFired, LockAnswered, ObjectRead,
        ShutdownRequested, SuspendRequested, ResumeRequested, SetRequested, RetryRequested,
    )
}  # fmt: skip
