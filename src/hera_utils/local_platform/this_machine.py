"""This machine as Kubernetes describes a node: the one on which every pod runs."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from typing import Any

from hera_utils import machine_size
from hera_utils.argo import timestamps

Json = dict[str, Any]

KUBERNETES_VERSION = "v1.34.4"
"""The Kubernetes whose behaviour this is."""
NODE = "local"
"""Its name, which pods have as spec.nodeName."""
_MOST_PODS = "110"  # a kubelet's limit


_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # parameters of mallopt(3)


def share_memory() -> None:
    """Have large blocks go back to the system with their last use. By itself glibc takes them from its heap after the first ones, where
    a small one that stays keeps them: a server that had sent 70 MB to sixty clients had 1.4 GB from then on.
    """
    with contextlib.suppress(OSError, AttributeError):  # another libc has no such options
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in ((_MMAP_THRESHOLD, 2**18), (_TRIM_THRESHOLD, 2**24), (_ARENA_MAX, 2)):
            mallopt(option, value)


def give_back_memory() -> None:
    """Give the system what this process has freed. glibc keeps it: after runs of 20,000 nodes half of the process was such memory."""
    with contextlib.suppress(OSError, AttributeError):  # another libc gives back by itself
        ctypes.CDLL(None).malloc_trim(0)


def node(at: float) -> Json:
    """The node, ready since `at` (seconds)."""
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
