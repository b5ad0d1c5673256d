"""The private file system of a container: this machine's files, with every change kept apart.

/            overlay: this machine's `/` below, the container's own changes above (also each further real file system)
/tmp …       empty, as in a fresh container
/proc        of the container's own processes; /sys read-only; /dev: null, zero, full, random, tty, pts; its own shm
volumes      bound at their mount paths: the only places of this machine that a task can change
state folder hidden: no task sees another's files, the journal or the token
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from typing import NamedTuple

from . import system

FRESH = ("/tmp", "/var/tmp", "/argo")
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
        "fuse.portal",
        "fuse.gvfsd-fuse",
        "fuse.lxcfs",
        "squashfs",
    ]
)
_SYSTEM_ROOTS = ("/proc", "/sys", "/dev")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")


class Mount(NamedTuple):
    """`source` (a file or folder of this machine) appears at `target`."""

    source: str
    target: str
    read_only: bool = False


class Layers(NamedTuple):
    """What every container of this machine needs, found out once by the spawner.

    roots: real file systems as (mount point, kind), shortest first, "/" included. devices: a folder that holds a ready /dev.
    extra: mount options of the overlay. plain_root: "/" cannot be overlaid as a whole (an unprivileged user namespace).
    """

    roots: tuple[tuple[str, str], ...]
    devices: str
    extra: str
    plain_root: bool


def real_mounts() -> tuple[tuple[str, str], ...]:
    """The mount points of this machine that hold files, as (path, kind), shortest first."""
    found: dict[str, str] = {}
    with open("/proc/self/mountinfo") as lines:
        for line in lines:
            before, _, after = line.partition(" - ")
            path = before.split()[4].encode().decode("unicode_escape")
            kind = after.split()[0]
            if kind in _SKIPPED_TYPES or any(path == r or path.startswith(r + "/") for r in _SYSTEM_ROOTS):
                found.pop(path, None)
                continue
            found[path] = kind
    return tuple(sorted(found.items(), key=lambda item: len(item[0])))


def build_devices(folder: str) -> None:
    """A small /dev in `folder`, once per spawner: the containers bind it."""
    system.mount("tmpfs", folder, "tmpfs", system.MS_NOSUID, "mode=755,size=64k")
    for name in _DEVICES:
        if os.path.exists(f"/dev/{name}"):
            os.close(os.open(f"{folder}/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
            system.bind(f"/dev/{name}", f"{folder}/{name}")
    for name in ("pts", "shm", "mqueue"):
        os.mkdir(f"{folder}/{name}")
    if os.path.isdir("/dev/pts"):
        system.bind("/dev/pts", f"{folder}/pts")
    for name, target in (
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
        ("ptmx", "pts/ptmx"),
    ):
        os.symlink(target, f"{folder}/{name}")
    for name in ("nvidia", "kfd", "dri", "fuse"):  # accelerators, where there are some
        for entry in os.listdir("/dev"):
            if entry.startswith(name):
                _bind_device(f"/dev/{entry}", f"{folder}/{entry}")
    os.close(os.open(f"{folder}/termination-log", os.O_CREAT | os.O_WRONLY, 0o666))


def _bind_device(source: str, target: str) -> None:
    with contextlib.suppress(OSError):  # a device that cannot be shown is a device that is not there
        if os.path.isdir(source):
            os.mkdir(target)
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o666))
        system.bind(source, target, recursive=os.path.isdir(source))


class View(NamedTuple):
    """One container's file system, to be built in a new mount namespace.

    folder: where its changes are kept. mounts: volumes, artifacts, files. fresh: extra files written before the start
    (path → (text, mode)). hidden: names of programs that are not there. exposed: host paths that stay visible although
    they lie under an emptied or hidden folder. masked: the state folder.
    """

    folder: str
    mounts: tuple[Mount, ...]
    written: dict[str, tuple[bytes, int]]
    hidden: tuple[str, ...]
    exposed: tuple[str, ...]
    masked: str
    termination_log: str


def enter(view: View, layers: Layers) -> None:
    """Build the view and make it this process's `/`. The process must be the first of new mount and process-id namespaces."""
    root = f"{view.folder}/root"
    upper = f"{view.folder}/upper"
    os.makedirs(root)
    os.mkdir(upper)
    os.mkdir(f"{view.folder}/work")
    _prepare(view, upper, layers)
    if layers.plain_root:
        _plain_root(root, upper, view, layers)
    else:
        _overlay("/", root, view.folder, layers)
        for index, (path, _) in enumerate(layers.roots[1:]):
            _further(path, root, f"{view.folder}/{index}", layers)
    system.mount("proc", f"{root}/proc", "proc", system.MS_NOSUID | system.MS_NODEV | system.MS_NOEXEC)
    system.bind("/sys", f"{root}/sys", recursive=True)
    system.bind(layers.devices, f"{root}/dev", recursive=True)
    system.mount("tmpfs", f"{root}/dev/shm", "tmpfs", system.MS_NOSUID | system.MS_NODEV, "mode=1777")
    system.bind(view.termination_log, f"{root}/dev/termination-log")
    for path in view.exposed:
        _bind_into(root, Mount(path, path, True))
    for mount in view.mounts:
        _bind_into(root, mount)
    if os.path.isdir(root + view.masked):
        system.mount("tmpfs", root + view.masked, "tmpfs", system.MS_NOSUID | system.MS_NODEV, "mode=755,size=4k")
    os.chdir(root)
    system.mount(".", "/", None, system.MS_MOVE)
    os.chroot(".")
    os.chdir("/")


def _prepare(view: View, upper: str, layers: Layers) -> None:
    """What the container finds changed from the start: emptied folders, hidden programs, written files."""
    for path in FRESH:
        os.makedirs(upper + path, exist_ok=True)
        _set_opaque(upper + path, layers)
        if path != "/argo":
            os.chmod(upper + path, 0o1777)
    for path, (data, mode) in view.written.items():
        os.makedirs(os.path.dirname(upper + path), exist_ok=True)
        with open(upper + path, "wb") as file:
            file.write(data)
        os.chmod(upper + path, mode)
    for name in view.hidden:
        _hide(name, upper)


def _set_opaque(path: str, layers: Layers) -> None:
    key = "user.overlay.opaque" if "userxattr" in layers.extra else "trusted.overlay.opaque"
    with contextlib.suppress(
        OSError
    ):  # the file system has no such attributes: what this machine has in /tmp stays visible
        os.setxattr(path, key, b"y")


def _hide(name: str, upper: str) -> None:
    """Make a program absent: a whiteout in each folder where this machine has it."""
    for folder in dict.fromkeys(
        os.path.realpath(p) for p in ("/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin")
    ):
        path = f"{folder}/{name}"
        if not os.path.lexists(path):
            continue
        if name != "sh" and os.path.realpath("/bin/sh") == os.path.realpath(path):
            continue  # /bin/sh is this very program: hiding it would take sh away too
        os.makedirs(upper + folder, exist_ok=True)
        os.mknod(upper + path, stat.S_IFCHR, 0)


def _overlay(lower: str, target: str, folder: str, layers: Layers) -> None:
    escaped = [
        p.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
        for p in (lower, f"{folder}/upper", f"{folder}/work")
    ]
    options = f"lowerdir={escaped[0]},upperdir={escaped[1]},workdir={escaped[2]}{layers.extra}"
    system.mount("overlay", target, "overlay", 0, options)


def _further(path: str, root: str, folder: str, layers: Layers) -> None:
    """Another real file system of this machine (/home, /data…) at its place; read-only where it cannot be overlaid."""
    if any(path == p or path.startswith(p + "/") for p in FRESH):
        return
    try:
        if not os.path.isdir(path):
            system.bind(path, root + path, read_only=True)
            return
        for name in ("upper", "work"):
            os.makedirs(f"{folder}/{name}")
        _overlay(path, root + path, folder, layers)
    except OSError:
        with contextlib.suppress(
            OSError
        ):  # not ours to see (another user's FUSE mount…): an empty folder in the container
            system.bind(path, root + path, read_only=True)


def _plain_root(root: str, upper: str, view: View, layers: Layers) -> None:
    """`/` of an unprivileged user: its own folder, with each top-level folder of this machine overlaid or bound read-only.

    The kernel refuses to overlay a folder that covers mounts of a more privileged namespace, so `/` cannot be the lower layer.
    """
    system.bind(upper, root)
    for entry in sorted(os.scandir("/"), key=lambda e: e.name):
        path = "/" + entry.name
        target = root + path
        if entry.is_symlink():
            os.symlink(os.readlink(path), target)
        elif path in _SYSTEM_ROOTS or path in FRESH or path in ("/mnt", "/media", "/run", "/lost+found"):
            os.makedirs(target, exist_ok=True)
        elif entry.is_dir(follow_symlinks=False):
            _show(path, target, view, layers)
    for path in ("/var/tmp",):
        if os.path.isdir(root + path):
            system.mount("tmpfs", root + path, "tmpfs", 0, "mode=1777")


def _show(path: str, target: str, view: View, layers: Layers) -> None:
    os.makedirs(target, exist_ok=True)
    folder = f"{view.folder}/top{path.replace('/', '-')}"
    try:
        for name in ("upper", "work"):
            os.makedirs(f"{folder}/{name}")
        _overlay(path, target, folder, layers)
    except OSError:
        with contextlib.suppress(OSError):
            system.bind(path, target, recursive=True)
            system.mount("none", target, None, system.MS_REMOUNT | system.MS_BIND | system.MS_RDONLY)


def _bind_into(root: str, mount: Mount) -> None:
    target = _inside(root, mount.target)
    if os.path.isdir(mount.source):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    system.bind(mount.source, target, recursive=True, read_only=mount.read_only)


def _inside(root: str, path: str) -> str:
    """`path` of the container as a path of this process: symbolic links are followed as if `root` were `/`."""
    done = ""
    todo = [p for p in path.split("/") if p not in ("", ".")]
    followed = 0
    while todo:
        part = todo.pop(0)
        if part == "..":
            done = done.rpartition("/")[0]
            continue
        here = f"{done}/{part}"
        if followed < 40 and os.path.islink(root + here):
            followed += 1
            link = os.readlink(root + here)
            if link.startswith("/"):
                done = ""
            todo[:0] = [p for p in link.split("/") if p not in ("", ".")]
            continue
        done = here
    return root + done


def discard(folder: str) -> None:
    """Remove what a container wrote (its work folder is not even readable for its owner)."""
    shutil.rmtree(folder, onerror=_make_removable)


def _make_removable(function: object, path: str, _: object) -> None:
    with contextlib.suppress(OSError):
        os.chmod(os.path.dirname(path), 0o700)
        os.chmod(path, 0o700)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
