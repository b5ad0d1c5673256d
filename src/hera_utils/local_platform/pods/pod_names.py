"""What Kubernetes has against the names in a pod. Here they name files and folders as well, and none may lead elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hera_utils.argo.names import aggregate, invalid_value, label_faults

Json = dict[str, Any]


def complaint(pod: Json) -> str:
    """Why Kubernetes would not create the pod; "" where its names are legal."""
    faults = list(_faults(pod.get("spec") or {}))
    return f'Pod "{pod["metadata"]["name"]}" is invalid: {aggregate(faults)}' if faults else ""


def _faults(spec: Json) -> Iterator[str]:
    for group in ("volumes", "containers", "initContainers"):
        for number, one in enumerate(spec.get(group) or ()):
            place, name = f"spec.{group}[{number}].name", str(one.get("name") or "")
            if not name:
                yield f"{place}: Required value"
                continue
            for fault in label_faults(name):
                yield invalid_value(place, name, fault)
