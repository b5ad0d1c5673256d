"""Checks by its readiness probe whether a container is ready."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from .network import LOOPBACK
from .plan import ContainerPlan

Json = dict[str, Any]


class ProbeTarget(NamedTuple):
    """How a probe reaches its container. run: runs a command in it and gives whether it exited with 0. address: the pod's.

    proc: a /proc that shows the pod's processes.
    """

    run: Callable[[list[str]], bool]
    address: str
    proc: str


def problem(plan: ContainerPlan, target: ProbeTarget) -> str:
    """Why the container is not ready; "" when it is."""
    probe = plan.readiness or {}
    wait = float(probe.get("timeoutSeconds") or 1)
    if (command := probe.get("exec")) is not None:
        argv = [str(a) for a in command.get("command") or []]
        return "" if target.run(argv) else f"{' '.join(argv)}: failed"
    network = probe.get("httpGet") or probe.get("tcpSocket")
    if not network:
        return ""
    port = network.get("port")
    number = plan.port_names.get(port, port) if isinstance(port, str) else port
    if not isinstance(number, int) and not str(number).isdecimal():
        return f'the container has no port named "{port}": give one of its ports this name'
    host = str(network.get("host") or target.address)
    if host == LOOPBACK and not _listens(target.proc, int(number)) and _answers(host, int(number), wait):
        return f"port {number} of this machine is used by another program: give one of the two another port"
    if probe.get("httpGet"):
        scheme = str(network.get("scheme") or "HTTP").lower()
        return _http(f"{scheme}://{host}:{number}{network.get('path') or '/'}", network.get("httpHeaders") or [], wait)
    return _tcp(host, int(number), wait)


def _http(url: str, headers: list[Json], wait: float) -> str:
    import http.client
    import urllib.error
    import urllib.request  # imported here, because forks of a larger process take longer

    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]  # pods are not behind a proxy
    if url.startswith("https:"):
        import ssl

        # Like the kubelet, a probe does not verify the certificate.
        handlers.append(urllib.request.HTTPSHandler(context=ssl._create_unverified_context()))
    try:
        request = urllib.request.Request(url, headers={str(h["name"]): str(h.get("value") or "") for h in headers})
        with urllib.request.build_opener(*handlers).open(request, timeout=wait) as answer:
            return "" if 200 <= int(answer.status) < 400 else f"GET {url}: {answer.status}"
    except urllib.error.HTTPError as error:
        return f"GET {url}: {error.code}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"GET {url}: {getattr(error, 'reason', error)}"


def _tcp(host: str, port: int, wait: float) -> str:
    try:
        socket.create_connection((host, port), wait).close()
    except OSError as error:
        return f"connection to {host}:{port}: {error}"
    return ""


def _answers(host: str, port: int, wait: float) -> bool:
    return not _tcp(host, port, wait)


def _listens(proc: str, port: int) -> bool:
    """Whether a process of the pod listens on a port."""
    sockets = set()
    for table in ("tcp", "tcp6"):
        try:
            with open(f"{proc}/self/net/{table}") as lines:
                next(lines)
                fields = [line.split() for line in lines]
        except OSError:
            continue
        sockets |= {f"socket:[{f[9]}]" for f in fields if f[3] == "0A" and int(f[1].rpartition(":")[2], 16) == port}
    return bool(sockets) and any(
        not sockets.isdisjoint(_open(proc, pid)) for pid in os.listdir(proc) if pid.isdecimal() and pid != "1"
    )


def _open(proc: str, pid: str) -> list[str]:
    folder = f"{proc}/{pid}/fd"
    links = []
    try:
        for name in os.listdir(folder):
            links.append(os.readlink(f"{folder}/{name}"))
    except OSError:
        pass  # the process has ended, or belongs to another user
    return links
