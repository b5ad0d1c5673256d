"""This machine as a Kubernetes node: the one on which every pod runs."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from typing import Any

from hera_utils import machine_size
from hera_utils.argo import timestamps

Json = dict[str, Any]

KUBERNETES_VERSION = "v1.34.4"
"""The version of Kubernetes whose behaviour the local platform has."""
NODE = "local"
"""The node's name, which pods have as spec.nodeName."""
_MOST_PODS = "110"  # a kubelet's limit


_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # parameters of mallopt(3)


def share_memory() -> None:
    """Make large blocks of memory return to the system when they are freed. By default glibc soon takes them from its heap, where a
    small block that is still in use keeps them: a server that had sent 70 MB to sixty clients had 1.4 GB from then on.
    """
    with contextlib.suppress(OSError, AttributeError):  # other C libraries have no such options
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in ((_MMAP_THRESHOLD, 2**18), (_TRIM_THRESHOLD, 2**24), (_ARENA_MAX, 2)):
            mallopt(option, value)


def give_back_memory() -> None:
    """Return freed memory to the system. glibc keeps it: after runs of 20,000 nodes half of the process's memory was free."""
    with contextlib.suppress(OSError, AttributeError):  # other C libraries return memory by themselves
        ctypes.CDLL(None).malloc_trim(0)


def node(at: float) -> Json:
    """The node, ready since `at` (seconds since the epoch)."""
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    system = platform.system().lower()
    room = {"cpu": str(machine_size.cores()), "memory": f"{machine_size.memory() // 1024}Ki", "pods": _MOST_PODS}
    ready = {
        "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "the local platform runs pods here",
        "lastHeartbeatTime": timestamps.text(at), "lastTransitionTime": timestamps.text(at),
    }  # fmt: skip
    info = {
        "architecture": architecture, "operatingSystem": system, "kernelVersion": platform.release(), "osImage": platform.system(),
        "kubeletVersion": KUBERNETES_VERSION, "kubeProxyVersion": KUBERNETES_VERSION, "containerRuntimeVersion": f"hera-utils://python{platform.python_version()}",
        "machineID": "", "systemUUID": "", "bootID": "",
    }  # fmt: skip
    labels = {"kubernetes.io/hostname": NODE, "kubernetes.io/arch": architecture, "kubernetes.io/os": system}
    addresses = [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": NODE}]
    return {
        "metadata": {"name": NODE, "labels": labels},
        "spec": {},
        "status": {
            "capacity": room,
            "allocatable": room,
            "conditions": [ready],
            "addresses": addresses,
            "nodeInfo": info,
        },
    }
