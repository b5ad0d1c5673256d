"""Messages that say why a pod is pending, all in one place. Pure.

They begin with the words of Kubernetes' scheduler and kubelet, which clients know, and continue with this machine's numbers and with
what to do. Which module detects each reason:

    an object or a key of a secret is missing            references.py, for launcher.py
    the machine is not what its nodeSelector names       node_fit.py, for process.py
    another run has its port                             node_fit.py, for process.py
    too few cores, CPU, memory, or too many pods         resource_queue.py, for process.py
    the disk is full                                     disk_pressure.py, for process.py
    its image is pulled, or cannot be pulled             image_pulls.py, for process.py

A node that waits for a lock or a limit has no pod yet: interpreter/lock_requests.py, interpreter/limits.py; who holds the lock:
controller/lock_table.py. A pod that has a process reports itself, in `pod/`, that it waits for disk space (disk_room.py) or is not
ready (probes.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from .resource_queue import Need, Shortage

NO_NODE = "Unschedulable: 0/1 nodes are available: 1"
_GIB = float(1 << 30)


def for_object(kind: str, name: str, namespace: str) -> str:
    """kind: PersistentVolumeClaim, ConfigMap or Secret."""
    if kind == "PersistentVolumeClaim":
        return (
            f'Unschedulable: persistentvolumeclaim "{name}" not found in namespace "{namespace}": name its folder in the settings '
            f"(volumes.{name}), let the experiment's Environment create it, or create it with kubectl -n {namespace} create -f -"
        )
    what = kind.lower()
    return (
        f'CreateContainerConfigError: {what} "{name}" not found: create it in namespace {namespace} (kubectl -n {namespace} '
        f"create {what} {name} …)"
    )


def for_secret_key(problem: str, namespace: str) -> str:
    """problem: names the key and the secret that an artifact's place needs."""
    return f"CreateContainerConfigError: {problem}: create it in namespace {namespace}"


def for_room(shortage: Shortage, need: Need, total: Need) -> str:
    """need: what the pod asks for; total: what the machine has."""
    place = f"; {shortage.before} before it" if shortage.before else ""
    return f"{_missing_resource(shortage, place)}{_resource_too_large(need, total)}"


def _missing_resource(shortage: Shortage, place: str) -> str:
    requested, used, total = shortage.requested, shortage.used, shortage.total
    if shortage.resource == "core":
        return f"{NO_NODE} Insufficient cpu: waits for a free core ({used:g} of {total:g} busy{place})"
    if shortage.resource == "cpu":
        return (
            f"{NO_NODE} Insufficient cpu: waits for {_number(requested)} of {_number(total)} cores, of which running pods "
            f"have requested {_number(used)}{place}"
        )
    if shortage.resource == "memory":
        return (
            f"{NO_NODE} Insufficient memory: waits for {_size(requested)} of {_size(total)}, of which running pods have "
            f"requested {_size(used)}{place}"
        )
    if shortage.resource == "pods":
        return f"{NO_NODE} Too many pods: waits for one of {used:g} to end{place}"
    return f"Pending: waits for its turn: what is free is kept for a larger pod{place}"


def _resource_too_large(need: Need, total: Need) -> str:
    """A remark on a request that is larger than the machine, which counts as the whole machine; "" when it is not."""
    if need.cpu > total.cpu:
        return f"; it requests {_number(need.cpu)} cores and runs with the {_number(total.cpu)} of this machine"
    if need.memory > total.memory:
        return f"; it requests {_size(need.memory)} and runs with the {_size(total.memory)} of this machine"
    return ""


def for_disk(shortage: str) -> str:
    """shortage: what disk_pressure.py says of the disk, with its fix."""
    return f"{NO_NODE} node(s) had disk pressure: {shortage}"


def for_ports(numbers: Iterable[int]) -> str:
    listed = ", ".join(map(str, sorted(numbers)))
    return (
        f"{NO_NODE} node(s) didn't have free ports for the requested pod ports: another run has port {listed} of this machine: "
        "wait for its end, or leave out hostNetwork and hostPort, then every pod has an address of its own"
    )


def for_shared_ports(numbers: Iterable[int]) -> str:
    """As `for_ports`, on a kernel that cannot give pods addresses of their own."""
    listed = ", ".join(map(str, sorted(numbers)))
    return (
        f"{NO_NODE} node(s) didn't have free ports for the requested pod ports: another run has port {listed}, and this kernel gives "
        "pods no addresses of their own (seccomp user notification, Linux 5.6): wait for its end, or use another port"
    )


def for_another_node(selector: dict[str, str], labels: dict[str, str]) -> str:
    """For a pod that can never run on this machine. selector: the labels of its node selector that differ from `labels`."""
    listed = ", ".join(f"{name}={value} (here {labels[name]})" for name, value in sorted(selector.items()))
    return (
        f"{NO_NODE} node(s) didn't match Pod's node affinity/selector: {listed}: it can never run on this machine; stop the run and "
        "leave out the nodeSelector"
    )


def for_pull(image: str, progress: str) -> str:
    """progress: how far the pull is, "" before it is known."""
    return f'Pulling image "{image}"{f": {progress}" if progress else ""}'


def for_next_pull(image: str, error: str) -> str:
    """error: why the last pull failed, with the kubelet's reason (such as ErrImagePull) in front."""
    word, _, _ = error.partition(":")
    return f'ImagePullBackOff: Back-off pulling image "{image}": {error}' if word == "ErrImagePull" else error


def for_absent_image(image: str) -> str:
    return (
        f'Container image "{image}" is not present with pull policy of Never: bring it here (hera-utils image pull {image}, or '
        "hera-utils image import FILE)"
    )


def for_stand_in(image: str) -> str:
    return f"no registry could be reached for the image {image}: this machine stood in for it"


def _number(cores: float) -> str:
    return f"{cores:.3g}"


def _size(size: float) -> str:
    return f"{size / _GIB:.3g} GiB" if size >= _GIB / 10 else f"{size / (1 << 20):.3g} MiB"
