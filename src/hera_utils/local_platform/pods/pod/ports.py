"""Reads the ports that a pod's document names."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
NONE: frozenset[int] = frozenset()
"""One shared object for the thousands of pods that name no ports."""


def declared(pod: Json) -> frozenset[int]:
    """The ports on which the pod declares to listen: the `ports` of its containers, and those of their readiness probes."""
    ports: set[int] = set()
    for container in (pod.get("spec") or {}).get("containers") or []:
        ports.update(number for number in _numbers(container, "containerPort"))
        probe = container.get("readinessProbe") or {}
        for kind in ("httpGet", "tcpSocket"):
            port = (probe.get(kind) or {}).get("port")
            ports.update([port] if isinstance(port, int) else [])
    return frozenset(ports) or NONE


def on_host(pod: Json) -> frozenset[int]:
    """The ports of the machine itself on which the pod declares to listen."""
    return declared(pod) if uses_host(pod) else NONE


def uses_host(pod: Json) -> bool:
    """Whether the pod uses the machine's own addresses, by `hostNetwork` or a `hostPort`."""
    spec = pod.get("spec") or {}
    return bool(spec.get("hostNetwork")) or any(_numbers(c, "hostPort") for c in spec.get("containers") or [])


def by_name(container: Json) -> dict[str, int]:
    """Name → number of a container's named ports."""
    return {p["name"]: p["containerPort"] for p in container.get("ports") or [] if p.get("name")}


def _numbers(container: Json, field: str) -> list[int]:
    return [p[field] for p in container.get("ports") or [] if isinstance(p.get(field), int) and p[field]]
