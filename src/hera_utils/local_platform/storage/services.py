"""Kubernetes' defaults and validation of Services, Deployments and StatefulSets. Pure.

They are only stored, for clients that create, read, patch or delete them: this machine neither runs the pods of a set nor routes to those
of a service. Messages: ValidateService, ValidateDeployment, ValidateStatefulSet.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from hera_utils.argo.selectors import label_selector_of
from hera_utils.errors import Refused

Json = dict[str, Any]

KINDS = frozenset({"Service", "Deployment", "StatefulSet"})
_LARGEST_PORT = 65535


def complete(kind: str, document: Json) -> list[str]:
    """Add Kubernetes' defaults. Returns the faults for which Kubernetes would refuse the object, [] when there are none."""
    spec = document.get("spec")
    if not isinstance(spec, dict):
        spec = document["spec"] = {}
    if kind == "Service":
        return _complete_service(document, spec)
    if kind == "StatefulSet":
        defaults = {"podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10, "serviceName": "",
                    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}}  # fmt: skip
        document.setdefault("status", {"replicas": 0, "availableReplicas": 0})
    else:
        rolling = {"maxSurge": "25%", "maxUnavailable": "25%"}
        defaults = {"progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
                    "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}}  # fmt: skip
        document.setdefault("status", {})
    for field, value in {"replicas": 1, **defaults}.items():
        spec.setdefault(field, value)
    return _set_faults(spec)


def _complete_service(document: Json, spec: Json) -> list[str]:
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    external = spec["type"] == "ExternalName"
    if not external:
        number = zlib.crc32(str(document["metadata"].get("uid")).encode()) % 65534 + 1
        address = spec.setdefault("clusterIP", f"10.96.{number >> 8}.{number & 255}")
        spec.setdefault("clusterIPs", [address])
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
    document.setdefault("status", {"loadBalancer": {}})
    ports = [port for port in spec.get("ports") or () if isinstance(port, dict)]
    if not ports and not external and spec.get("clusterIP") != "None":
        return ["spec.ports: Required value"]
    faults: list[str] = []
    for index, port in enumerate(ports):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port", 0))
        if len(ports) > 1 and not port.get("name"):
            faults.append(f"spec.ports[{index}].name: Required value")
        for field in ("port", "targetPort"):
            value = port.get(field)
            if isinstance(value, int) and not 1 <= value <= _LARGEST_PORT:
                text = f"spec.ports[{index}].{field}: Invalid value: {value}: must be between 1 and 65535, inclusive"
                faults.append(text)
    return faults


def _set_faults(spec: Json) -> list[str]:
    """The faults of a set of pods: of its replicas, its selector, its template."""
    template = spec.get("template") if isinstance(spec.get("template"), dict) else {}
    labels = ((template or {}).get("metadata") or {}).get("labels") or {}
    faults: list[str] = []
    replicas = spec["replicas"]
    if isinstance(replicas, int) and replicas < 0:
        faults.append(f"spec.replicas: Invalid value: {replicas}: must be greater than or equal to 0")
    selector = spec.get("selector") or {}
    if not selector:
        faults.append("spec.selector: Required value")
    try:
        selects = label_selector_of(selector).matches(labels)
    except Refused:
        selects = True  # an invalid selector is not compared with the labels
    if not selects:
        text = json.dumps(labels, separators=(",", ":"))
        faults.append(
            f"spec.template.metadata.labels: Invalid value: {text}: `selector` does not match template `labels`"
        )
    if not ((template or {}).get("spec") or {}).get("containers"):
        faults.append("spec.template.spec.containers: Required value")
    return faults
