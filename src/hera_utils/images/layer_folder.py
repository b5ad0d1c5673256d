"""The folder that one layer is unpacked into, and how paths of the layer are found in it: never outside of it.

A path is walked one name at a time, each opened from the descriptor of the one before without following links. A link among the
folders of a path is followed as if the layer's folder were `/`, as a container would.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path

from hera_utils.images.config import UnreadableImage
from hera_utils.images.lower_layers import LowerLayers, Names

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40  # as the kernel
_DEEPEST = 256  # folders in folders: removing a tree opens one file for each level, and a process may open only so many


class NotAFolder(UnreadableImage):
    """A name in the middle of a path is the name of a file."""


class NoSuchFolder(Exception):
    """A folder of a path does not exist. way: where it would be."""

    def __init__(self, way: Names) -> None:
        super().__init__("/".join(way))
        self.way = way


def names_of(path: str) -> Names:
    """The names of a path from the layer's top, with `..` resolved. Raises UnreadableImage for a path that leads out of the layer."""
    if "\0" in path:
        raise UnreadableImage(f"a layer has the path {path!r}, which is none")
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            if not names:
                raise UnreadableImage(f"a layer has the path {path!r}, which leads out of the image")
            names.pop()
        elif name not in ("", "."):
            names.append(name)
    if len(names) > _DEEPEST:
        raise UnreadableImage(f"a layer has folders in folders more than {_DEEPEST} deep")
    return tuple(names)


class _OpenPath:
    """The open folders on a way down from the top, each in the one before it."""

    def __init__(self, top: int) -> None:
        self.names: list[str] = []
        self._descriptors = [os.dup(top)]

    @property
    def here(self) -> int:
        return self._descriptors[-1]

    def enter(self, name: str, descriptor: int) -> None:
        self.names.append(name)
        self._descriptors.append(descriptor)
        if len(self.names) > _DEEPEST:
            raise UnreadableImage(f"a layer has folders in folders more than {_DEEPEST} deep")

    def leave(self) -> None:
        """Go back to the parent folder; the parent of the top is the top itself, as for `/`."""
        if self.names:
            self.names.pop()
            os.close(self._descriptors.pop())

    def restart(self) -> None:
        while self.names:
            self.leave()

    def take(self) -> int:
        """The descriptor of this folder; the caller closes it."""
        return self._descriptors.pop()

    def __enter__(self) -> _OpenPath:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)


class LayerFolder:
    """The folder of one layer. below: a folder that the layer does not describe gets the mode, owner and time that it has there."""

    def __init__(self, folder: Path, below: LowerLayers) -> None:
        self.top = os.open(folder, _FOLDER)
        self._below = below
        # The path, descriptor and real path of the folder that was opened last: most entries are in the folder of the entry before.
        self._last: tuple[Names, int, Names] | None = None
        self._stale = False  # whether a folder or link was removed since then, so that a path may lead elsewhere
        self.owned = os.geteuid() == 0  # whether files get the owners that the layer gives them
        # Times of folders, which are set at the end because each new entry changes its folder's time.
        self.times: dict[Names, int] = {}

    def close(self) -> None:
        self._forget()
        os.close(self.top)

    def _forget(self) -> None:
        if self._last is not None:
            os.close(self._last[1])
            self._last = None
        self._stale = False

    def folder(self, names: Names, *, make: bool = True) -> int:
        """A descriptor of a folder of the layer, valid until the next call. make: create what is missing.

        Raises NotAFolder, NoSuchFolder, OSError.
        """
        if self._last is not None and self._last[0] == names and not self._stale:
            return self._last[1]
        descriptor, way = self._walk(names, make=make)
        self._forget()
        self._last = (names, descriptor, way)
        return descriptor

    def way(self, names: Names) -> Names:
        """The path of the folder (or where it would be) after following the links of this layer. Raises NotAFolder."""
        try:
            self.folder(names, make=False)
        except NoSuchFolder as missing:
            return missing.way
        assert self._last is not None
        return self._last[2]

    def _walk(self, names: Names, *, make: bool) -> tuple[int, Names]:
        """A descriptor of the folder, and its path after following links."""
        todo, links = list(reversed(names)), 0
        with _OpenPath(self.top) as way:
            while todo:
                name = todo.pop()
                if name == "..":
                    way.leave()
                    continue
                try:
                    way.enter(name, self._step(way.here, (*way.names, name), make=make))
                except FileNotFoundError:
                    raise NoSuchFolder(names_of("/".join((*way.names, name, *reversed(todo))))) from None
                except NotADirectoryError:
                    target = _read_link(way.here, name)
                    links += 1
                    if target is None or links > _MOST_LINKS:
                        raise NotAFolder(f"a layer has {'/'.join(names)}, in which {name} is not a folder") from None
                    if target.startswith("/"):
                        way.restart()
                    todo += [part for part in reversed(target.split("/")) if part not in ("", ".")]
            return way.take(), tuple(way.names)

    def _step(self, here: int, way: Names, *, make: bool) -> int:
        try:
            return os.open(way[-1], _FOLDER, dir_fd=here)
        except FileNotFoundError:
            if not make:
                raise
        like = self._below.folder(way)
        self.make_folder(here, way[-1], 0o755 if like is None else stat.S_IMODE(like.st_mode))
        if like is not None:
            self.set_owner(here, way[-1], like.st_uid, like.st_gid)
            self.times[way] = like.st_mtime_ns
        return os.open(way[-1], _FOLDER, dir_fd=here)

    def make_folder(self, parent: int, name: str, mode: int) -> None:
        os.mkdir(name, 0o700, dir_fd=parent)
        os.chmod(name, self.folder_mode(mode), dir_fd=parent)

    def folder_mode(self, mode: int) -> int:
        """The mode that a folder gets. Without root's rights the owner needs 0700 to read and remove what is in it."""
        return mode & 0o7777 if self.owned else (mode & 0o1777) | 0o700

    def set_owner(self, parent: int, name: str, user: int, group: int) -> bool:
        """Change the owner. Gives whether it was changed: where this process may not give files away, all of them stay its own."""
        if not self.owned:
            return False
        try:
            os.chown(name, user, group, dir_fd=parent, follow_symlinks=False)
        except (OverflowError, PermissionError):
            return False
        except OSError as error:
            if error.errno != errno.EINVAL:  # this user namespace has no such user
                raise
            return False
        return True

    def open_without_links(self, names: Names) -> int | None:
        """A descriptor of the folder at this path, without following links; None when there is none. The caller closes it."""
        return _open_below(self.top, names)

    def remove(self, parent: int, name: str) -> None:
        """Remove what an earlier entry of the layer put at this name, if anything."""
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        self._stale = not stat.S_ISREG(status.st_mode)
        if stat.S_ISDIR(status.st_mode):
            shutil.rmtree(f"/proc/self/fd/{parent}/{name}")
        else:
            os.unlink(name, dir_fd=parent)

    def finish(self) -> None:
        """Set the modification times of the folders."""
        self._forget()
        for names, at in self.times.items():
            descriptor = self.open_without_links(names)
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.utime(f"/proc/self/fd/{descriptor}", ns=(at, at))
                os.close(descriptor)


def _open_below(top: int, names: Names) -> int | None:
    here = os.dup(top)
    for name in names:
        try:
            following = os.open(name, _FOLDER, dir_fd=here)
        except OSError:
            return None
        finally:
            os.close(here)
        here = following
    return here


def _read_link(folder: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        return None
