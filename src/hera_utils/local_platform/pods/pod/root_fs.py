"""The private file systems of containers: this machine's files, with every change kept apart.

    /            overlay: this machine's `/` below, the container's own changes above (also each further real file system)
    /tmp /var/tmp /run /argo   the container's own, empty at its start
    /proc        of the pod's own processes; /sys read-only; /dev: null, zero, full, random, tty, pts; its own shm
    volumes      bound at their mount paths: the only places of this machine that a task can change
    state folder hidden: no task sees another's files, the journal or the token

A root costs a dozen mounts, so a worker keeps it: a container that changed nothing outside its own empty folders leaves
the overlay as it found it, or only added files to it, and the next one gets it again. Any other change ends the root.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import NamedTuple

from . import file_trees, open_beneath, syscalls
from .shared_mounts import OWN, SharedMounts

_MOST_KEPT = 4  # unused roots that a worker keeps
_FURNISHED = ("/own/run/argo", "/own/argo/staging", "/own/run/lock")  # these stay, empty
_PROGRAM_FOLDERS = ("/bin", "/usr/bin", "/usr/local/bin", "/sbin", "/usr/sbin")


class Mount(NamedTuple):
    """`source` (a file or folder of this machine), or what is `below` it (a subPath), appears at `target`."""

    source: str
    target: str
    read_only: bool = False
    below: str = ""

    def open(self) -> contextlib.AbstractContextManager[str]:
        """What is mounted, under a name that cannot be turned elsewhere. Raises OSError (LeadsOut)."""
        return open_beneath.at(self.source, self.below) if self.below else contextlib.nullcontext(self.source)


class RootKind(NamedTuple):
    """What makes one root different from another: programs that are absent, and places that must exist (path, whether a folder)."""

    hidden: tuple[str, ...]
    places: tuple[tuple[str, bool], ...]


class Root:
    """One mounted root. folder: on this machine, holds its changes. place: where it is mounted."""

    def __init__(self, folder: str, kind: RootKind, shared: SharedMounts, proc: str, masked: str) -> None:
        self.folder, self.kind = folder, kind
        self.view = -1  # descriptor of its last mount namespace
        self.namespace = ""  # the same as /proc names it
        self._view_mounts: tuple[object, ...] = ()
        self._view_table = b""
        self._covers_own = False
        self.place = f"{folder}/root"
        self._overlays: list[tuple[str, str, list[str]]] = []  # (upper, merged, lower)
        # Not below "/" as the kernel sees it: a lower layer must not lie in another one.
        self._own_layer = f"{shared.folder}/layers/{'-'.join(folder.split('/')[-2:])}"
        try:
            self._make(shared, proc, masked)
        except OSError:
            self.discard()
            raise

    def _make(self, shared: SharedMounts, proc: str, masked: str) -> None:
        folder = self.folder
        os.makedirs(folder)
        if shared.in_memory:
            syscalls.mount("tmpfs", folder, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV)
        for name in ("upper", "work", "root"):
            os.mkdir(f"{folder}/{name}")
        os.mkdir(self._own_layer)
        lower = [f"{shared.folder}/skeleton", *(["/"] if shared.whole else [])]
        if self._layer(self._own_layer, shared):
            lower.insert(0, self._own_layer)
        syscalls.overlay(lower, folder, self.place, shared.options)
        self._overlays.append((f"{folder}/upper", self.place, ["" if p == "/" else p for p in lower]))
        self._fill(shared, proc, masked)

    def _layer(self, layer: str, shared: SharedMounts) -> bool:
        """Whiteouts for hidden programs, mount points for volumes; whether there are any."""
        for name in self.kind.hidden:
            _hide(name, layer)
        for path, is_folder in self.kind.places:
            if not any((path + "/").startswith((own + "/", "/dev/", "/proc/", "/sys/")) for own in OWN):
                _place(path, is_folder, layer, shared)
        return bool(os.listdir(layer))

    def _fill(self, shared: SharedMounts, proc: str, masked: str) -> None:
        root = self.place
        for path in shared.read_only:
            if os.path.isdir(self._own_layer + path):  # something must be absent or present below it
                self._further(path, shared)
                continue
            with contextlib.suppress(OSError):
                syscalls.bind(f"{shared.folder}/read-only{path}", root + path, recursive=True)
        for path in shared.overlaid:
            if path != "/":
                self._further(path, shared)
        syscalls.bind(proc, f"{root}/proc")
        syscalls.bind(f"{shared.folder}/sys", f"{root}/sys", recursive=True)
        syscalls.bind(f"{shared.folder}/dev", f"{root}/dev", recursive=True)
        syscalls.mount("tmpfs", f"{root}/dev/shm", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=1777")
        for path in OWN:
            own = f"{self.folder}/own{path}"
            os.makedirs(own)
            syscalls.bind(own, root + path)
        self._furnish()
        # a mount lies on them
        self._pinned = {self.own("/".join(path.split("/")[:3])) for path in shared.resolver}
        for path in shared.resolver:
            _bind_into(root, Mount(path, path, True))
        if os.path.isdir(root + masked):
            syscalls.mount("tmpfs", root + masked, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755,size=4k")

    def _further(self, path: str, shared: SharedMounts) -> None:
        """Another file system or folder of this machine (/home, /data…) at its place; read-only where it cannot be overlaid."""
        folder = f"{self.folder}/further{path}"
        try:
            for name in ("upper", "work"):
                os.makedirs(f"{folder}/{name}")
            layer = self._own_layer + path
            lower = [layer, path] if os.path.isdir(layer) else [path]
            syscalls.overlay(lower, folder, self.place + path, shared.options)
            self._overlays.append((f"{folder}/upper", self.place + path, lower))
        except OSError:
            # this user may not see it (another user's mount…): an empty folder in the container
            with contextlib.suppress(OSError):
                syscalls.bind(path, self.place + path, recursive=True, read_only=True)

    def _furnish(self) -> None:
        """Make what a container finds in its own folders."""
        own = f"{self.folder}/own"
        for path in ("/tmp", "/var/tmp"):
            os.chmod(own + path, 0o1777)
        for path, mode in (("/argo/staging", 0o755), ("/run/argo", 0o777), ("/run/lock", 0o1777)):
            if not os.path.isdir(own + path):
                os.mkdir(own + path)
                os.chmod(own + path, mode)

    def own(self, path: str) -> str:
        """Where a path below /tmp, /var/tmp, /run or /argo of the container lies on this machine."""
        return f"{self.folder}/own{path}"

    def text(self, path: str, most: int) -> bytes | None:
        """The end of a file below /tmp, /var/tmp, /run or /argo that the container wrote; None when there is no such plain file."""
        own = next(one for one in OWN if path.startswith(f"{one}/"))
        return open_beneath.read_end(self.own(own), path[len(own) :], most)

    def write(self, path: str, data: bytes, mode: int) -> None:
        """A file that is there from the start; `path` lies below /argo."""
        place = self.own(path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(data)
        os.chmod(place, mode)

    def enter(self, mounts: list[Mount]) -> None:
        """Make this root, with the volumes bound in it, this process's `/`, in a mount namespace of its own."""
        mounts_and_files = tuple((m, *_identity(m)) for m in mounts)
        if self.view >= 0 and self._view_mounts == mounts_and_files:
            syscalls.setns(self.view, syscalls.CLONE_NEWNS)
            return
        self.leave()
        syscalls.unshare(syscalls.CLONE_NEWNS)
        self._bind(mounts)
        self.view = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        self.namespace = os.readlink("/proc/self/ns/mnt")
        self._view_mounts, self._view_table = mounts_and_files, _mount_table()
        self._covers_own = any((mount.target + "/").startswith(tuple(f"{own}/" for own in OWN)) for mount in mounts)

    def leave(self) -> None:
        if self.view >= 0:
            os.close(self.view)
            self.view = -1

    def _bind(self, mounts: list[Mount]) -> None:
        for mount in mounts:
            _bind_into(self.place, mount)
        os.chdir(self.place)
        # as a switch of roots at boot: nothing of the old one can be reached
        syscalls.mount(".", "/", None, syscalls.MS_MOVE)
        os.chroot(".")
        os.chdir("/")

    def restore(self, home: int) -> bool:
        """Remove files that a container added. Whether the root is then as it was before. home: this process's mount namespace."""
        if not all(_undo(*overlay) for overlay in self._overlays):
            return False
        if self.view >= 0:
            try:
                syscalls.setns(self.view, syscalls.CLONE_NEWNS)
                return _mount_table() == self._view_table
            finally:
                syscalls.setns(home, syscalls.CLONE_NEWNS)
        return True

    def empty(self) -> None:
        """Remove what a container left in its own folders."""
        if self._covers_own:
            self.leave()  # removing a mount point here takes the mount out of the view there: the next container binds anew
        for path in (*(self.own(p) for p in OWN), f"{self.place}/dev/shm"):
            for entry in _entries(path):
                if entry.is_dir(follow_symlinks=False) and entry.path.endswith(_FURNISHED):
                    for inner in _entries(entry.path):
                        file_trees.remove(inner.path)
                elif entry.path not in self._pinned:
                    file_trees.remove(entry.path)
        self._furnish()

    def discard(self) -> None:
        self.leave()
        with contextlib.suppress(OSError):
            syscalls.unmount(self.place)
        with contextlib.suppress(OSError):
            syscalls.unmount(self.folder)  # a tmpfs, where it was one
        for folder in (self.folder, self._own_layer):
            if os.path.isdir(folder):
                file_trees.discard(folder)


class Roots:
    """The roots of one worker. folder: its own. proc: where it has mounted /proc of its process-id namespace. home: its mount namespace."""

    def __init__(self, folder: str, shared: SharedMounts, proc: str, masked: str, home: int) -> None:
        self._folder, self._shared, self._proc, self._masked, self._home = folder, shared, proc, masked, home
        self._free: list[Root] = []
        self._count = 0

    def take(self, hidden: tuple[str, ...], mounts: list[Mount]) -> Root:
        kind = RootKind(hidden, tuple(sorted((m.target, _is_folder(m)) for m in mounts)))
        for root in self._free:
            if root.kind == kind:
                self._free.remove(root)
                return root
        if len(self._free) >= _MOST_KEPT:
            self._free.pop(0).discard()
        self._count += 1
        return Root(f"{self._folder}/{self._count}", kind, self._shared, self._proc, self._masked)

    def give_back(self, root: Root) -> None:
        """The container that had it is over, and nothing of it runs."""
        try:
            if root.restore(self._home):
                root.empty()
                self._free.append(root)
                return
        except OSError:
            pass
        root.discard()

    def close(self) -> None:
        for root in self._free:
            root.discard()
        self._free.clear()
        file_trees.discard(self._folder)


def _identity(mount: Mount) -> tuple[int, int]:
    with mount.open() as path:
        status = os.stat(path)
    return status.st_dev, status.st_ino


def _is_folder(mount: Mount) -> bool:
    with mount.open() as path:
        return os.path.isdir(path)


def _mount_table() -> bytes:
    with open("/proc/self/mountinfo", "rb", buffering=0) as file:
        return file.read()


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _undo(upper: str, merged: str, lower: list[str]) -> bool:
    """Remove what `upper` has and no lower folder has, through the mounted overlay. Whether nothing else was changed.

    merged: the overlay (or the folder in it). lower: the same folder in the layers below, the uppermost first. A file of a lower
    layer that was changed or removed, a folder whose mode, owner or content was replaced, cannot be undone.
    """
    for entry in _entries(upper):
        below = [path for path in (f"{folder}/{entry.name}" for folder in lower) if os.path.lexists(path)]
        if not below:
            if stat.S_ISCHR(entry.stat(follow_symlinks=False).st_mode):
                return False  # a whiteout of what is no longer there
            file_trees.remove(f"{merged}/{entry.name}")
        elif not _is_same_folder(entry, below[0]) or not _undo(
            entry.path, f"{merged}/{entry.name}", [path for path in below if os.path.isdir(path)]
        ):
            return False
    return True


def _is_same_folder(entry: os.DirEntry[str], below: str) -> bool:
    above, original = entry.stat(follow_symlinks=False), os.lstat(below)
    if not stat.S_ISDIR(above.st_mode) or not stat.S_ISDIR(original.st_mode):
        return False
    if (above.st_mode, above.st_uid, above.st_gid) != (original.st_mode, original.st_uid, original.st_gid):
        return False
    return not any(name.endswith(".overlay.opaque") for name in os.listxattr(entry.path))


def _hide(name: str, layer: str) -> None:
    """Make a program absent: a whiteout in each folder where this machine has it."""
    for folder in dict.fromkeys(os.path.realpath(p) for p in _PROGRAM_FOLDERS):
        path = f"{folder}/{name}"
        if not os.path.lexists(path):
            continue
        if name != "sh" and os.path.realpath("/bin/sh") == os.path.realpath(path):
            continue  # /bin/sh is this very program: hiding it would take sh away too
        os.makedirs(layer + folder, exist_ok=True)
        os.mknod(layer + path, stat.S_IFCHR, 0)


def _place(path: str, is_folder: bool, layer: str, shared: SharedMounts) -> None:
    """A mount point, with the folders above it as this machine has them."""
    is_visible = shared.whole or any((path + "/").startswith(p + "/") for p in (*shared.overlaid, *shared.read_only))
    if is_visible and os.path.exists(path) and os.path.isdir(path) == is_folder:
        return
    real = os.path.realpath(os.path.dirname(path))
    folder = ""
    for part in real.split("/")[1:]:
        folder += f"/{part}"
        if folder != "/" and not os.path.isdir(layer + folder):
            os.mkdir(layer + folder)
            with contextlib.suppress(OSError):
                os.chmod(layer + folder, stat.S_IMODE(os.stat(folder).st_mode))
    target = layer + os.path.join(real, os.path.basename(path))
    if is_folder:
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))


def _bind_into(root: str, mount: Mount) -> None:
    """Mount it below `root`. The way to the mount point may lead through a volume that other tasks write to: see open_beneath.py."""
    target = _inside(root, mount.target)
    with mount.open() as source:
        is_folder = os.path.isdir(source)
        with open_beneath.at(root, target if is_folder else os.path.dirname(target), make=True) as parent:
            if not is_folder:
                with contextlib.suppress(FileExistsError):
                    name = os.path.basename(target)
                    os.close(os.open(f"{parent}/{name}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        with open_beneath.at(root, target) as place:
            syscalls.bind(source, place, recursive=True)
    if mount.read_only:
        with open_beneath.at(root, target) as place:  # opened again: now it is the mount
            syscalls.set_read_only(place)


def _inside(root: str, path: str) -> str:
    """`path` of the container below `root`, with no link left in it: they are followed as if `root` were `/`."""
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
    return done
