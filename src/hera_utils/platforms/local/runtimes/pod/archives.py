"""Tar and zip as Argo's executor makes and reads them. Nothing that is unpacked can land outside its folder."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile

from .fault import PodFault


def pack_tar(source: str, target: str, level: int) -> None:
    """`source` (a file or folder) as a gzipped tar whose entries begin with its own name."""
    with (
        open(target, "wb") as raw,
        gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=level, mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w|") as archive,
    ):
        archive.add(source, arcname=os.path.basename(source.rstrip("/")))


def pack_zip(source: str, target: str) -> None:
    """`source` (a file or folder) as a zip whose entries begin with its own name."""
    import zipfile  # not at the top: it brings threading, which makes every fork slower

    top = os.path.basename(source.rstrip("/"))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        if not os.path.isdir(source):
            archive.write(source, top)
            return
        for folder, _, names in os.walk(source):
            inner = os.path.join(top, os.path.relpath(folder, source)) if folder != source else top
            archive.write(folder, inner)
            for name in names:
                archive.write(os.path.join(folder, name), os.path.join(inner, name))


def is_tar(path: str) -> bool:
    """Whether the file is a gzipped tar (Argo looks, when an input artifact does not say)."""
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
    """Unpack a tar or zip to `target`: its only entry, or a folder of all when there are several."""
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
    """Everything in a tar into `folder`: files, folders and links that stay inside. PodFault for what would lead out of it.

    Python's own filters do this too, but Debian 12's Python has none.
    """
    with tarfile.open(path, "r:*") as archive:
        for entry in archive:
            place = _inside(folder, entry.name)
            if place == folder:
                continue
            _check_parents(folder, place, entry.name)
            if entry.isdir():
                os.makedirs(place, exist_ok=True)
            elif entry.issym():
                _inside(
                    folder,
                    os.path.join(os.path.dirname(entry.name), entry.linkname),
                    f"illegal symlink target: {entry.name} -> {entry.linkname}",
                )
                # Where the link really stands may be less deep than its name says, when a folder of the name is a link.
                target = os.path.realpath(os.path.join(os.path.dirname(place), entry.linkname))
                if not (target + "/").startswith(os.path.realpath(folder) + "/"):
                    raise PodFault(f"illegal symlink target: {entry.name} -> {entry.linkname}")
                os.symlink(entry.linkname, place)
            elif entry.isfile():
                source = archive.extractfile(entry)
                if source is None:
                    continue
                with open(place, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
                os.chmod(place, entry.mode & 0o7777)
                os.utime(place, (entry.mtime, entry.mtime))


def _unzip(path: str, folder: str) -> None:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            place = _inside(folder, entry.filename)
            if place == folder:
                continue
            _check_parents(folder, place, entry.filename)
            if entry.is_dir():
                os.makedirs(place, exist_ok=True)
                continue
            with archive.open(entry) as source, open(place, "wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            if mode := (entry.external_attr >> 16) & 0o777:
                os.chmod(place, mode)


def _inside(folder: str, name: str, message: str = "") -> str:
    place = os.path.normpath(os.path.join(folder, name.lstrip("/") if not message else name))
    if place != folder and not place.startswith(folder + "/"):
        raise PodFault(message or f"illegal file path: {name}")
    return place


def _check_parents(folder: str, place: str, name: str) -> None:
    parent = os.path.dirname(place)
    os.makedirs(parent, exist_ok=True)
    if not (os.path.realpath(parent) + "/").startswith(os.path.realpath(folder) + "/") or os.path.islink(place):
        raise PodFault(f"illegal file path after symlink resolution: {name} resolves outside destination")
