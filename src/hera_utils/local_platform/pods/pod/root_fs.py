"""The private root file systems of containers: they show this machine's files, and keep all changes separate.

    /            an overlay of this machine's `/` and the container's own changes (also for each further real file system)
    /tmp /var/tmp /run /argo   the container's own, empty at its start
    /proc        shows the pod's own processes, settings of the machine are read-only; /sys is read-only; /dev: null, zero, full, random,
                 tty; the worker's own terminals (pts), the container's own shm
    volumes      bound at their mount paths: the only places of this machine that a task can change
    state folder hidden at all its paths, so that no task sees other tasks' files, the journal or the token

With an image, its layers replace this machine's `/`: the root contains nothing of this machine except /proc, /sys, /dev, the volumes, and
the files of names that the network needs (/etc/resolv.conf, /etc/hosts). /tmp and /run are the image's; only /argo and /var/run/argo are
added, as in Argo.

A root costs a dozen mounts, so a worker reuses it: if a container changed nothing outside of its own folders, or only added files, they
are removed and the next container gets the root. After any other change the root is discarded.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from . import file_trees, layer_copy, mount_points, open_beneath, shared_mounts, syscalls
from .folder_mounts import all_places_of
from .mount_points import Mount
from .own_folders import Access, Look, OwnFolders, access, identity
from .shared_mounts import OWN, SharedMounts

_NO_FAULT_OF_LAYERS = (errno.ENOSPC, errno.EDQUOT, errno.ENOENT)
_MOST_KEPT = 4  # unused roots that a worker keeps
# For a container with an image: the path in this code → the path in the container.
_IMAGES_OWN = {"/argo": "/argo", "/run/argo": "/var/run/argo"}
_IMAGES_PLACES = (("/proc", True), ("/sys", True), ("/dev", True), *((path, True) for path in _IMAGES_OWN.values()))
_NAMES = ("/etc/hosts", "/etc/resolv.conf")  # this machine's files, also shown with an image
_STAGING = ("/argo", "/staging")
_HOST_NAME = "/etc/hostname"  # has the pod's name


class RootKind(NamedTuple):
    """The properties in which roots differ: hidden programs, mount points (path, whether a folder), an image.

    layers: the folders of the image's layers, the uppermost first (a store never reuses a name); () for this machine's own files.
    """

    hidden: tuple[str, ...]
    places: tuple[tuple[str, bool], ...]
    layers: tuple[str, ...] = ()


class Root:
    """One mounted root. folder: a folder of this machine for its changes. place: where it is mounted."""

    def __init__(self, folder: str, kind: RootKind, shared: SharedMounts, proc: str, masked: tuple[str, ...]) -> None:
        self.folder, self.kind, self._masked = folder, kind, masked
        self.view = -1  # descriptor of its last mount namespace
        self.namespace = ""  # that mount namespace's name in /proc
        self._view_mounts: tuple[object, ...] = ()
        self._view_table = b""
        self._covers_own = self._is_held = False
        self.place = f"{folder}/root"
        self._is_copy = False
        self._overlays: list[tuple[str, str, list[str]]] = []  # (upper, merged, lower)
        self._tops: list[tuple[str, Access]] = []  # (upper, its access rights at the start)
        self._owns = _IMAGES_OWN if kind.layers else {path: path for path in OWN}
        self._mounts = -1  # descriptor of its mount table
        # On another file system than "/": a lower layer must not be inside another one.
        self._own_layer = f"{shared.folder}/layers/{'-'.join(folder.split('/')[-2:])}"
        # It is in memory, because rewriting a file takes a millisecond on some disks.
        self._host_name = f"{self._own_layer}.hostname"
        try:
            self._make(shared, proc, masked)
        except OSError:
            self.discard()
            raise

    def _make(self, shared: SharedMounts, proc: str, masked: tuple[str, ...]) -> None:
        folder = self.folder
        os.makedirs(folder)
        if shared.in_memory:
            syscalls.mount("tmpfs", folder, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV)
        for name in ("upper", "work", "root"):
            os.mkdir(f"{folder}/{name}")
        os.mkdir(self._own_layer)
        images = list(self.kind.layers)
        try:
            with self._base(images, shared) as base:
                self._layer(base, shared)
            self._overlay(images, shared)
        except OSError as error:
            if not images or error.errno in _NO_FAULT_OF_LAYERS:
                raise
            self._copy(images, shared)
        if images:
            self._fill_image(shared, proc)
        else:
            self._fill(shared, proc, masked)
        self._tops = [(upper, access(upper)) for upper, *_ in self._overlays]

    def _overlay(self, images: list[str], shared: SharedMounts) -> None:
        folder = self.folder
        lower = images or [f"{shared.folder}/skeleton", *(["/"] if shared.whole else [])]
        if os.listdir(self._own_layer):
            lower.insert(0, self._own_layer)
        syscalls.overlay(lower, folder, self.place, shared.options)
        self._overlays.append((f"{folder}/upper", self.place, ["" if p == "/" else p for p in lower]))

    def _copy(self, images: list[str], shared: SharedMounts) -> None:
        """Make the root a copy of the layers, for a disk that the kernel refuses in an overlay."""
        self._is_copy = True
        for layer in reversed(images):
            layer_copy.put(layer, self.place)
        self._layer(self.place, shared)
        layer_copy.put(self._own_layer, self.place)
        syscalls.bind(self.place, self.place)

    @contextlib.contextmanager
    def _base(self, images: list[str], shared: SharedMounts) -> Iterator[str]:
        """Mount the files below the root's own layer for the block, and give their path; "" for this machine's files."""
        if not images:
            yield ""
            return
        syscalls.overlay([f"{shared.folder}/empty", *images], None, self.place, shared.lower_options)
        try:
            yield self.place
        finally:
            syscalls.unmount(self.place)

    def _layer(self, base: str, shared: SharedMounts) -> None:
        """Fill the root's own layer: whiteouts for hidden programs, mount points for volumes."""
        layer = self._own_layer
        for name in self.kind.hidden:
            mount_points.hide(name, layer, base)
        if base:
            names = [(path, False) for path in (*_NAMES, _HOST_NAME)]
            for path, is_folder in (*_IMAGES_PLACES, *names):
                if os.path.islink(base + path) or not mount_points.is_there(path, is_folder, base):
                    mount_points.place(path, is_folder, layer, base)
            for path, is_folder in self.kind.places:  # links in these paths are followed, as by container runtimes
                if not mount_points.is_there(path, is_folder, base):
                    mount_points.place(path, is_folder, layer, base)
            return
        visible = ("/",) if shared.whole else (*shared.overlaid, *shared.read_only)
        for path, is_folder in self.kind.places:
            if _lies_in(path, (*OWN, "/dev", "/proc", "/sys")):
                continue
            if not (_lies_in(path, visible) and os.path.exists(path) and os.path.isdir(path) == is_folder):
                mount_points.place(path, is_folder, layer)

    def _fill(self, shared: SharedMounts, proc: str, masked: tuple[str, ...]) -> None:
        root = self.place
        for path in shared.read_only:
            if os.path.isdir(self._own_layer + path):  # a program must be hidden, or a mount point created, below it
                self._further(path, shared)
                continue
            with contextlib.suppress(OSError):
                syscalls.bind(f"{shared.folder}/read-only{path}", root + path, recursive=True)
        for path in shared.overlaid:
            if path != "/":
                self._further(path, shared)
        self._fill_system(shared, proc)
        for path in shared.resolver:
            mount_points.bind_into(root, Mount(path, path, True))
            self._own_folders.pin(self.own(path))
        for path in masked:
            if os.path.isdir(root + path):
                syscalls.cover(root + path)

    def _fill_image(self, shared: SharedMounts, proc: str) -> None:
        self._fill_system(shared, proc)
        for path in _NAMES:
            if os.path.exists(path):
                mount_points.bind_into(self.place, Mount(os.path.realpath(path), path, True))
        with open(self._host_name, "w"):
            pass
        mount_points.bind_into(self.place, Mount(self._host_name, _HOST_NAME, True))

    def _fill_system(self, shared: SharedMounts, proc: str) -> None:
        """Mount the kernel's file systems and the container's own folders."""
        root = self.place
        for source, path in ((proc, "/proc"), (f"{shared.folder}/sys", "/sys"), (f"{shared.folder}/dev", "/dev")):
            with open_beneath.at(root, path) as target:
                syscalls.bind(source, target, recursive=True)
        self._further_devices(f"{shared.folder}/dev")
        syscalls.mount("tmpfs", f"{root}/dev/shm", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=1777")
        for name, path in self._owns.items():
            own = f"{self.folder}/own{name}"
            os.makedirs(own)
            if name == _STAGING[0]:
                self._stage_in_memory()
            with open_beneath.at(root, mount_points.inside(root, path)) as target:
                syscalls.bind(own, target, recursive=True)
        modes: dict[str, int | None] = dict.fromkeys(self._owns)
        # With an image, its user may be anyone, and the termination message is in /argo.
        modes |= {"/argo": 0o777} if self.kind.layers else {"/tmp": 0o1777, "/var/tmp": 0o1777, "/run/lock": 0o1777}
        modes |= {"/argo/staging": 0o755, "/run/argo": 0o777}
        self._own_folders = OwnFolders(
            {**{self.own(path): mode for path, mode in modes.items()}, f"{root}/dev/shm": None}
        )

    def _further_devices(self, devices: str) -> None:
        """Give this root a /dev of its own if volumes are to be mounted in /dev."""
        places = [(path, is_folder) for path, is_folder in self.kind.places if _lies_in(path, ("/dev",))]
        if all(os.path.lexists(self.place + path) for path, _ in places):
            return
        folder = f"{self.place}/dev"
        syscalls.unmount(folder)
        syscalls.mount("tmpfs", folder, "tmpfs", syscalls.MS_NOSUID, "mode=755,size=64k")
        for name in os.listdir(devices):
            shared_mounts.show(f"{devices}/{name}", f"{folder}/{name}")
        for path, is_folder in places:
            mount_points.place(path, is_folder, self.place, self.place)
        syscalls.mount(
            "none", folder, None, syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY | syscalls.MS_NOSUID
        )

    def _stage_in_memory(self) -> None:
        """Mount a tmpfs for scripts. A script is written and removed with each task, which on a disk would cost more than all the rest."""
        folder = self.own("".join(_STAGING))
        os.mkdir(folder)
        syscalls.mount("tmpfs", folder, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=755,size=64m")

    def _further(self, path: str, shared: SharedMounts) -> None:
        """Mount another file system or folder of this machine (/home, /data…); read-only where it cannot be overlaid."""
        folder = f"{self.folder}/further{path}"
        try:
            for name in ("upper", "work"):
                os.makedirs(f"{folder}/{name}")
            layer = self._own_layer + path
            lower = [layer, path] if os.path.isdir(layer) else [path]
            syscalls.overlay(lower, folder, self.place + path, shared.options)
            self._overlays.append((f"{folder}/upper", self.place + path, lower))
        except OSError:
            # If this user may not read it (another user's mount…), it stays an empty folder in the container.
            with contextlib.suppress(OSError):
                syscalls.bind(path, self.place + path, recursive=True, read_only=True)

    def own(self, path: str) -> str:
        """The path, on this machine, of a path in one of the container's own folders (/argo, /run/argo; without an image also /tmp…)."""
        return f"{self.folder}/own{path}"

    def text(self, path: str, most: int) -> bytes | None:
        """The last `most` bytes of a file that the container wrote in one of its own folders; None when there is no such regular file."""
        if self._own_folders.is_untouched(self.own(os.path.dirname(path))):
            return None
        own = next(folder for folder in self._owns if path.startswith(f"{folder}/"))
        return open_beneath.read_end(self.own(own), path[len(own) :], most)

    def write(self, path: str, data: bytes, mode: int) -> None:
        """Write a file before the container starts; `path` is below /argo."""
        place = self.own(path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(data)
        os.chmod(place, mode)

    def name(self, host: str) -> None:
        """Write the host's name to /etc/hostname of a container with an image."""
        if self.kind.layers:
            with open(self._host_name, "w") as file:
                file.write(f"{host}\n")

    def enter(self, mounts: list[Mount]) -> None:
        """Enter this root with the volumes mounted in it: it becomes this process's `/`, in a mount namespace of its own."""
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
        self._mounts = os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)
        self._covers_own = any(_lies_in(mount.target, (*self._owns.keys(), *self._owns.values())) for mount in mounts)
        self._is_held = self._covers_own and self._hold([mount.target for mount in mounts])

    def _hold(self, targets: list[str]) -> bool:
        """Keep the mount points in the container's own folders when these are emptied. Called in the new view, before anything runs in it.

        Gives whether that is possible: all of them must be plain folders, and none in another one.
        """
        points: list[str] = []
        ways: dict[str, Look] = {}
        for target in map(os.path.normpath, targets):
            for name, path in self._owns.items():
                if not _lies_in(target, (path,)):
                    continue
                names = target[len(path) :].split("/")[1:]
                if not names or not os.path.isdir(target):
                    return False
                for count in range(1, len(names)):
                    below = "".join(f"/{part}" for part in names[:count])
                    ways[self.own(name) + below] = identity(path + below)
                points.append(self.own(name) + target[len(path) :])
        if None in ways.values() or ways.keys() & set(points):
            return False
        self._own_folders.hold(points, ways)
        return True

    def leave(self) -> None:
        if self.view >= 0:
            os.close(self.view)
            self.view = -1
        if self._mounts >= 0:
            os.close(self._mounts)
            self._mounts = -1

    def _bind(self, mounts: list[Mount]) -> None:
        for mount in mounts:
            mount_points.bind_into(self.place, mount, self._masked)
        syscalls.switch_root(self.place)

    def restore(self, home: int) -> bool:
        """Remove files that a container added. Gives whether the root is as it was before. home: this process's mount namespace."""
        if self._is_copy or any(access(folder) != was for folder, was in self._tops):
            return False
        if not all(_undo(*overlay) for overlay in self._overlays):
            return False
        if self.view >= 0 and _has_changed(self._mounts):
            try:
                syscalls.setns(self.view, syscalls.CLONE_NEWNS)
                return _mount_table() == self._view_table
            finally:
                syscalls.setns(home, syscalls.CLONE_NEWNS)
        return True

    def empty(self) -> None:
        """Empty the container's own folders."""
        if self._covers_own and not (self.view >= 0 and self._is_held and self._own_folders.are_held()):
            self._own_folders.hold((), {})
            # Removing a mount point also removes the mount from the view, so the next container must mount again.
            self.leave()
        self._own_folders.empty()

    def discard(self) -> None:
        self.leave()
        with contextlib.suppress(OSError):
            syscalls.unmount(self.place)
        with contextlib.suppress(OSError):
            syscalls.unmount(self.own("".join(_STAGING)))
        with contextlib.suppress(OSError):
            syscalls.unmount(self.folder)  # it may be a tmpfs
        for folder in (self.folder, self._own_layer):
            if os.path.isdir(folder):
                file_trees.discard(folder)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._host_name)


class Roots:
    """The roots of one worker. folder: for their changes. proc: a mounted /proc of its process-id namespace. home: its mount namespace."""

    def __init__(self, folder: str, shared: SharedMounts, proc: str, masked: str, home: int) -> None:
        self._folder, self._shared, self._proc, self._home = folder, shared, proc, home
        self._masked = all_places_of(masked)
        self._free: list[Root] = []
        self._count = 0

    def take(self, hidden: tuple[str, ...], mounts: list[Mount], layers: tuple[str, ...] = ()) -> Root:
        """A root that nobody uses, new if necessary. layers: folders of an image, the uppermost first. Raises OSError."""
        kind = RootKind(hidden, tuple(sorted((m.target, _is_folder(m)) for m in mounts)), layers)
        for root in self._free:
            if root.kind == kind:
                self._free.remove(root)
                return root
        if len(self._free) >= _MOST_KEPT:
            self._free.pop(0).discard()
        self._count += 1
        return Root(f"{self._folder}/{self._count}", kind, self._shared, self._proc, self._masked)

    def give_back(self, root: Root) -> None:
        """Reuse or discard a root whose container has ended and has no processes any more."""
        try:
            if root.restore(self._home):
                root.empty()
                self._free.append(root)
                return
        except OSError:
            pass
        root.discard()

    @property
    def devices(self) -> str:
        """The folder that this worker's containers see as /dev."""
        return f"{self._shared.folder}/dev"

    def close(self) -> None:
        for root in self._free:
            root.discard()
        self._free.clear()
        file_trees.discard(self._folder)


def _lies_in(path: str, folders: Iterable[str]) -> bool:
    return any((path + "/").startswith(folder.rstrip("/") + "/") for folder in folders)


def _identity(mount: Mount) -> tuple[int, int]:
    with mount.open() as path:
        status = os.stat(path)
    return status.st_dev, status.st_ino


def _is_folder(mount: Mount) -> bool:
    with mount.open() as path:
        return os.path.isdir(path)


def _has_changed(mounts: int) -> bool:
    """Whether anything was mounted or unmounted since the table was opened or since the last call."""
    poll = select.poll()
    poll.register(mounts, select.POLLPRI)
    return bool(poll.poll(0))


def _mount_table() -> bytes:
    with open("/proc/self/mountinfo", "rb", buffering=0) as file:
        return file.read()


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _undo(upper: str, merged: str, lower: list[str]) -> bool:
    """Remove files that only `upper` has, through the mounted overlay. Gives whether nothing else was changed.

    merged: the overlay (or a folder in it). lower: the same folder in the lower layers, the uppermost first. A lower file that was changed
    or removed, or a folder whose mode, owner or content was replaced, cannot be undone.
    """
    for entry in _entries(upper):
        below = [path for path in (f"{folder}/{entry.name}" for folder in lower) if os.path.lexists(path)]
        if not below:
            if stat.S_ISCHR(entry.stat(follow_symlinks=False).st_mode):
                return False  # a whiteout for a lower file that no longer exists
            file_trees.remove(f"{merged}/{entry.name}")
        elif not _is_same_folder(entry, below[0]) or not _undo(
            entry.path, f"{merged}/{entry.name}", [path for path in below if os.path.isdir(path)]
        ):
            return False
    return True


def _is_same_folder(entry: os.DirEntry[str], below: str) -> bool:
    above, original = entry.stat(follow_symlinks=False), os.lstat(below)
    if not stat.S_ISDIR(above.st_mode) or not stat.S_ISDIR(original.st_mode) or access(entry.path) != access(below):
        return False
    return not any(name.endswith(".overlay.opaque") for name in os.listxattr(entry.path))
