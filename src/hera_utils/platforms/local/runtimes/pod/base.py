"""What all containers of this machine share, prepared once by the spawner in its own mount namespace.

    base/skeleton   the lowest own layer of every root: empty /tmp, /var/tmp…, mount points
    base/root       where each container mounts its root (each in a mount namespace of its own)
    base/dev        a small /dev          base/sys   /sys, read-only
    base/read-only  top-level folders of this machine, read-only (only where "/" itself cannot be overlaid)

A privileged server overlays "/" as a whole. In an unprivileged user namespace the kernel refuses that (the folder covers
mounts of a more privileged namespace), so there the root is the skeleton, and the top-level folders are shown in it.
"""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from . import system

FRESH = ("/tmp", "/var/tmp", "/run/argo", "/argo/staging")  # empty in every container
_KEPT = ("/mnt", "/media", "/run", "/root")  # with an unprivileged server: empty and writable
_SKIPPED_TYPES = frozenset(
    [
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
    ]
)
_SYSTEM = ("/proc", "/sys", "/dev", "/boot")
_READ_ONLY = frozenset(
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/boot", "/snap", "/nix", "/gnu", "/var"]
)
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_ACCELERATORS = ("nvidia", "kfd", "dri")


class Base(NamedTuple):
    """folder: holds what the module's text names. overlaid: the file systems to overlay, as paths, "/" first if it can be.

    read_only: paths shown as they are, from base/read-only or (mounts of this machine) from their own place. options: for
    every overlay. in_memory: the state folder cannot hold an overlay's upper layer, so a tmpfs does.
    """

    folder: str
    whole: bool
    overlaid: tuple[str, ...]
    read_only: tuple[str, ...]
    options: str
    in_memory: bool


def prepare(folder: str, *, privileged: bool) -> Base:
    """Make everything in `folder`. The process must have a mount namespace of its own. Raises OSError where the kernel refuses."""
    mounts = _real_mounts()
    os.makedirs(folder, exist_ok=True)
    system.mount("tmpfs", folder, "tmpfs", system.MS_NOSUID, "mode=755,size=4m")
    for name in ("skeleton", "root", "dev", "sys", "read-only"):
        os.mkdir(f"{folder}/{name}")
    _devices(f"{folder}/dev")
    system.bind("/sys", f"{folder}/sys", recursive=True)
    with contextlib.suppress(OSError):  # a kernel before 5.12: as writable as it is to this user
        system.set_read_only(f"{folder}/sys")
    options = "" if privileged else ",userxattr"
    _skeleton(f"{folder}/skeleton", whole=privileged)
    in_memory = not _can_hold_upper(os.path.dirname(folder), folder, options)
    if privileged:
        further = {p: flags for p, flags in mounts.items() if p != "/"}
        written = tuple(p for p, flags in further.items() if not flags)
        return Base(
            folder, True, ("/", *written), tuple(p for p, flags in further.items() if flags), options, in_memory
        )
    overlaid, read_only = _tops(folder)
    return Base(folder, False, overlaid, read_only, options, in_memory)


def _real_mounts() -> dict[str, bool]:
    """The mount points of this machine that hold files, shortest first, and whether each is read-only."""
    found: dict[str, bool] = {}
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            before, _, after = line.partition(" - ")
            fields = before.split()
            path = fields[4].encode().decode("unicode_escape")
            kind, _, options = after.split()[:3]
            if (
                kind in _SKIPPED_TYPES
                or kind.startswith("fuse")
                or any((path + "/").startswith(s + "/") for s in _SYSTEM)
            ):
                found.pop(path, None)
            elif not any((path + "/").startswith(f + "/") for f in FRESH):
                found[path] = "ro" in fields[5].split(",") or "ro" in options.split(",") or not os.path.isdir(path)
    return dict(sorted(found.items(), key=lambda item: len(item[0])))


def _devices(folder: str) -> None:
    for name in (*_DEVICES, *(e for e in os.listdir("/dev") if e.startswith(_ACCELERATORS))):
        with contextlib.suppress(OSError):  # a device that cannot be shown is a device that is not there
            if os.path.isdir(f"/dev/{name}"):
                os.mkdir(f"{folder}/{name}")
            else:
                os.close(os.open(f"{folder}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
            system.bind(f"/dev/{name}", f"{folder}/{name}", recursive=True)
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{folder}/{name}")
    if os.path.isdir("/dev/pts"):
        with contextlib.suppress(OSError):
            system.bind("/dev/pts", f"{folder}/pts", recursive=True)
    links = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}
    for name, target in {**links, "termination-log": "/argo/termination-log"}.items():
        os.symlink(target, f"{folder}/{name}")


def _skeleton(folder: str, *, whole: bool) -> None:
    for path in FRESH:
        os.makedirs(folder + path)
    for path in ("/tmp", "/var/tmp"):
        os.chmod(folder + path, 0o1777)
    os.chmod(folder + "/run/argo", 0o777)
    if whole:
        for path in ("/tmp", "/var/tmp", "/argo", "/run/argo"):
            os.setxattr(folder + path, "trusted.overlay.opaque", b"y")
        return
    for path in ("/proc", "/sys", "/dev", *_KEPT):
        os.makedirs(folder + path, exist_ok=True)
    for entry in os.scandir("/"):
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), folder + entry.path)
        elif entry.is_dir(follow_symlinks=False):
            os.makedirs(folder + entry.path, exist_ok=True)
    for entry in os.scandir("/var"):
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), folder + entry.path)
        elif entry.is_dir(follow_symlinks=False):
            os.makedirs(folder + entry.path, exist_ok=True)


def _tops(folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(overlaid, read-only): how an unprivileged container is shown each top-level folder; read-only ones are bound already."""
    overlaid: list[str] = []
    shown: list[str] = []
    for entry in sorted(os.scandir("/"), key=lambda e: e.name):
        path = entry.path
        if entry.is_symlink() or not entry.is_dir() or path in (*_SYSTEM, *_KEPT, "/tmp", "/argo", "/lost+found"):
            continue
        if path == "/var":
            shown += [e.path for e in os.scandir(path) if e.is_dir(follow_symlinks=False) and e.path != "/var/tmp"]
        elif path in _READ_ONLY:
            shown.append(path)
        else:
            overlaid.append(path)
    ready = []
    for path in shown:
        place = f"{folder}/read-only{path}"
        os.makedirs(place)
        with contextlib.suppress(OSError):  # not ours to see: an empty folder in the container
            system.bind(path, place, recursive=True, read_only=True)
            ready.append(path)
    return tuple(overlaid), tuple(ready)


def _can_hold_upper(pods: str, folder: str, options: str) -> bool:
    """Whether the state folder's file system can be the upper layer of an overlay (another overlay or NFS cannot)."""
    probe = f"{pods}/.probe-{os.getpid()}"
    for name in ("upper", "work"):
        os.makedirs(f"{probe}/{name}")
    try:
        system.overlay([f"{folder}/skeleton"], probe, f"{folder}/root", options)
        system.unmount(f"{folder}/root")
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            for name in ("work/work", "work", "upper", ""):
                if os.path.isdir(f"{probe}/{name}"):
                    os.rmdir(f"{probe}/{name}")
    return True
