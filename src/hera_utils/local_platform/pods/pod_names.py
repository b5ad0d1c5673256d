"""Checks the names in a pod by Kubernetes' rules. Here they also become names of files and folders, which must not lead elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hera_utils.argo.names import aggregate, invalid_value, label_faults

Json = dict[str, Any]


def complaint(pod: Json) -> str:
    """Kubernetes' refusal of a pod with invalid names; "" when they are valid."""
    faults = list(_faults(pod.get("spec") or {}))
    return f'Pod "{pod["metadata"]["name"]}" is invalid: {aggregate(faults)}' if faults else ""


def _faults(spec: Json) -> Iterator[str]:
    for group in ("volumes", "containers", "initContainers"):
        for number, part in enumerate(spec.get(group) or ()):
            place, name = f"spec.{group}[{number}].name", str(part.get("name") or "")
            if not name:
                yield f"{place}: Required value"
                continue
            for fault in label_faults(name):
                yield invalid_value(place, name, fault)
