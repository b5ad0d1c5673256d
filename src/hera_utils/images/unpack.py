"""Unpacks one layer's tar into a folder that the kernel's overlay can mount above the folders of the layers below.

Whoever made the image is not trusted: nothing is written outside of the folder (layer_folder.py), memory stays bounded
(decompress.py), size and number of files have limits. What a tar may contain, and what is done with it:

    file, folder, symbolic link    unpacked; of several entries with one path the last counts
    hard link                      to a file that this layer has; another one is refused
    .wh.NAME                       hides NAME of the layers below (whiteouts.py)
    devices, pipes                 left out, with a remark
    extended attributes            left out: capabilities of files have no effect here, and attributes of the overlay would control it
    owners                         kept where this process may give files away; else all are its own, without setuid and setgid bits
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from hera_utils.errors import PlatformError
from hera_utils.images import whiteouts
from hera_utils.images.config import UnreadableImage
from hera_utils.images.decompress import LayerTooLarge, TarStream, tar_entries
from hera_utils.images.layer_folder import LayerFolder, NoSuchFolder, NotAFolder, names_of
from hera_utils.images.lower_layers import LowerLayers, Names
from hera_utils.wording import system_reason

_MOST_GLOBAL_HEADERS = 64
_MOST_REMARKS = 5
_ZEROS = bytes(1 << 20)
_LATEST = 1 << 33  # seconds; not every file system can store a later time
DISK_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_BAD_NAME = frozenset(
    (errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP, errno.ENOENT, errno.EFBIG, errno.EISDIR, errno.EEXIST, errno.EMLINK)
)


class LayerLimits(NamedTuple):
    """How much a layer may have: bytes of its tar, and entries."""

    size: int
    entries: int

    @classmethod
    def of(cls, folder: Path) -> LayerLimits:
        """Nine tenths of the space and of the files that are free on the folder's disk."""
        disk = os.statvfs(folder)
        entries = disk.f_favail * 9 // 10 if disk.f_files else 2_000_000  # btrfs reports no number of files
        return cls(disk.f_bavail * disk.f_frsize * 9 // 10, min(entries, 2_000_000))


class UnpackedLayer(NamedTuple):
    """diff_id: the digest of the tar. size: bytes of its files. hides_all: it hides all layers below it.

    remarks: what was left out.
    """

    diff_id: str
    size: int
    entries: int
    hides_all: bool
    remarks: tuple[str, ...]


def unpack(
    packed: BinaryIO, folder: Path, *, below: Sequence[Path] = (), limits: LayerLimits | None = None
) -> UnpackedLayer:
    """Unpack a tar (plain, gzip, zstd) into an empty folder. below: the folders of the layers below, the uppermost first.

    Raises UnreadableImage, LayerTooLarge, PlatformError (the disk is full, or cannot store what overlays need), and then leaves the
    unpacked files in the folder.
    """
    limits = limits or LayerLimits.of(folder)
    stream = TarStream(packed, limits.size)
    layers_below = LowerLayers(below)
    layer = _Unpacking(LayerFolder(folder, layers_below), layers_below, stream, limits)
    try:
        for entry in _entries(stream):
            layer.add(entry)
        stream.drain()
        layer.finish()
    except OSError as error:
        if error.errno in DISK_FULL:
            raise full_disk_error(folder) from error
        if isinstance(error, (BlockingIOError, InterruptedError)) or error.errno not in _BAD_NAME:
            raise
        raise UnreadableImage(f"{layer.entry} of a layer cannot be unpacked ({system_reason(error)})") from error
    finally:
        layer.folder.close()
        stream.close()
    return UnpackedLayer(stream.digest, layer.size, layer.entries, layer.hides_all, layer.remarks())


def full_disk_error(folder: Path) -> PlatformError:
    return PlatformError(
        f"the disk of {folder} is full: the image cannot be unpacked",
        fix="free some disk space (hera-utils gc, hera-utils image rm), or set HERA_UTILS_STATE to a folder of a larger disk",
    )


@contextlib.contextmanager
def explain_full_disk(folder: Path) -> Iterator[None]:
    """Turn the block's error of a full disk into a PlatformError."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise full_disk_error(folder) from error
        raise


def _entries(stream: TarStream) -> Iterator[tarfile.TarInfo]:
    try:
        # Not a stream mode ("r|"): it reads ahead as much as a header declares, however much that is.
        with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:  # type: ignore[call-overload]
            for entry in tar_entries(archive):
                if len(archive.pax_headers) > _MOST_GLOBAL_HEADERS:
                    raise UnreadableImage("the tar of a layer has more global headers than make sense")
                yield entry
                stream.next_entry()
    except (tarfile.TarError, ValueError, OverflowError, RecursionError, UnicodeError) as error:
        if isinstance(error, tarfile.ReadError) and not stream.last_header and stream.tell() == 0:
            return  # no bytes at all: some builders write an empty layer like this
        raise UnreadableImage(f"the tar of a layer is damaged ({error})") from None
    if stream.last_header.strip(b"\0"):
        raise UnreadableImage("the tar of a layer is damaged: what should be an entry is none")


class _Unpacking:
    """The state of one unpacking: what was written, and what to hide after the last entry."""

    def __init__(self, folder: LayerFolder, below: LowerLayers, stream: TarStream, limits: LayerLimits) -> None:
        self.folder, self._below, self._stream, self._limits = folder, below, stream, limits
        self.entry = "a file"
        self.size = self.entries = 0
        self.hides_all = False
        self._absent: set[Names] = set()
        self._opaque: set[Names] = set()
        self._left_out: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def add(self, entry: tarfile.TarInfo) -> None:
        self.entry = entry.name if len(entry.name) <= 100 else f"{entry.name[:97]}..."
        self.entries += 1
        if self.entries > self._limits.entries:
            raise LayerTooLarge(
                f"a layer has more than {self._limits.entries} files, which is more than this disk may take"
            )
        names = names_of(entry.name)
        if not names:
            self._set_top(entry)
            return
        if any(map(whiteouts.is_reserved, names[:-1])):
            raise UnreadableImage(
                f"a layer has the path {self.entry}: names that begin with {whiteouts.PREFIX} are reserved"
            )
        parent, name = names[:-1], names[-1]
        if name == whiteouts.OPAQUE_ENTRY:
            self._opaque.add(parent)
        elif whiteouts.is_note(name):
            return
        elif whiteouts.is_reserved(name):
            absent = whiteouts.absent_name(name)
            if absent is None:
                raise UnreadableImage(f"a layer has the path {self.entry}, which says that a whole folder is not there")
            self._absent.add((*parent, absent))
        else:
            self._put(entry, names)

    def _set_top(self, entry: tarfile.TarInfo) -> None:
        """Set mode, owner and time of the layer's own folder."""
        if not entry.isdir():
            raise UnreadableImage("a layer has a file in place of the root folder")
        os.chmod(f"/proc/self/fd/{self.folder.top}", self.folder.folder_mode(entry.mode))
        if self.folder.owned:
            self.folder.set_owner(self.folder.top, ".", entry.uid, entry.gid)
        self.folder.times[()] = _time(entry)

    def _put(self, entry: tarfile.TarInfo, names: Names) -> None:
        if entry.isdir():
            self._put_folder(entry, names)
        elif entry.issym():
            if "\0" in entry.linkname:
                raise UnreadableImage(f"a layer has the link {self.entry} to {entry.linkname!r}, which is no path")
            parent = self.folder.folder(names[:-1])
            self.folder.remove(parent, names[-1])
            os.symlink(entry.linkname, names[-1], dir_fd=parent)
            self.folder.set_owner(parent, names[-1], entry.uid, entry.gid)
            os.utime(names[-1], ns=(_time(entry), _time(entry)), dir_fd=parent, follow_symlinks=False)
        elif entry.islnk():
            self._put_hard_link(entry, names)
        elif entry.isfile():
            self._put_file(entry, names)
        else:
            self.folder.remove(self.folder.folder(names[:-1]), names[-1])
            kind = (
                "device" if entry.ischr() or entry.isblk() else "pipe" if entry.isfifo() else "entry of an unknown kind"
            )
            self._left_out[kind] += 1
            self._examples.setdefault(kind, self.entry)

    def _put_folder(self, entry: tarfile.TarInfo, names: Names) -> None:
        parent, name = self.folder.folder(names[:-1]), names[-1]
        way = (*self.folder.way(names[:-1]), name)
        if self._has(names, folder=True):
            os.chmod(name, self.folder.folder_mode(entry.mode), dir_fd=parent)
        else:
            self.folder.remove(parent, name)
            self.folder.make_folder(parent, name, entry.mode)
        self.folder.set_owner(parent, name, entry.uid, entry.gid)
        self.folder.times[way] = _time(entry)

    def _put_file(self, entry: tarfile.TarInfo, names: Names) -> None:
        parent, name = self.folder.folder(names[:-1]), names[-1]
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            file = os.open(name, flags, 0o600, dir_fd=parent)
        except FileExistsError:
            self.folder.remove(parent, name)
            file = os.open(name, flags, 0o600, dir_fd=parent)
        try:
            self._write(entry, file)
            has_owner = False
            if self.folder.owned:
                with contextlib.suppress(OverflowError, PermissionError):
                    has_owner = self._set_owner(entry, file)
            os.fchmod(file, entry.mode & (0o7777 if has_owner else 0o777))
            os.utime(file, ns=(_time(entry), _time(entry)))
        finally:
            os.close(file)

    def _set_owner(self, entry: tarfile.TarInfo, file: int) -> bool:
        try:
            os.fchown(file, entry.uid, entry.gid)
        except OSError as error:
            if error.errno != errno.EINVAL:  # this user namespace has no such user
                raise
            return False
        return True

    def _write(self, entry: tarfile.TarInfo, file: int) -> None:
        if self._stream.tell() != entry.offset_data:
            self._stream.seek(entry.offset_data)
        if entry.size < 0:
            raise UnreadableImage(f"the tar of a layer is damaged: {self.entry} has an impossible size")
        holes: Any = entry.sparse
        pieces = [(0, entry.size)] if holes is None else holes
        for offset, size in pieces:
            if offset < 0 or size < 0 or offset + size > entry.size:
                raise UnreadableImage(f"the tar of a layer is damaged: the holes of {self.entry} are impossible")
            for piece in self._stream.contents(size):
                # Zeros are left as a hole: compressed zeros are tiny and could otherwise fill the disk.
                if piece == _ZEROS[: len(piece)]:
                    offset += len(piece)
                    continue
                while piece:
                    written = os.pwrite(file, piece, offset)
                    piece, offset = piece[written:], offset + written
            self.size += size
        os.ftruncate(file, entry.size)

    def _put_hard_link(self, entry: tarfile.TarInfo, names: Names) -> None:
        refusal = f"a layer has the hard link {self.entry} to {entry.linkname!r}, which is no file of this layer"
        source = names_of(entry.linkname)
        if not source:
            raise UnreadableImage(refusal)
        try:
            folder = os.dup(self.folder.folder(source[:-1], make=False))
        except (NoSuchFolder, NotAFolder):
            raise UnreadableImage(refusal) from None
        try:
            try:
                status = os.stat(source[-1], dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                raise UnreadableImage(refusal) from None
            if stat.S_ISDIR(status.st_mode):
                raise UnreadableImage(refusal)
            parent = self.folder.folder(names[:-1])
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.stat(names[-1], dir_fd=parent, follow_symlinks=False), status):
                    return  # both names are the same file already
            self.folder.remove(parent, names[-1])
            os.link(source[-1], names[-1], src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(folder)

    def finish(self) -> None:
        """Write the whiteouts. A layer's whiteouts hide only the layers below, never its own files, in whatever order they come."""
        if () in self._opaque:
            self.hides_all = True  # the overlay ignores the attribute on its top folder
        else:
            self._hide()
        self.folder.finish()

    def _hide(self) -> None:
        """Hide only names that the layers below have: any other whiteout would appear in listings of a folder that only one layer has."""
        opaque, absent = set[Names](), set[Names]()
        for way in self._followed_paths(self._opaque):
            if self._below.folder(way) is not None and not self._has(way, folder=False):
                opaque.add(way)
        for way in self._followed_paths(self._absent):
            if self._has(way, folder=True):
                opaque |= {way} if self._below.folder(way) is not None else set()
            elif self._below.has_entry(way) and not self._has(way, folder=False):
                absent.add(way)
        hidden = opaque | absent
        for way in sorted(hidden):
            self.entry = "/".join(way)
            if any(way[:length] in hidden for length in range(1, len(way))):
                continue
            if way in absent:
                self._make_absent(way)
            elif not whiteouts.make_opaque(self.folder.folder(way)):
                for inner in self._visible_below(way):
                    self._make_absent(inner)

    def _followed_paths(self, paths: set[Names]) -> Iterator[Names]:
        for names in paths:
            with contextlib.suppress(NotAFolder):  # a file of this layer already hides the whole folder
                yield (*self.folder.way(names[:-1]), names[-1])

    def _has(self, way: Names, *, folder: bool) -> bool:
        """Whether this layer has at that path a folder (folder=True), or anything else (folder=False)."""
        try:
            parent = self.folder.folder(way[:-1], make=False)
            return _is_folder(parent, way[-1]) == folder
        except (NoSuchFolder, NotAFolder, FileNotFoundError):
            return False

    def _make_absent(self, way: Names) -> None:
        parent = self.folder.folder(way[:-1])
        with contextlib.suppress(FileExistsError):  # a file of this layer hides it already
            whiteouts.make_whiteout(parent, way[-1])

    def _visible_below(self, way: Names) -> set[Names]:
        """The paths of the layers below that are visible in a folder of this layer."""
        visible = set[Names]()
        for name in self._below.names(way):
            inner = (*way, name)
            visible |= self._visible_below(inner) if self._has(inner, folder=True) else {inner}
        return visible

    def remarks(self) -> tuple[str, ...]:
        return tuple(
            f"{count} {kind}{'' if count == 1 else 's'} left out ({self._examples[kind]}{'' if count == 1 else ', …'})"
            for kind, count in self._left_out.most_common(_MOST_REMARKS)
        )


def _is_folder(parent: int, name: str) -> bool:
    """Raises FileNotFoundError."""
    return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)


def _time(entry: tarfile.TarInfo) -> int:
    """The entry's time in nanoseconds, within what a disk can store: the archive may contain any number."""
    at = float(entry.mtime)
    if at != at:
        return 0
    at = max(-_LATEST, min(at, _LATEST))
    return int(at // 1) * 1_000_000_000 + int(at % 1 * 1e9)
