"""A container's own folders are as at its start for the next one, whatever the one before did to them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from hera_utils.local_platform.pods.pod.own_folders import OwnFolders


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, OwnFolders]:
    return tmp_path, OwnFolders({f"{tmp_path}/run": None, f"{tmp_path}/run/lock": 0o1777, f"{tmp_path}/tmp": 0o1777})


def content(top: Path) -> dict[str, int]:
    return {str(path.relative_to(top)): path.lstat().st_mode for path in sorted(top.rglob("*"))}


def dated_back(top: Path) -> None:
    """A task that hides what it did, as tar does when it restores a folder's time."""
    status = (top / "tmp").stat()
    (top / "tmp" / "left").touch()
    os.utime(top / "tmp", ns=(status.st_atime_ns, status.st_mtime_ns))


def replaced(top: Path) -> None:
    (top / "run" / "lock").rmdir()
    (top / "run" / "lock").symlink_to("/")


@pytest.mark.parametrize(
    "change",
    [
        lambda top: (top / "tmp" / "left").touch(),
        lambda top: (top / "run" / "lock" / "left").mkdir(),
        lambda top: (top / "tmp").chmod(0o700),
        lambda top: shutil.rmtree(top / "run" / "lock"),
        lambda top: ((top / "tmp" / "left").touch(), (top / "tmp" / "left").unlink()),
        replaced,
        dated_back,
    ],
    ids=["file", "folder", "mode", "gone", "nothing", "link", "hidden"],
)
def test_the_next_one_finds_what_the_first_one_found(folders: tuple[Path, OwnFolders], change: object) -> None:
    top, own = folders
    first = content(top)
    for _ in range(3):
        assert own.is_untouched(f"{top}/tmp")
        assert own.is_untouched(f"{top}/run/lock")
        change(top)  # type: ignore[operator]
        assert not (own.is_untouched(f"{top}/tmp") and own.is_untouched(f"{top}/run/lock"))
        own.empty()
        assert content(top) == first
    own.empty()
    assert content(top) == first


def test_what_is_pinned_stays(folders: tuple[Path, OwnFolders]) -> None:
    top, own = folders
    own.pinned = {f"{top}/run/systemd"}
    for name in ("systemd", "other"):
        (top / "run" / name).mkdir()
    own.empty()
    assert sorted(os.listdir(top / "run")) == ["lock", "systemd"]
