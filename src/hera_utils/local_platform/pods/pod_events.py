"""Makes the events that a runtime reports about a pod from its supervisor's records. Pure except for the time."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from hera_utils.argo import timestamps
from hera_utils.interpreter.events import ContainerState, PodFinished, PodStarted

from .runtime import Launch

Json = dict[str, Any]
_SOON = 2.0  # seconds


def since(pod: Json, now: float) -> float:
    """When a pod that the runtime gets now was created. It is `now`, unless the pod had to wait for an object or for another server."""
    created = timestamps.read(pod["metadata"].get("creationTimestamp"))  # whole seconds
    return now if created is None or now - created < _SOON else created


def event_of_start(launch: Launch, at: float, *, host: str, ip: str, image_ids: Mapping[str, str]) -> PodStarted:
    """The event for a started pod. image_ids: container → its image by digest; stand-ins have none."""
    states = tuple(ContainerState(name, started_at=at, image_id=image_id) for name, image_id in image_ids.items())
    return PodStarted(at=at, node_id=launch.node_id, host=host, ip=ip, containers=states)


def event_of_end(launch: Launch, record: Json) -> PodFinished:
    """The event for an ended pod. record: its outcome."""
    used = {sys.intern(name): figure for name, figure in (record.get("used") or {}).items()}  # nodes share the names
    return PodFinished(
        at=record["at"],
        node_id=launch.node_id,
        phase=record["phase"],
        reason=record["reason"],
        message=record["message"],
        containers=tuple(ContainerState(**c) for c in record["containers"]),
        outputs=record["outputs"],
        error=record["error"],
        warnings=tuple(record.get("warnings") or ()),  # absent in records of older versions
        stand_ins=tuple(record.get("stand_ins") or ()),
        used=used,
    )


def is_of_artifacts(warning: str) -> bool:
    """Whether a warning is about artifacts. Other warnings are about an image, and equal for all pods of a run with that image."""
    return warning.startswith("artifact ")


def failure(launch: Launch, message: str, *, reason: str = "") -> PodFinished:
    """The event for a pod that did not run."""
    return PodFinished(at=time.time(), node_id=launch.node_id, phase="Failed", reason=reason, message=message)
