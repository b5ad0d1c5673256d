"""Kubernetes' validation of a pod's references to its own fields (`fieldRef`), with its messages. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hera_utils.argo.names import invalid_value, label_key_faults
from hera_utils.argo.pod_validation.errors import check_choice, required

_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['(.*)'\]\Z", re.DOTALL)
_VARIABLES = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_FILES = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_KNOWN = frozenset({*_VARIABLES, *_FILES, "spec.restartPolicy", "spec.schedulerName", "spec.hostNetwork", "status.phase",
                    "status.nominatedNodeName"})  # fmt: skip
"""The fields that Kubernetes knows, including those for field selectors."""


def check_field_reference(reference: dict[str, Any], path: str, *, volume: bool = False) -> Iterator[str]:
    """The complaints about a reference. volume: whether it is in a volume, where other fields are allowed than in a variable."""
    field = reference.get("fieldPath") or ""
    if not field:
        yield required(f"{path}.fieldPath")
        return
    match = _SUBSCRIPT.match(field)
    if match is not None:
        for fault in label_key_faults(match[2].lower() if "annotations" in match[1] else match[2]):
            yield invalid_value(path, match[2], fault)
        return
    version = reference.get("apiVersion") or "v1"
    if version != "v1":
        why = f"error converting fieldPath: unsupported pod version: {version}"
        yield invalid_value(f"{path}.fieldPath", field, why)
    elif field not in _KNOWN:
        why = f"error converting fieldPath: field label not supported: {field}"
        yield invalid_value(f"{path}.fieldPath", field, why)
    else:
        yield from check_choice(f"{path}.fieldPath", field, *(_FILES if volume else _VARIABLES))
