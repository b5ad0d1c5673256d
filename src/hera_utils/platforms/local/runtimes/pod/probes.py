"""Whether a container is ready, by its readiness probe."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from .plan import ContainerPlan

Json = dict[str, Any]


def ready(plan: ContainerPlan, run: Callable[[list[str]], bool]) -> bool:
    """run: runs a command in the container and says whether it exited with 0."""
    probe = plan.readiness or {}
    wait = float(probe.get("timeoutSeconds") or 1)
    if http := probe.get("httpGet"):
        return _http(http, wait)
    if tcp := probe.get("tcpSocket"):
        return _tcp(str(tcp.get("host") or "127.0.0.1"), int(tcp.get("port") or 0), wait)
    if (command := probe.get("exec")) is not None:
        return run([str(a) for a in command.get("command") or []])
    return True


def _http(probe: Json, wait: float) -> bool:
    import urllib.request  # not at the top: a fork of a bigger process takes longer

    scheme = str(probe.get("scheme") or "HTTP").lower()
    url = f"{scheme}://{probe.get('host') or '127.0.0.1'}:{probe.get('port')}{probe.get('path') or '/'}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # as the kubelet's: no proxy leads to a pod
    try:
        with direct.open(url, timeout=wait) as answer:
            return 200 <= int(answer.status) < 400
    except (OSError, ValueError):
        return False


def _tcp(host: str, port: int, wait: float) -> bool:
    try:
        socket.create_connection((host, port), wait).close()
    except OSError:
        return False
    return True
