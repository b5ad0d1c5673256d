"""Whiteouts: how a layer hides files of the layers below.

In the layer's tar a whiteout is an empty entry with one of these names:

    .wh.NAME         hides NAME of the layers below
    .wh..wh..opq     hides everything of the layers below in this folder
    .wh..wh.*        internal files of an old union file system (aufs)

In the layer's folder it has the form that the kernel's overlay reads:

    a whiteout       a character device 0/0, which any user may create (Linux 5.8); where the disk refuses it (it is an overlay itself,
                     as in a container), an empty file with an attribute (Linux 6.7)
    an opaque folder an attribute: the same folder of the layers below is hidden

The overlay reads `trusted.` attributes, or `user.` ones when it is mounted with userxattr, as it must be in a user namespace. Both are
written where that is permitted, so that a layer which root unpacked can be mounted in a user namespace too.
"""

from __future__ import annotations

import os
import stat

from hera_utils.errors import PlatformError

_KINDS = ("trusted", "user")
_OPAQUE, _WHITEOUT = "overlay.opaque", "overlay.whiteout"

PREFIX = ".wh."
"""The beginning of names that no file of an image may have."""
OPAQUE_ENTRY = ".wh..wh..opq"
_NOTES = ".wh..wh."


def is_reserved(name: str) -> bool:
    """Whether a tar entry of that name is a whiteout or internal to aufs, and not a file."""
    return name.startswith(PREFIX)


def is_note(name: str) -> bool:
    return name.startswith(_NOTES) and name != OPAQUE_ENTRY


def absent_name(name: str) -> str | None:
    """The name that a reserved name hides in its folder; None where that would be the whole folder."""
    absent = name.removeprefix(PREFIX)
    return None if absent in ("", ".", "..") else absent


def make_whiteout(folder: int, name: str) -> None:
    """Hide `name` in the folder of this descriptor. Raises PlatformError where the disk cannot store that."""
    try:
        os.mknod(name, stat.S_IFCHR, 0, dir_fd=folder)
        return
    except PermissionError:
        pass
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder))
    here = f"/proc/self/fd/{folder}"
    if not _write_attribute(f"{here}/{name}", _WHITEOUT, b"y") or not _write_attribute(here, _OPAQUE, b"x", keep=True):
        os.unlink(name, dir_fd=folder)
        raise PlatformError(
            "the disk of the state folder cannot say that a file of a lower layer is absent, which images need",
            fix="set HERA_UTILS_STATE to a folder of a local disk (ext4, xfs, btrfs)",
        )


def make_opaque(folder: int) -> bool:
    """Hide what the layers below have in the folder of this descriptor. Gives False where the disk cannot store that."""
    return _write_attribute(f"/proc/self/fd/{folder}", _OPAQUE, b"y")


def is_whiteout(folder: int, name: str, status: os.stat_result) -> bool:
    """Whether `name` in the folder is a whiteout. status: its status, without following links."""
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        return _read_attribute(f"/proc/self/fd/{folder}/{name}", _WHITEOUT) is not None
    return False


def is_opaque(folder: int) -> bool:
    return _read_attribute(f"/proc/self/fd/{folder}/.", _OPAQUE) == b"y"


def _write_attribute(path: str, name: str, value: bytes, *, keep: bool = False) -> bool:
    """Write the attribute of each kind that is permitted. Gives whether any was written. keep: an existing value stays."""
    written = False
    for kind in _KINDS:
        try:
            os.setxattr(path, f"{kind}.{name}", value, os.XATTR_CREATE if keep else 0)
        except FileExistsError:
            pass
        except OSError:
            continue
        written = True
    return written


def _read_attribute(path: str, name: str) -> bytes | None:
    for kind in _KINDS:
        try:
            return os.getxattr(path, f"{kind}.{name}", follow_symlinks=False)
        except OSError:
            continue
    return None
