"""Whether a container is ready, by its readiness probe."""

from __future__ import annotations

import os
import socket
from typing import Any

from . import system
from .plan import ContainerPlan

Json = dict[str, Any]


def ready(plan: ContainerPlan, pid: int) -> bool:
    """pid: the container's first process."""
    probe = plan.readiness or {}
    wait = float(probe.get("timeoutSeconds") or 1)
    if http := probe.get("httpGet"):
        return _http(http, wait)
    if tcp := probe.get("tcpSocket"):
        return _tcp(str(tcp.get("host") or "127.0.0.1"), int(tcp.get("port") or 0), wait)
    if (command := probe.get("exec")) is not None:
        return run_inside(plan, pid, [str(a) for a in command.get("command") or []])
    return True


def _http(probe: Json, wait: float) -> bool:
    import urllib.request  # not at the top: a fork of a bigger process takes longer

    scheme = str(probe.get("scheme") or "HTTP").lower()
    url = f"{scheme}://{probe.get('host') or '127.0.0.1'}:{probe.get('port')}{probe.get('path') or '/'}"
    try:
        with urllib.request.urlopen(url, timeout=wait) as answer:
            return 200 <= int(answer.status) < 400
    except (OSError, ValueError):
        return False


def _tcp(host: str, port: int, wait: float) -> bool:
    try:
        socket.create_connection((host, port), wait).close()
    except OSError:
        return False
    return True


def run_inside(plan: ContainerPlan, pid: int, argv: list[str]) -> bool:
    """Run a command in a container; whether it exited with 0."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for name, kind in (("pid", system.CLONE_NEWPID), ("mnt", system.CLONE_NEWNS)):
                fd = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY)
                system.setns(fd, kind)
            os.chdir(plan.cwd)
            inside = os.posix_spawnp(
                argv[0],
                argv,
                plan.env,
                file_actions=[(os.POSIX_SPAWN_OPEN, i, "/dev/null", os.O_RDWR, 0) for i in range(3)],
            )
            status = 0 if os.waitpid(inside, 0)[1] == 0 else 1
        except (OSError, ValueError, IndexError):
            status = 1
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1] == 0
