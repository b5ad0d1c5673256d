"""References of a pod to its own fields (`fieldRef`), and what Kubernetes has against them, in its words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hera_utils.argo.names import invalid_value, label_key_faults
from hera_utils.argo.pod_validation.errors import required, unsupported

_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['(.*)'\]\Z", re.DOTALL)
_VARIABLES = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_FILES = ("metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")
_KNOWN = frozenset({*_VARIABLES, *_FILES, "spec.restartPolicy", "spec.schedulerName", "spec.hostNetwork", "status.phase",
                    "status.nominatedNodeName"})  # fmt: skip
"""What Kubernetes knows as fields at all, for field selectors too."""


def of_field_reference(reference: dict[str, Any], path: str, *, volume: bool = False) -> Iterator[str]:
    """volume: a file shows the field, else a variable does, which knows other fields."""
    field = reference.get("fieldPath") or ""
    if not field:
        yield required(f"{path}.fieldPath")
        return
    found = _SUBSCRIPT.match(field)
    if found is not None:
        for fault in label_key_faults(found[2].lower() if "annotations" in found[1] else found[2]):
            yield invalid_value(path, found[2], fault)
        return
    version = reference.get("apiVersion") or "v1"
    if version != "v1":
        why = f"error converting fieldPath: unsupported pod version: {version}"
        yield invalid_value(f"{path}.fieldPath", field, why)
    elif field not in _KNOWN:
        why = f"error converting fieldPath: field label not supported: {field}"
        yield invalid_value(f"{path}.fieldPath", field, why)
    else:
        yield from unsupported(f"{path}.fieldPath", field, *(_FILES if volume else _VARIABLES))
