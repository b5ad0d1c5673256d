"""Packs and unpacks tar and zip as Argo's executor does. Unpacking never writes outside of the target folder."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import time
from typing import IO, TYPE_CHECKING, Any

from . import file_trees
from .errors import PodFault

if TYPE_CHECKING:
    from zipfile import ZipInfo

_ZIP_UTF8 = 0x800
"""The flag of zip entries whose names are UTF-8."""
_LONGEST_LINK = 4096
_ZIP_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_ZIP_LAST_DAY = (2107, 12, 31, 23, 59, 58)


def pack_tar(top: int, name: str, label: str, target: str, level: int) -> None:
    """Write a file or folder as a gzipped tar whose entries begin with `name`. top: its descriptor. label: its name in messages.

    A file with several hard links is written under each name, as Argo does.
    """
    with (
        open(target, "wb", opener=_private) as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=level, mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        for entry in file_trees.entries(top, label):
            archive.addfile(_tar_header(entry, name), entry.file)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _tar_header(entry: file_trees.Entry, top: str) -> tarfile.TarInfo:
    header = tarfile.TarInfo(f"{top}/{entry.name}" if entry.name else top)
    status = entry.status
    header.mode, header.mtime = stat.S_IMODE(status.st_mode), status.st_mtime
    header.uid, header.gid = status.st_uid, status.st_gid
    if entry.is_folder:
        header.type = tarfile.DIRTYPE
    elif entry.is_link:
        header.type, header.linkname = tarfile.SYMTYPE, entry.target
    else:
        header.size = status.st_size
    return header


def pack_zip(top: int, name: str, label: str, target: str) -> list[str]:
    """Write a file or folder as a zip whose entries begin with `name`; links stay links. Parameters as in pack_tar.

    Gives the entries that Argo's zip would not preserve: links, which become empty files there, and empty folders.
    """
    import zipfile  # imported here: it imports threading, which makes every fork slower

    class Header(zipfile.ZipInfo):
        def _encodeFilenameFlags(self) -> tuple[bytes, int]:
            """Write a name that is no UTF-8 as its bytes, and do not mark it as UTF-8."""
            raw = os.fsencode(self.filename)
            try:
                raw.decode()
            except UnicodeDecodeError:
                return raw, self.flag_bits & ~_ZIP_UTF8
            return raw, self.flag_bits if raw.isascii() else self.flag_bits | _ZIP_UTF8

    links: list[str] = []
    empty: dict[str, bool] = {}
    with open(target, "wb", opener=_private) as raw, zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in file_trees.entries(top, label):
            empty.pop(os.path.dirname(entry.name), None)
            if entry.is_folder:
                empty[entry.name] = True
            elif entry.is_link:
                links.append(entry.name)
            inner = f"{name}/{entry.name}" if entry.name else name
            header = Header(inner + ("/" if entry.is_folder else ""), _zip_date(entry.status.st_mtime))
            header.compress_type = zipfile.ZIP_DEFLATED
            header.external_attr = (entry.status.st_mode & 0xFFFF) << 16 | (0x10 if entry.is_folder else 0)
            if entry.file is None:
                archive.writestr(header, os.fsencode(entry.target))
                continue
            header.file_size = entry.status.st_size
            with archive.open(header, "w") as packed:
                shutil.copyfileobj(entry.file, packed, 1 << 20)
    return [*links, *(name for name in empty if name)]


def _unzipped_name(entry: ZipInfo) -> str:
    """The original bytes of an entry's name: zipfile decodes names that are not marked as UTF-8 by DOS' code page 437."""
    return entry.filename if entry.flag_bits & _ZIP_UTF8 else os.fsdecode(entry.filename.encode("cp437"))


def _zip_date(at: float) -> tuple[int, int, int, int, int, int]:
    """A time as a zip stores it, limited to its years from 1980 to 2107."""
    year, month, day, hour, minute, second = time.localtime(at)[:6]
    return min(max((year, month, day, hour, minute, second), _ZIP_FIRST_DAY), _ZIP_LAST_DAY)


def is_tar(path: str) -> bool:
    """Whether the file is a gzipped tar. As in Argo, this decides about an input artifact without `archive`."""
    if os.path.isdir(path):
        return False
    with open(path, "rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return False
    try:
        with tarfile.open(path, "r:gz") as archive:
            return archive.next() is not None
    except (tarfile.TarError, OSError, EOFError):
        return False


def unpack(path: str, target: str, kind: str) -> None:
    """Unpack a tar or zip to `target`: the only entry becomes `target` itself, several entries are put into a folder."""
    folder = target + ".unpacking"
    os.makedirs(folder)
    if kind == "zip":
        _unzip(path, folder)
    else:
        untar(path, folder)
    names = os.listdir(folder)
    if len(names) == 1:
        os.rename(f"{folder}/{names[0]}", target)
        os.rmdir(folder)
    else:
        os.rename(folder, target)


def untar(path: str, folder: str) -> None:
    """Unpack a tar into `folder`: files, folders and links that stay inside. Raises PodFault for an entry that leads out of it.

    Python's own filters do this too, but Debian 12's Python has none. Pipes and devices are left out, as in Argo.
    """
    with tarfile.open(path, "r:*") as archive:
        for entry in archive:
            place = _inside(folder, entry.name)
            if place == folder:
                continue
            if entry.isdir():
                _prepare(folder, place, entry.name, is_folder=True)
                os.makedirs(place, exist_ok=True)
            elif entry.issym():
                _prepare(folder, place, entry.name)
                _link(folder, place, entry.name, entry.linkname)
            elif entry.islnk():
                _prepare(folder, place, entry.name)
                _second_name(folder, place, entry.name, entry.linkname)
            elif entry.isfile() and (source := archive.extractfile(entry)) is not None:
                _prepare(folder, place, entry.name)
                if entry.sparse:
                    _write_sparse(source, place, entry)
                else:
                    _write(source, place, entry.mode)
                os.utime(place, (entry.mtime, entry.mtime))


def _unzip(path: str, folder: str) -> None:
    import zipfile

    try:
        opened = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise PodFault(f"zip: {error}") from None
    with opened as archive:
        for entry in archive.infolist():
            name = _unzipped_name(entry)
            place = _inside(folder, name)
            if place == folder:
                continue
            _prepare(folder, place, name, is_folder=entry.is_dir())
            mode = entry.external_attr >> 16
            if entry.is_dir():
                os.makedirs(place, exist_ok=True)
            elif stat.S_ISLNK(mode):
                if entry.file_size > _LONGEST_LINK:
                    raise PodFault(f"illegal symlink target: {name} has {entry.file_size} bytes")
                _link(folder, place, name, os.fsdecode(archive.read(entry)))
            else:
                with archive.open(entry) as source:
                    _write(source, place, mode or 0o644)


def _write(source: IO[bytes], place: str, mode: int) -> None:
    file_trees.write(source, place)
    os.chmod(place, mode & 0o777)


def _write_sparse(source: IO[bytes], place: str, entry: tarfile.TarInfo) -> None:
    """Write a sparse file. A short archive may declare any size, so only the data pieces are read and written."""
    with open(place, "xb") as file:
        file.truncate(entry.size)
        pieces: Any = entry.sparse
        for start, length in pieces:
            source.seek(start)
            file.seek(start)
            left = length
            while left > 0 and (piece := source.read(min(left, 1 << 20))):
                file.write(piece)
                left -= len(piece)
    os.chmod(place, entry.mode & 0o777)


def _link(folder: str, place: str, name: str, target: str) -> None:
    """Create a symbolic link. Raises PodFault if it leads out of the folder."""
    refusal = f"illegal symlink target: {name} -> {target}"
    _inside(folder, os.path.join(os.path.dirname(name.lstrip("/")), target), refusal)
    # The link's real place may be less deep than its name says, when a folder in the name is a link.
    end = os.path.realpath(os.path.join(os.path.dirname(place), target))
    if not (end + "/").startswith(os.path.realpath(folder) + "/"):
        raise PodFault(refusal)
    os.symlink(target, place)


def _second_name(folder: str, place: str, name: str, target: str) -> None:
    """Create a hard link to an earlier entry of the archive; a copy where the disk does not support hard links."""
    refusal = f"illegal hard link target: {name} -> {target}"
    source = _inside(folder, target.lstrip("/"), refusal)
    parent = os.path.realpath(os.path.dirname(source))
    if not (parent + "/").startswith(os.path.realpath(folder) + "/") or not os.path.lexists(source):
        raise PodFault(refusal)
    if os.path.islink(source):
        _link(folder, place, name, os.readlink(source))
    elif not os.path.isfile(source):
        raise PodFault(refusal)
    else:
        try:
            os.link(source, place)
        except OSError:
            with open(source, "rb") as file:
                file_trees.write(file, place, os.fstat(file.fileno()))


def _inside(folder: str, name: str, message: str = "") -> str:
    place = os.path.normpath(os.path.join(folder, name.lstrip("/") if not message else name))
    if "\0" in name or (place != folder and not place.startswith(folder + "/")):
        raise PodFault(message or f"illegal file path: {name}")
    return place


def _prepare(folder: str, place: str, name: str, *, is_folder: bool = False) -> None:
    """Create the folders above an entry, and remove an earlier entry of its name. Raises PodFault for a path through a link."""
    parent = os.path.dirname(place)
    os.makedirs(parent, exist_ok=True)
    if not (os.path.realpath(parent) + "/").startswith(os.path.realpath(folder) + "/") or os.path.islink(place):
        raise PodFault(f"illegal file path after symlink resolution: {name} resolves outside destination")
    if not is_folder and os.path.lexists(place):
        if os.path.isdir(place):
            raise PodFault(f"illegal file path: {name} is a folder and a file")
        os.unlink(place)
