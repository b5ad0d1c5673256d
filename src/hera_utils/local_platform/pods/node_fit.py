"""Whether a pod fits this only node, as Kubernetes' scheduler checks it: node selectors, and ports of the machine.

Only selectors on the processor and the system are checked. Labels of a cluster (pools, zones, accelerators) choose between nodes,
and here there is only one. Pods use ports of the machine (`hostPort`, `hostNetwork`) one after the other.
"""

from __future__ import annotations

import platform
from collections import Counter
from typing import Any

from . import waiting
from .pod import ports

Json = dict[str, Any]
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def reason_not_to_fit(pod: Json) -> str:
    """Why the pod can never run here, as the scheduler's message; "" when it can."""
    selector = (pod.get("spec") or {}).get("nodeSelector") or {}
    differing = {name: value for name, value in selector.items() if value != _LABELS.get(name, value)}
    return waiting.for_another_node(differing, _LABELS) if differing else ""


def _labels() -> dict[str, str]:
    machine, system = platform.machine(), platform.system().lower()
    values = {"arch": _GO_NAMES.get(machine, machine), "os": system}
    return {f"{prefix}kubernetes.io/{name}": value for name, value in values.items() for prefix in ("", "beta.")}


_LABELS = _labels()


def host_ports(pod: Json, *, shared: bool) -> frozenset[int]:
    """The ports of this machine that the pod uses. shared: all pods share the machine's addresses."""
    return ports.declared(pod) if shared else ports.on_host(pod)


class Ports:
    """Which runs use which ports of the machine. Pods of one run may use the same port, because they might otherwise wait for ever."""

    def __init__(self) -> None:
        self._held: dict[int, Counter[str]] = {}

    def free(self, run: str, numbers: frozenset[int]) -> bool:
        return all(holder == run for port in numbers for holder in self._held.get(port, ()))

    def held_by_others(self, run: str, numbers: frozenset[int]) -> list[int]:
        """The ports that another run uses."""
        return [number for number in numbers if not self.free(run, frozenset([number]))]

    def take(self, run: str, numbers: frozenset[int]) -> None:
        for port in numbers:
            self._held.setdefault(port, Counter())[run] += 1

    def give(self, run: str, numbers: frozenset[int]) -> None:
        for port in numbers:
            self._held[port][run] -= 1
            self._held[port] += Counter()  # removes runs whose count is zero
