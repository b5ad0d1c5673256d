"""What Kubernetes' scheduler would say of a pod on this one node: labels that it cannot have, ports that are taken.

Only selectors on the processor and the system are judged: those of a cluster's own labels (pools, zones, accelerators) say where
in the cluster a pod goes, and here there is one place. Pods share this machine's ports, as with `hostNetwork` on a node.
"""

from __future__ import annotations

import platform
from collections import Counter
from typing import Any

Json = dict[str, Any]
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_NO_NODE = "Unschedulable: 0/1 nodes are available: 1 node(s) "
TAKEN = f"{_NO_NODE}didn't have free ports for the requested pod ports."


def misfit(pod: Json) -> str:
    """Why the pod can never run here, in the scheduler's words; "" when it can."""
    selector = (pod.get("spec") or {}).get("nodeSelector") or {}
    if any(value != _LABELS.get(name, value) for name, value in selector.items()):
        return f"{_NO_NODE}didn't match Pod's node affinity/selector."
    return ""


def _labels() -> dict[str, str]:
    machine, system = platform.machine(), platform.system().lower()
    known = {"arch": _GO_NAMES.get(machine, machine), "os": system}
    return {f"{prefix}kubernetes.io/{name}": value for name, value in known.items() for prefix in ("", "beta.")}


_LABELS = _labels()


def ports_of(pod: Json) -> frozenset[int]:
    """Ports that the pod says it listens on: its containers' `ports`, and those of their readiness probes."""
    found: set[int] = set()
    for container in (pod.get("spec") or {}).get("containers") or []:
        found.update(
            p["containerPort"] for p in container.get("ports") or [] if isinstance(p.get("containerPort"), int)
        )
        probe = container.get("readinessProbe") or {}
        for kind in ("httpGet", "tcpSocket"):
            port = (probe.get(kind) or {}).get("port")
            found.update([port] if isinstance(port, int) else [])
    return frozenset(found)


class Ports:
    """Which run has which ports. Pods of one run are not kept from each other: they might wait for ever."""

    def __init__(self) -> None:
        self._held: dict[int, Counter[str]] = {}

    def free(self, run: str, ports: frozenset[int]) -> bool:
        return all(holder == run for port in ports for holder in self._held.get(port, ()))

    def take(self, run: str, ports: frozenset[int]) -> None:
        for port in ports:
            self._held.setdefault(port, Counter())[run] += 1

    def give(self, run: str, ports: frozenset[int]) -> None:
        for port in ports:
            self._held[port][run] -= 1
            self._held[port] += Counter()  # without those at zero
