"""What Kubernetes' scheduler would say of a pod on this one node: labels that it cannot have, ports that are taken.

Only selectors on the processor and the system are judged: those of a cluster's own labels (pools, zones, accelerators) say where
in the cluster a pod goes, and here there is one place. Ports of the machine itself (`hostPort`, `hostNetwork`) are taken in turns.
"""

from __future__ import annotations

import platform
from collections import Counter
from typing import Any

from . import waiting
from .pod import ports

Json = dict[str, Any]
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def misfit(pod: Json) -> str:
    """Why the pod can never run here, in the scheduler's words; "" when it can."""
    selector = (pod.get("spec") or {}).get("nodeSelector") or {}
    differing = {name: value for name, value in selector.items() if value != _LABELS.get(name, value)}
    return waiting.for_another_node(differing, _LABELS) if differing else ""


def _labels() -> dict[str, str]:
    machine, system = platform.machine(), platform.system().lower()
    values = {"arch": _GO_NAMES.get(machine, machine), "os": system}
    return {f"{prefix}kubernetes.io/{name}": value for name, value in values.items() for prefix in ("", "beta.")}


_LABELS = _labels()


def host_ports(pod: Json, *, shared: bool) -> frozenset[int]:
    """Ports of this machine that the pod takes. shared: pods have no addresses of their own here."""
    return ports.declared(pod) if shared else ports.on_host(pod)


class Ports:
    """Which run has which ports of the machine. Pods of one run are not kept from each other: they might wait for ever."""

    def __init__(self) -> None:
        self._held: dict[int, Counter[str]] = {}

    def free(self, run: str, numbers: frozenset[int]) -> bool:
        return all(holder == run for port in numbers for holder in self._held.get(port, ()))

    def held_by_others(self, run: str, numbers: frozenset[int]) -> list[int]:
        """Those that another run has."""
        return [number for number in numbers if not self.free(run, frozenset([number]))]

    def take(self, run: str, numbers: frozenset[int]) -> None:
        for port in numbers:
            self._held.setdefault(port, Counter())[run] += 1

    def give(self, run: str, numbers: frozenset[int]) -> None:
        for port in numbers:
            self._held[port][run] -= 1
            self._held[port] += Counter()  # without those at zero
