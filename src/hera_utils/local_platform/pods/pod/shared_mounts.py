"""The mounts that all containers share. The spawner prepares them once, in its own mount namespace.

    .shared/skeleton    mount points: a lower layer of every root
    .shared/probe       for trying mounts        .shared/empty  an empty folder
    .shared/dev         a small /dev             .shared/sys    /sys, read-only
    .shared/layers      the own layers of roots: hidden programs, mount points
    .shared/read-only   folders and file systems of this machine that are shown read-only

A privileged server overlays "/" as a whole. In an unprivileged user namespace the kernel refuses that (the folder covers
mounts of a more privileged namespace), so there the root is the skeleton, and the top-level folders are mounted in it.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import NamedTuple

from . import file_trees, syscalls
from .mount_table import mounted

OWN = ("/tmp", "/var/tmp", "/run", "/argo")  # each container has its own ones, empty at its start
_EMPTY = ("/mnt", "/media", "/root")  # empty and writable when the server is unprivileged
_SKIPPED_TYPES = frozenset(
    (
        "proc",
        "sysfs",
        "devtmpfs",
        "devpts",
        "mqueue",
        "cgroup",
        "cgroup2",
        "securityfs",
        "debugfs",
        "tracefs",
        "pstore",
        "bpf",
    )
    + (
        "configfs",
        "hugetlbfs",
        "fusectl",
        "efivarfs",
        "binfmt_misc",
        "autofs",
        "rpc_pipefs",
        "nsfs",
        "selinuxfs",
        "squashfs",
    )
)
_SYSTEM = ("/proc", "/sys", "/dev", "/boot")
_READ_ONLY = frozenset(
    [
        "/usr",
        "/bin",
        "/sbin",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/etc",
        "/boot",
        "/snap",
        "/nix",
        "/gnu",
        "/opt",
        "/srv",
        "/var",
    ]
)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# Names below /proc that root could write to without any capability.
_READ_ONLY_SETTINGS = (
    "sys",
    "sysrq-trigger",
    "irq",
    "bus",
    "fs",
)
# Files below /proc about the machine as a whole.
_MASKED = (
    "acpi",
    "asound",
    "interrupts",
    "kcore",
    "keys",
    "latency_stats",
    "sched_debug",
    "scsi",
    "timer_list",
    "timer_stats",
)
# Folders below /sys. Tasks share /sys with this machine, because a new mount of it would lack the mounts in it.
_MASKED_SYSTEM = ("firmware", "devices/virtual/powercap", "kernel/debug", "kernel/tracing", "fs/pstore", "fs/bpf")
_ACCELERATORS = ("nvidia", "kfd", "dri")


class SharedMounts(NamedTuple):
    """folder: has the folders that the module's docstring lists. whole: "/" is overlaid as one. overlaid, read_only: paths of this machine.

    resolver: the real path of /etc/resolv.conf, if that is below /run. options: for every overlay. in_memory: upper layers are on a
    tmpfs, because the state folder's disk cannot have an overlay's upper layer.
    """

    folder: str
    whole: bool
    overlaid: tuple[str, ...]
    read_only: tuple[str, ...]
    resolver: tuple[str, ...]
    options: str
    in_memory: bool

    @property
    def lower_options(self) -> str:
        """The options of an overlay without an upper layer."""
        return self.options.replace(",volatile", "")


def prepare(folder: str, *, nested: bool) -> SharedMounts:
    """Create all shared mounts in `folder`. The process must have a mount namespace of its own. Raises OSError where the kernel refuses.

    nested: whether this is in another user namespace than the machine's own.
    """
    mounts = _real_mounts()
    os.makedirs(folder, exist_ok=True)
    syscalls.mount("tmpfs", folder, "tmpfs", syscalls.MS_NOSUID, "mode=755,size=16m")
    for name in ("skeleton", "probe", "dev", "sys", "read-only", "proc", "layers", "empty"):
        os.mkdir(f"{folder}/{name}")
    _devices(f"{folder}/dev")
    # Tasks inherit descriptors of this /dev/null, which container.py opens.
    syscalls.bind("/dev/null", "/dev/null", read_only=True)
    syscalls.bind(f"{folder}/empty", f"{folder}/empty", read_only=True)
    syscalls.bind("/sys", f"{folder}/sys", recursive=True)
    for name in _MASKED_SYSTEM:
        if os.path.isdir(f"{folder}/sys/{name}"):
            syscalls.bind(f"{folder}/empty", f"{folder}/sys/{name}")
    with contextlib.suppress(OSError):  # on a kernel before 5.12 it stays as writable as it is for this user
        syscalls.set_read_only(f"{folder}/sys")
    probe = _Probe(folder, nested)
    whole = probe.works(["/"])
    _skeleton(f"{folder}/skeleton", whole=whole)
    if whole:
        overlaid = ["/", *(p for p, fixed in mounts.items() if p != "/" and not fixed)]
        read_only = [p for p, fixed in mounts.items() if p != "/" and fixed]
    else:
        overlaid, read_only = _tops()
    return SharedMounts(
        folder, whole, tuple(overlaid), _show(read_only, folder), _resolver(), probe.options, probe.in_memory
    )


def limit_kernel(folder: str) -> None:
    """Mask parts of /proc for the containers of a worker, as container runtimes do, and mount terminals of their own.

    The worker must have mounted its /proc in the shared folder. Raises OSError.
    """
    for name in _READ_ONLY_SETTINGS:
        path = f"{folder}/proc/{name}"
        if os.path.exists(path):
            syscalls.bind(path, path, read_only=True)
    for name in _MASKED:
        path = f"{folder}/proc/{name}"
        if os.path.exists(path):
            syscalls.bind(f"{folder}/{'empty' if os.path.isdir(path) else 'dev/null'}", path)
    with contextlib.suppress(OSError):  # a kernel without message queues
        syscalls.mount(
            "mqueue", f"{folder}/dev/mqueue", "mqueue", syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        )
    with contextlib.suppress(OSError):  # without it, containers have no terminals
        syscalls.mount(
            "devpts",
            f"{folder}/dev/pts",
            "devpts",
            syscalls.MS_NOSUID | syscalls.MS_NOEXEC,
            "newinstance,ptmxmode=0666",
        )


def _show(paths: list[str], folder: str) -> tuple[str, ...]:
    """Bind each path read-only below .shared/read-only. Gives the paths for which this succeeded."""
    ready = []
    for path in paths:
        place = f"{folder}/read-only{path}"
        with contextlib.suppress(OSError):  # this user may not read it, so it is an empty folder in the container
            if os.path.isdir(path):
                os.makedirs(place)
            else:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
            syscalls.bind(path, place, recursive=True, read_only=True)
            ready.append(path)
    return tuple(ready)


def _resolver() -> tuple[str, ...]:
    real = os.path.realpath("/etc/resolv.conf")
    return (real,) if real.startswith("/run/") and os.path.exists(real) else ()


def _real_mounts() -> dict[str, bool]:
    """Mount point → whether it is read-only, for the mounts of this machine that have files, shortest path first."""
    mounts: dict[str, bool] = {}
    for mount in mounted():
        path, kind = mount.place, mount.kind
        if kind in _SKIPPED_TYPES or kind.startswith("fuse") or any((path + "/").startswith(s + "/") for s in _SYSTEM):
            mounts.pop(path, None)
        elif not any((path + "/").startswith(f + "/") for f in OWN):
            mounts[path] = mount.read_only or not os.path.isdir(path)
    return dict(sorted(mounts.items(), key=lambda item: len(item[0])))


def _devices(folder: str) -> None:
    """Create the small /dev. The folder and each device are mounted read-only: devices can still be written to, but a container's root user
    could otherwise change the modes and owners of this machine's devices, and the folder that all containers share.
    """
    syscalls.bind(folder, folder)
    for name in (*_DEVICES, *(e for e in os.listdir("/dev") if e.startswith(_ACCELERATORS))):
        with contextlib.suppress(OSError):  # a device that cannot be mounted is left out
            show(f"/dev/{name}", f"{folder}/{name}", read_only=True)
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{folder}/{name}")
    links = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
    for name, target in {**links, "termination-log": "/argo/termination-log"}.items():
        os.symlink(target, f"{folder}/{name}")
    syscalls.set_read_only(folder)


def show(path: str, place: str, *, read_only: bool = False) -> None:
    """Mount a file or folder at a place that does not exist yet; a link is copied. Raises OSError."""
    if os.path.islink(path):
        os.symlink(os.readlink(path), place)
        return
    if os.path.isdir(path):
        os.mkdir(place)
    else:
        os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o666))
    syscalls.bind(path, place, recursive=True, read_only=read_only)


def _skeleton(folder: str, *, whole: bool) -> None:
    for path in OWN:
        os.makedirs(folder + path)
    if whole:
        return
    for path in ("/proc", "/sys", "/dev", *_EMPTY):
        os.makedirs(folder + path, exist_ok=True)
    for top in ("/", "/var"):
        for entry in os.scandir(top):
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), folder + entry.path)
            elif entry.is_dir(follow_symlinks=False):
                os.makedirs(folder + entry.path, exist_ok=True)


def _tops() -> tuple[list[str], list[str]]:
    """(overlaid, read-only): the top-level folders of this machine, by how an unprivileged container gets them."""
    overlaid: list[str] = []
    read_only: list[str] = []
    for entry in sorted(os.scandir("/"), key=lambda e: e.name):
        path = entry.path
        if entry.is_symlink() or not entry.is_dir() or path in (*_SYSTEM, *_EMPTY, *OWN, "/lost+found"):
            continue
        if path == "/var":
            read_only += [e.path for e in os.scandir(path) if e.is_dir(follow_symlinks=False) and e.path != "/var/tmp"]
        elif path in _READ_ONLY:
            read_only.append(path)
        else:
            overlaid.append(path)
    return overlaid, read_only


class _Probe:
    """Finds out, by trying, which overlays this kernel permits. options, in_memory: as in SharedMounts."""

    def __init__(self, folder: str, nested: bool) -> None:
        self._folder = folder
        self._on_disk = f"{os.path.dirname(folder)}/.probe-{os.getpid()}"
        self.in_memory = False
        plain = ",userxattr" if nested else ""
        # volatile: files outside of claims need not survive a power failure, and should not be synced at the task's end.
        for self.options, self.in_memory in ((f"{plain},volatile", False), (plain, False), (plain, True)):
            if self.works([]):
                return
        raise OSError(errno.EPERM, f"Linux {os.uname().release} does not permit overlays", folder)

    def works(self, lower: list[str]) -> bool:
        """Whether `lower` can be overlaid with these options. (An upper layer cannot be on an overlay or on NFS.)"""
        changes = f"{self._folder}/probe/changes" if self.in_memory else self._on_disk
        target = f"{self._folder}/probe"
        try:
            if self.in_memory:
                syscalls.mount("tmpfs", target, "tmpfs")
            for name in ("upper", "work"):
                os.makedirs(f"{changes}/{name}")
            syscalls.overlay([f"{self._folder}/skeleton", *lower], changes, target, self.options)
            syscalls.unmount(target)
        except OSError:
            return False
        finally:
            if self.in_memory:
                with contextlib.suppress(OSError):
                    syscalls.unmount(target)
            else:
                file_trees.discard(changes)
        return True
